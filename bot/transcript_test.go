package bot_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"canteen/bot"
	"canteen/knowledge"
)

var update = flag.Bool("update", false, "write what the transcripts give into them")

// TestTranscripts plays the conversations of testdata/*.txtar. A file is a list of
// scenes, each with a fresh Canteen. A line that begins with "> " is what somebody
// does; the lines below it are all that comes of it. README.txt there has the
// language.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(err, "no transcripts")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel() // most of the time goes to the disk
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			changed := false
			for i, f := range a.Files {
				if testing.Short() && i > 1 {
					break // SQLite is slow under the race detector
				}
				t.Run(f.Name, func(t *testing.T) {
					make := newWorld
					if name := filepath.Base(file); name == "meaning.txtar" {
						make = newUnderstandingWorld
					}
					got := play(make(t), string(f.Data))
					if got == string(f.Data) {
						return
					}
					a.Files[i].Data, changed = []byte(got), true
					if !*update {
						t.Errorf("another transcript (go test ./bot -update writes it):\n%s", diff(string(f.Data), got))
					}
				})
			}
			if changed && *update {
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// diff shows the first place in which two texts differ.
func diff(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	from := max(0, i-6)
	return fmt.Sprintf("line %d, wanted:\n%s\n\ngot:\n%s", i+1, strings.Join(a[from:min(len(a), i+8)], "\n"), strings.Join(b[from:min(len(b), i+8)], "\n"))
}

// play plays a scene and writes it anew.
func play(w *world, scene string) string {
	var out strings.Builder
	for line := range strings.Lines(scene) {
		line = strings.TrimRight(line, "\n")
		do, ok := strings.CutPrefix(line, "> ")
		switch {
		case strings.HasPrefix(line, "# "):
			fmt.Fprintln(&out, line)
		case ok:
			fmt.Fprintf(&out, "> %s\n", do)
			s := &stage{world: w}
			s.do(do)
			for _, l := range s.lines {
				if l != "" {
					l = "    " + l
				}
				fmt.Fprintln(&out, l)
			}
			fmt.Fprintln(&out)
		}
	}
	return out.String()
}

// stage is what comes of one line.
type stage struct {
	*world
	lines []string
}

func (s *stage) say(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

var (
	speaks  = regexp.MustCompile(`^(\w+)( in #[\w-]+)?( thread \d+)?((?: \([a-zA-Z0-9 -]+\))*): ?(.*)$`)
	presses = regexp.MustCompile(`^(\w+) (presses|opens|submits) ([^:]+?)( on C-\d+)?((?: \([a-z ]+\))*)(?:: (.*))?$`)
	forges  = regexp.MustCompile(`^(\w+) forges ([a-z-]+)(?:: (.*))?$`)
	thumbs  = regexp.MustCompile(`^(\w+) puts a thumb (up|down) under the last message$`)
)

// do does what a line says.
func (s *stage) do(line string) {
	word, rest, _ := strings.Cut(line, " ")
	switch {
	case word == "wait":
		d, err := time.ParseDuration(rest)
		if err != nil {
			s.t.Fatal(err)
		}
		s.wait(d)
	case word == "at":
		s.wait(at(rest).Sub(s.now()))
	case word == "report":
		problems := knowledge.Problems{}
		for message := range strings.SplitSeq(rest, "; ") {
			problems = append(problems, knowledge.Problem{Path: "faq/basics/a.md", Line: len(problems) + 1, Column: 1, Message: message})
		}
		if err := s.bot.ReportProblems(s.t.Context(), problems); err != nil {
			s.say("failed: %v", err)
		}
		s.delivered()
	case word == "remind":
		if err := s.bot.Remind(s.t.Context()); err != nil {
			s.say("failed: %v", err)
		}
		s.delivered()
	case word == "purge":
		if err := s.store.Purge(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
	case line == "nothing is sure enough to be answered":
		p := policy
		p.Answer, p.Topic, p.Covered, p.Offer = 2, 2, .01, .02
		s.make(func(c *bot.Config) { c.Policy, c.Comms = p, []bot.Place{slackComms} })
	case line == "nothing is surer than likely":
		p := policy
		p.Answer, p.Topic, p.Likely, p.Covered, p.Offer = 2, 2, .3, .01, .02
		s.make(func(c *bot.Config) { c.Policy, c.Comms = p, []bot.Place{slackComms} })
	case line == "somebody is on call":
		s.make(func(c *bot.Config) { c.Comms, c.OnCall = []bot.Place{slackComms}, []bot.Place{"slack:C-on-call"} })
	case line == "comms are on Slack and on Teams":
		s.make(func(c *bot.Config) { c.Comms = []bot.Place{slackComms, teamsComms} })
	case line == "the folder cannot be written":
		s.folder.readOnly = true
	case word == "forget":
		x := everybody[rest]
		s.keys++
		if err := s.bot.Forget(s.t.Context(), x.person, fmt.Sprintf("forget-%d", s.keys)); err != nil {
			s.say("failed: %v", err)
		}
		s.delivered()
	case word == "home":
		s.home(rest)
	case word == "record":
		s.record(rest)
	case strings.HasPrefix(line, "the database has none of: "):
		words := strings.Fields(strings.TrimPrefix(line, "the database has none of: "))
		if found := s.holds(words...); len(found) > 0 {
			s.t.Errorf("the database has %q", found)
		}
		s.say("none")
	default:
		s.act(line)
	}
}

func (s *stage) act(line string) {
	if m := thumbs.FindStringSubmatch(line); m != nil {
		x := everybody[m[1]]
		last := s.shown[len(s.shown)-1]
		for _, q := range slices.Backward(s.shown) {
			if q.to == x.home {
				last = q
				break
			}
		}
		msg := s.from(m[1], last.to)
		a := map[string]bot.Action{"up": bot.ActHelped, "down": bot.ActNotMeant}[m[2]]
		msg.Press = &bot.Press{Action: a, On: "on-" + last.id, Thumb: true}
		s.send(m[1], msg)
		return
	}
	if m := forges.FindStringSubmatch(line); m != nil {
		p := bot.Press{Action: bot.Action(m[2])}
		for name, v := range fields(m[3]) {
			switch name {
			case "ref":
				n, _ := strconv.Atoi(v)
				p.Ref = bot.Ref(n)
			case "question":
				p.Question = s.question(v)
			case "chosen":
				p.Entry = v
			default:
				if p.Fields == nil {
					p.Fields = map[string]string{}
				}
				p.Fields[name] = v
			}
		}
		msg := s.from(m[1], "")
		msg.Press = &p
		s.send(m[1], msg)
		return
	}
	if m := presses.FindStringSubmatch(line); m != nil {
		s.press(m[1], m[2], m[3], m[4], m[5], m[6])
		return
	}
	m := speaks.FindStringSubmatch(line)
	if m == nil {
		s.t.Fatalf("what does this mean: %q", line)
	}
	var in bot.Place
	if m[2] != "" {
		in = bot.Place(everybody[m[1]].home.Adapter() + ":C-" + strings.TrimPrefix(m[2], " in #"))
		switch {
		case strings.Contains(m[4], "(by command)"): // there are none in threads
		case m[3] != "":
			in += bot.Place("#" + strings.TrimPrefix(m[3], " thread "))
		default:
			in += "#1"
		}
	}
	msg := s.from(m[1], in)
	how(&msg, m[4])
	said, above, _ := strings.Cut(m[5], "|| ")
	msg.Text, msg.Above = text(strings.TrimSpace(said)), above
	s.send(m[1], msg)
}

// how reads what stands in brackets behind a person.
func how(m *bot.Message, flags string) {
	m.Addressed = !strings.Contains(flags, "(not to the bot)")
	switch {
	case strings.Contains(flags, "(by command)"):
		m.Audience = bot.InReply
	case strings.Contains(flags, "(for their eyes only)"):
		m.Audience = bot.OnlyAsker
	}
	if n := numbered.FindStringSubmatch(flags); n != nil {
		m.Said = "said-" + n[1]
	}
	if n := under.FindStringSubmatch(flags); n != nil {
		m.Under, m.In, m.Audience = "on-card-"+n[1]+"-slack", slackComms, bot.Shared
	}
	switch {
	case strings.Contains(flags, "(edited)"):
		m.Change = bot.Edited
	case strings.Contains(flags, "(deleted)"):
		m.Change = bot.Deleted
	}
	if strings.Contains(flags, "(with a picture)") {
		m.Attached = []bot.Attached{bot.Picture}
	}
}

var (
	numbered = regexp.MustCompile(`\(message (\d+)\)`)
	under    = regexp.MustCompile(`\(under C-(\d+)\)`)
)

var repeated = regexp.MustCompile(`^\((\d+) characters of\) (.*)$`)

// text reads a text: quoted as in Go, or a number of characters of one.
func text(s string) string {
	if m := repeated.FindStringSubmatch(s); m != nil {
		n, _ := strconv.Atoi(m[1])
		return strings.Repeat(m[2]+" ", n/(len(m[2])+1)+1)[:n]
	}
	if strings.HasPrefix(s, `"`) {
		if u, err := strconv.Unquote(s); err == nil {
			return u
		}
	}
	return s
}

// fields reads name=value; name=value, with \n for a new line.
func fields(s string) map[string]string {
	f := map[string]string{}
	for part := range strings.SplitSeq(s, "; ") {
		if name, v, ok := strings.Cut(part, "="); ok {
			f[strings.TrimSpace(name)] = strings.ReplaceAll(v, `\n`, "\n")
		}
	}
	return f
}

// question is the id of the last question that somebody asked alone.
func (s *stage) question(who string) bot.QuestionID {
	if x, ok := everybody[who]; ok {
		return s.asked[x.home.Lane()]
	}
	return bot.QuestionID(who)
}

func (s *stage) press(who, verb, label, on, flags, rest string) {
	var ref bot.Ref
	if on != "" {
		ref, _ = bot.ParseRef(strings.TrimPrefix(on, " on "))
	}
	b, where := s.find(who, label, ref)
	msg := s.from(who, where.to)
	how(&msg, flags)
	if where.id == "" {
		msg.Audience = bot.InReply
	}
	p := b.Press
	if b.Form != (verb != "presses") {
		s.t.Fatalf("the button %q: form is %v", label, b.Form)
	}
	if b.Form {
		form, err := s.bot.Form(s.t.Context(), p, msg.From)
		if err != nil {
			s.say("no form: %v", class(err))
			return
		}
		if verb == "opens" {
			s.form(form)
			return
		}
		p = form.Press
		p.Fields = map[string]string{}
		for _, f := range form.Fields {
			p.Fields[f.Name] = f.Value
		}
		for name, v := range fields(rest) {
			p.Fields[name] = v
		}
	}
	msg.Press = &p
	s.send(who, msg)
}

func class(err error) string {
	for _, e := range []error{bot.ErrForbidden, bot.ErrNotFound} {
		if errors.Is(err, e) {
			return e.Error()
		}
	}
	return err.Error()
}

// send handles a message and says all that comes of it.
func (s *stage) send(who string, m bot.Message) {
	reply, err := s.handle(m)
	if err != nil {
		s.say("failed: %s", s.bot.Sentence(err))
	}
	for _, p := range reply.Posts {
		s.post("to "+who+", in the response", p)
		s.shown = append(s.shown, &message{"", m.In, m.From.ID, p})
	}
	if p := reply.Aside; p != nil {
		s.check(*p)
		s.post("to "+who+", aside", *p)
		s.shown = append(s.shown, &message{"", m.In, m.From.ID, *p})
	}
	if reply.Notice != "" {
		s.say("notice: %s", reply.Notice)
	}
	for _, name := range sorted(reply.Errors) {
		s.say("error in %s: %s", name, reply.Errors[name])
	}
	if reply.File != "" {
		s.say("file:")
		s.block("  ", reply.File)
	}
	s.delivered()
	if len(s.lines) == 0 {
		s.say("nothing")
	}
}

func sorted(m map[string]string) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

func (s *stage) delivered() {
	for _, d := range s.deliver() {
		head := "to " + place(d.To)
		if d.Only != "" {
			head += ", for " + whose(d.Only) + " only"
		}
		if d.update {
			head += ", changed"
		}
		if d.Post.Urgent && !d.update {
			head += ", with a ping"
		}
		s.post(head, d.Post)
	}
}

func place(p bot.Place) string {
	for name, x := range everybody {
		if x.home == p {
			return name
		}
	}
	switch p {
	case slackComms:
		return "#comms"
	case teamsComms:
		return "#comms on Teams"
	}
	channel, thread, _ := strings.Cut(strings.TrimPrefix(string(p), p.Adapter()+":C-"), "#")
	if thread == "" {
		return "#" + channel
	}
	return "#" + channel + " thread " + thread
}

func whose(p bot.PersonID) string {
	for name, x := range everybody {
		if x.person.ID == p {
			return name
		}
	}
	return string(p)
}

var (
	confidence = regexp.MustCompile(`\([01]\.\d\d\)`)
	near       = regexp.MustCompile(`\(0\.[5-9]\d\)`)
)

func (s *stage) block(indent, text string) {
	for l := range strings.Lines(text) {
		s.lines = append(s.lines, strings.TrimRight(indent+strings.TrimRight(l, "\n"), " "))
	}
}

// post says a post as a person would read it.
func (s *stage) post(head string, p bot.Post) {
	s.say("%s: %s", head, p.Kind)
	const in = "  "
	if p.Title != "" {
		s.say(in+"%s", strings.ToUpper(p.Title[:1])+p.Title[1:])
	}
	if p.Quote != "" {
		quote := p.Quote
		if len(quote) > 200 {
			quote = fmt.Sprintf("%s … (%d characters)", quote[:40], len([]rune(quote)))
		}
		s.block(in, `"`+quote+`"`)
	}
	s.block(in, p.Text)
	if p.Since != "" {
		s.say(in+"Since then: %s", p.Since)
	}
	if p.Source != "" {
		s.say(in+"Source: %s", p.Source)
	}
	for _, f := range p.Facts {
		value := f.Value
		if f.Label == "Nearest entries" { // the others are not what this is about
			value, _, _ = strings.Cut(value, ",")
			if !strings.HasSuffix(value, "(1.00)") && !near.MatchString(value) {
				continue
			}
			value = confidence.ReplaceAllString(value, "(0.##)")
		}
		if !f.Time.IsZero() {
			value = strings.TrimSpace(value + " " + f.Time.In(at("2026-06-03 10:00").Location()).Format("2 Jan 15:04"))
		}
		s.say(in+"%s: %s", f.Label, value)
	}
	if p.Note != "" {
		s.block(in, "("+p.Note+")")
	}
	s.buttons(in, "", p.Options)
	s.buttons(in, "", p.Buttons)
	s.buttons(in, "Related: ", p.Related)
}

func (s *stage) buttons(in, head string, list []bot.Button) {
	var labels []string
	for _, b := range list {
		l := "[" + b.Label
		if b.Form {
			l += "…"
		}
		labels = append(labels, l+"]")
	}
	if len(list) > 0 {
		s.say("%s%s%s", in, head, strings.Join(labels, " "))
	}
}

func (s *stage) form(f bot.Form) {
	if len(f.Title) > 24 || len(f.Submit) > 24 {
		s.t.Errorf("a form's title or button is too long: %q %q", f.Title, f.Submit)
	}
	s.say("form: %s", f.Title)
	s.block("  ", confidence.ReplaceAllString(f.Intro, "(0.##)"))
	for _, x := range f.Fields {
		s.say("  %s (%s, %s)", x.Label, x.Name, x.Kind)
		s.block("    ", x.Value)
	}
	s.say("  [%s]", f.Submit)
}

// record says what is kept of an escalation, as comms may see it.
func (s *stage) record(name string) {
	ref, err := bot.ParseRef(name)
	if err != nil {
		s.t.Fatal(err)
	}
	e := s.escalation(ref).Safe()
	s.say("%s is %s; asked by %q in %q", e.Ref, e.State, e.Asker.Name, e.Where)
	for _, ev := range e.History {
		by := ev.By.Name
		if by == "" {
			by = "-"
		}
		text, _, more := strings.Cut(ev.Text, "\n")
		if more {
			text += " …"
		}
		s.say("%s %s, %s: %s", ev.At.In(at("2026-06-03 10:00").Location()).Format("15:04"), ev.What, by, text)
	}
}

func (s *stage) home(who string) {
	h, err := s.bot.Home(s.t.Context(), everybody[who].person.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, t := range h.Topics {
		s.buttons("", t.Name+": ", t.Entries)
	}
	s.buttons("", "Popular: ", h.Popular)
	for _, m := range h.Mine {
		s.say("%s, %s: %s", m.Ref, m.State, m.Text)
		s.buttons("  ", "", m.Buttons)
	}
}
