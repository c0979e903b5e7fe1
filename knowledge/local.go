package knowledge

import (
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v4"

	"canteen/knowledge/match"
)

// Contact is a person, team or page of this organisation. Its name is a noun
// phrase with its own article, for the middle of a sentence.
type Contact struct{ Name, Phone, Email, Link string }

// String prints "the IT service desk (phone 1234)"; with a link the name is a
// Markdown link.
func (c Contact) String() string {
	name := c.Name
	if c.Link != "" {
		name = "[" + name + "](" + c.Link + ")"
	}
	var how []string
	if c.Phone != "" {
		how = append(how, "phone "+c.Phone)
	}
	if c.Email != "" {
		how = append(how, "email "+c.Email)
	}
	if len(how) > 0 {
		name += " (" + strings.Join(how, ", ") + ")"
	}
	return name
}

// CrisisLine is who to call in one of the nations.
type CrisisLine struct{ Nation, Line string }

// CrisisLines print as a Markdown list.
type CrisisLines []CrisisLine

func (c CrisisLines) String() string {
	return strings.Join(mapSlice(c, func(l CrisisLine) string { return "- " + l.Nation + ": " + l.Line }), "\n")
}

// Hours are the comms team's working hours, the same on each of its days.
type Hours struct {
	Days     []time.Weekday // from Monday on
	From, To time.Duration  // since midnight
}

// String prints "Monday to Friday, 9am to 5pm".
func (h Hours) String() string {
	order := func(d time.Weekday) int { return (int(d) + 6) % 7 }
	var parts []string
	for i := 0; i < len(h.Days); {
		j := i
		for j+1 < len(h.Days) && order(h.Days[j+1]) == order(h.Days[j])+1 {
			j++
		}
		switch {
		case j > i+1:
			parts = append(parts, h.Days[i].String()+" to "+h.Days[j].String())
		case j == i+1:
			parts = append(parts, h.Days[i].String(), h.Days[j].String())
		default:
			parts = append(parts, h.Days[i].String())
		}
		i = j + 1
	}
	days := strings.Join(parts, ", ")
	if k := strings.LastIndex(days, ", "); k >= 0 {
		days = days[:k] + " and " + days[k+2:]
	}
	return days + ", " + clock(h.From) + " to " + clock(h.To)
}

func clock(d time.Duration) string {
	h, m := int(d.Hours()), int(d.Minutes())%60
	half := "am"
	if h%24 >= 12 {
		half = "pm"
	}
	switch {
	case m == 0 && h == 12:
		return "midday"
	case m == 0 && h%24 == 0:
		return "midnight"
	}
	t := strconv.Itoa((h+11)%12 + 1)
	if m != 0 {
		t += fmt.Sprintf(":%02d", m)
	}
	return t + half
}

// Local is local.yaml over the defaults. Its fields are the template values.
type Local struct {
	Organisation, Comms, Policy, Switchboard, OnCall          Contact
	InformationGovernance, ITSecurity, HR, OccupationalHealth Contact
	Union, SpeakingUpGuardian, SafeguardingLead               Contact

	Nation       string // of the United Kingdom, or "" where it is not said
	Crisis       CrisisLines
	Hours        Hours
	BankHolidays []time.Time // midnight UTC
	Zone         *time.Location
	ReplyPromise string
	Reminders    Reminders

	set map[string]bool // keys that local.yaml fills in
}

// Reminders are how long a question may wait in working hours before the comms
// team is reminded of it; 0 is never.
type Reminders struct{ Unclaimed, Unanswered time.Duration }

// Open says whether the comms team is at work at that moment.
func (l Local) Open(t time.Time) bool {
	t = t.In(l.Zone)
	y, m, d := t.Date()
	day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	since := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
	return slices.Contains(l.Hours.Days, t.Weekday()) && !slices.ContainsFunc(l.BankHolidays, day.Equal) &&
		since >= l.Hours.From && since < l.Hours.To
}

func defaultLocal() Local {
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		zone = time.UTC // no time zone data: the program carries its own
	}
	return Local{
		Organisation:          Contact{Name: "your organisation"},
		Comms:                 Contact{Name: "the communications team"},
		Policy:                Contact{Name: "the social media policy"},
		Switchboard:           Contact{Name: "your switchboard"},
		OnCall:                Contact{Name: "the on-call manager"},
		InformationGovernance: Contact{Name: "the information governance team"},
		ITSecurity:            Contact{Name: "the IT service desk"},
		HR:                    Contact{Name: "the HR team"},
		OccupationalHealth:    Contact{Name: "occupational health"},
		Union:                 Contact{Name: "your trade union"},
		SpeakingUpGuardian:    Contact{Name: guardians[""]},
		SafeguardingLead:      Contact{Name: "the safeguarding lead"},
		Crisis: CrisisLines{
			{"England", "NHS 111, option 2 for mental health"},
			{"Scotland", "NHS 24 on 111"},
			{"Wales", "NHS 111 Wales, option 2"},
			{"Northern Ireland", "Lifeline 0808 808 8000"},
		},
		Hours: Hours{Days: []time.Weekday{1, 2, 3, 4, 5}, From: 9 * time.Hour, To: 17 * time.Hour},
		Zone:  zone,
		set:   map[string]bool{},

		Reminders: Reminders{Unclaimed: 2 * time.Hour, Unanswered: 8 * time.Hour},
	}
}

// contacts are the keys of local.yaml that hold a contact, with the template
// value that each one fills.
func (l *Local) contacts() []struct {
	key, value string
	to         *Contact
} {
	type c = struct {
		key, value string
		to         *Contact
	}
	return []c{
		{"organisation", "Organisation", &l.Organisation}, {"comms", "Comms", &l.Comms}, {"policy", "Policy", &l.Policy},
		{"switchboard", "Switchboard", &l.Switchboard}, {"on_call", "OnCall", &l.OnCall},
		{"information_governance", "InformationGovernance", &l.InformationGovernance}, {"it_security", "ITSecurity", &l.ITSecurity},
		{"hr", "HR", &l.HR}, {"occupational_health", "OccupationalHealth", &l.OccupationalHealth}, {"union", "Union", &l.Union},
		{"speaking_up_guardian", "SpeakingUpGuardian", &l.SpeakingUpGuardian}, {"safeguarding_lead", "SafeguardingLead", &l.SafeguardingLead},
	}
}

// values are what templates may use.
func (l Local) values() map[string]any {
	v := map[string]any{"Crisis": l.Crisis, "Hours": l.Hours, "ReplyPromise": l.ReplyPromise}
	for _, c := range l.contacts() {
		v[c.value] = *c.to
	}
	return v
}

// Unset lists the keys of local.yaml that texts of lanes use and nobody has
// filled in: the texts then name nobody who can be reached.
func (b *Base) Unset() []string {
	used := map[string]bool{}
	for _, e := range b.entries {
		if e.Lane() == "" {
			continue
		}
		s := b.sources[e.ID]
		for _, c := range b.local.contacts() {
			if !b.local.set[c.key] && usesValue(s.Title+s.Body+s.Since, c.value) {
				used[c.key] = true
			}
		}
	}
	return sortedKeys(used)
}

// readLocal applies the local.yaml of each folder over the defaults. A broken one is
// replaced by the last good values.
func (a *assembly) readLocal() {
	for _, l := range a.layers {
		data := l.files["local.yaml"]
		if data == nil {
			continue
		}
		p := &reporter{path: l.path("local.yaml")}
		was := a.local
		a.local.set = maps.Clone(a.local.set)
		if lines, ok := p.lines(data, maxFile); ok {
			a.local.parse(yamlReader{p}, strings.Join(lines, "\n"))
		}
		if !a.record(p) {
			if a.local = was; a.last != nil {
				a.local = a.last.local
			}
		}
	}
	a.local.applyNation()
	if a.local.ReplyPromise == "" {
		a.local.ReplyPromise = "They answer from " + a.local.Hours.String() + "."
	}
}

// guardians are the names, by nation, of the role that people speak up to: Freedom to
// Speak Up guardians are England's (National Guardian's Office); Scotland has
// confidential contacts (INWO, National Whistleblowing Standards).
var guardians = map[string]string{
	"":        "your speaking up contact",
	"England": "your Freedom to Speak Up guardian", "Scotland": "your confidential contact for whistleblowing",
	"Wales": "your speaking up contact", "Northern Ireland": "your raising concerns contact",
}

// applyNation sets the guardian's name and the crisis lines of the nation.
func (l *Local) applyNation() {
	if l.Nation == "" {
		return
	}
	if l.SpeakingUpGuardian.Name == guardians[""] {
		l.SpeakingUpGuardian.Name = guardians[l.Nation]
	}
	var own CrisisLines
	for _, c := range l.Crisis {
		if c.Nation == l.Nation {
			own = append(own, c)
		}
	}
	if len(own) > 0 {
		l.Crisis = own
	}
}

func (l *Local) parse(y yamlReader, data string) {
	keys := map[string]func(*yaml.Node){}
	for _, c := range l.contacts() {
		keys[c.key] = func(n *yaml.Node) {
			was := *c.to
			if n.Kind == yaml.ScalarNode {
				setText(&c.to.Name, y.text(n))
			} else {
				y.fields(n, map[string]func(*yaml.Node){
					"name":  func(n *yaml.Node) { setText(&c.to.Name, y.text(n)) },
					"phone": func(n *yaml.Node) { setText(&c.to.Phone, y.text(n)) },
					"email": func(n *yaml.Node) { setText(&c.to.Email, y.text(n)) },
					"link": func(n *yaml.Node) {
						link := y.text(n)
						if u, err := url.Parse(link); link != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.ContainsAny(link, "()<> \t")) {
							y.add(positionOf(n), "%q is not a link: it starts with https:// and has no spaces or brackets", link)
							return
						}
						setText(&c.to.Link, link)
					},
				})
			}
			if *c.to != was {
				l.set[c.key] = true
			}
		}
	}
	keys["nation"] = func(n *yaml.Node) {
		nation := y.text(n)
		if _, ok := guardians[nation]; !ok {
			y.add(positionOf(n), "%q is not a nation: write England, Scotland, Wales or Northern Ireland", nation)
			return
		}
		l.Nation = nation
	}
	keys["crisis"] = func(n *yaml.Node) {
		var lines CrisisLines
		y.each(n, func(n *yaml.Node) {
			var line CrisisLine
			y.fields(n, map[string]func(*yaml.Node){
				"nation": func(n *yaml.Node) { line.Nation = y.text(n) },
				"line":   func(n *yaml.Node) { line.Line = y.text(n) },
			})
			if line.Nation == "" || line.Line == "" {
				y.add(positionOf(n), "a crisis line has a nation and a line")
				return
			}
			lines = append(lines, line)
		})
		if len(lines) > 0 {
			l.Crisis, l.set["crisis"] = lines, true
		}
	}
	keys["hours"] = func(n *yaml.Node) {
		h := l.Hours
		y.fields(n, map[string]func(*yaml.Node){
			"days": func(n *yaml.Node) {
				if d := y.days(n); len(d) > 0 {
					h.Days = d
				}
			},
			"from": func(n *yaml.Node) { h.From = y.clock(n, h.From) },
			"to":   func(n *yaml.Node) { h.To = y.clock(n, h.To) },
		})
		if h.To <= h.From {
			y.add(positionOf(n), "the hours end before they begin")
			return
		}
		l.Hours = h
	}
	keys["bank_holidays"] = func(n *yaml.Node) {
		l.BankHolidays = nil
		y.each(n, func(n *yaml.Node) {
			if d := y.date(n); !d.IsZero() {
				l.BankHolidays = append(l.BankHolidays, d)
			}
		})
	}
	keys["time_zone"] = func(n *yaml.Node) {
		name := y.text(n)
		if name == "" {
			return
		}
		zone, err := time.LoadLocation(name)
		if err != nil {
			y.add(positionOf(n), "unknown time zone %q: write it as Europe/London", name)
			return
		}
		l.Zone = zone
	}
	keys["reminders"] = func(n *yaml.Node) {
		y.fields(n, map[string]func(*yaml.Node){
			"unclaimed":  func(n *yaml.Node) { y.duration(n, &l.Reminders.Unclaimed) },
			"unanswered": func(n *yaml.Node) { y.duration(n, &l.Reminders.Unanswered) },
		})
	}
	keys["reply_promise"] = func(n *yaml.Node) { setText(&l.ReplyPromise, y.text(n)) }
	y.read([]byte(data), func(n *yaml.Node) { y.fields(n, keys) })
}

// setText sets a value, unless the file leaves it empty.
func setText(to *string, text string) {
	if text != "" {
		*to = strings.Join(strings.Fields(text), " ")
	}
}

// days reads [monday, tue] or "Monday to Friday".
func (y yamlReader) days(n *yaml.Node) []time.Weekday {
	var found [7]bool
	day := func(n *yaml.Node, name string) int {
		name = strings.ToLower(strings.TrimSpace(name))
		for d := range 7 {
			full := strings.ToLower(time.Weekday(d).String())
			if len(name) >= 3 && strings.HasPrefix(full, name) {
				return d
			}
		}
		y.add(positionOf(n), "%q is not a day of the week", name)
		return -1
	}
	span := func(n *yaml.Node, text string) {
		from, to, ranged := strings.Cut(strings.ReplaceAll(strings.ToLower(text), " to ", "-"), "-")
		a := day(n, from)
		b := a
		if ranged {
			b = day(n, to)
		}
		if a < 0 || b < 0 {
			return
		}
		for d := a; ; d = (d + 1) % 7 {
			found[d] = true
			if d == b {
				break
			}
		}
	}
	if n.Kind == yaml.SequenceNode {
		for _, t := range n.Content {
			span(t, y.text(t))
		}
	} else if text := y.text(n); text != "" {
		for _, t := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
			span(n, t)
		}
	}
	var days []time.Weekday
	for i := range 7 {
		if d := (i + 1) % 7; found[d] {
			days = append(days, time.Weekday(d))
		}
	}
	return days
}

// clock reads 9, 9am, 09:00, 17:30 or 5:30pm.
func (y yamlReader) clock(n *yaml.Node, or time.Duration) time.Duration {
	text := strings.ToLower(strings.ReplaceAll(y.text(n), " ", ""))
	if text == "" {
		return or
	}
	for _, layout := range []string{"15:04", "3:04pm", "3pm", "15.04", "15"} {
		if t, err := time.Parse(layout, text); err == nil {
			return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
		}
	}
	if text == "24:00" {
		return 24 * time.Hour
	}
	y.add(positionOf(n), "%q is not a time of day: write it as 09:00 or 5pm", text)
	return or
}

// duration reads 2h, 90m, 1h30m or 0.
func (y yamlReader) duration(n *yaml.Node, to *time.Duration) {
	text := y.text(n)
	if text == "" {
		return
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		y.add(positionOf(n), "%q is not a length of time: write it as 2h, 90m or 0", text)
		return
	}
	*to = d
}

// readLexicon takes the lexicon of the last folder that has one. A broken one is replaced
// by the last good one, or else by that of the folder below it, or the embedded one.
func (a *assembly) readLexicon() {
	for _, l := range slices.Backward(a.layers) {
		data := l.files["lexicon.yaml"]
		if data == nil {
			continue
		}
		if a.parseLexicon(l.path("lexicon.yaml"), data) {
			return
		}
		if a.last != nil {
			a.lexicon, a.lists = a.last.lexicon, a.last.lists
			return
		}
		if l == a.layers[0] {
			if data, err := fs.ReadFile(Embedded, "lexicon.yaml"); err == nil {
				a.parseLexicon("lexicon.yaml", data)
			}
		}
	}
}

func (a *assembly) parseLexicon(path string, data []byte) bool {
	p := &reporter{path: path}
	if lines, ok := p.lines(data, maxFile); ok {
		a.lexicon, a.lists = parseLexicon(yamlReader{p}, strings.Join(lines, "\n"))
	}
	return a.record(p)
}

func parseLexicon(y yamlReader, data string) (lex match.Lexicon, lists map[string][]string) {
	sets := func(to *[][]string, least int) func(*yaml.Node) {
		return func(n *yaml.Node) {
			y.each(n, func(n *yaml.Node) {
				words := y.texts(n)
				if len(words) < least && n.Kind == yaml.SequenceNode {
					y.add(positionOf(n), "a set has at least %d words", least)
					return
				}
				*to = append(*to, words)
			})
		}
	}
	word := func(n *yaml.Node) string {
		t := strings.ToLower(y.text(n))
		if strings.IndexFunc(t, unicode.IsSpace) >= 0 {
			y.add(positionOf(n), "expected one word, not %q", t)
		}
		return t
	}
	y.read([]byte(data), func(n *yaml.Node) {
		y.fields(n, map[string]func(*yaml.Node){
			"synonyms": sets(&lex.Synonyms, 2),
			"distinct": sets(&lex.Distinct, 2),
			"keep":     func(n *yaml.Node) { lex.Keep = y.texts(n) },
			"cues": func(n *yaml.Node) {
				y.each(n, func(n *yaml.Node) {
					var c match.Cue
					y.fields(n, map[string]func(*yaml.Node){
						"word":  func(n *yaml.Node) { c.Word = word(n) },
						"means": func(n *yaml.Node) { c.Means = y.text(n) },
						"near":  func(n *yaml.Node) { c.Near = y.texts(n) },
					})
					if c.Word == "" || c.Means == "" || len(c.Near) == 0 {
						y.add(positionOf(n), "a cue has a word, what it means, and the words near it")
						return
					}
					lex.Cues = append(lex.Cues, c)
				})
			},
			"lists": func(n *yaml.Node) {
				if isNull(n) {
					return
				}
				if n.Kind != yaml.MappingNode {
					y.add(positionOf(n), "lists are written as name: [word, word]")
					return
				}
				lists = map[string][]string{}
				for i := 0; i+1 < len(n.Content); i += 2 {
					name, words := y.text(n.Content[i]), y.texts(n.Content[i+1])
					if len(words) == 0 || len(words) > maxList {
						y.add(positionOf(n.Content[i]), "the list %q has %d words: 1 to %d can be read", name, len(words), maxList)
					}
					lists[name] = words
				}
			},
			"textspeak": func(n *yaml.Node) {
				if isNull(n) {
					return
				}
				if n.Kind != yaml.MappingNode {
					y.add(positionOf(n), "textspeak is written as {u: you, pls: please}")
					return
				}
				lex.Textspeak = map[string]string{}
				for i := 0; i+1 < len(n.Content); i += 2 {
					k, v := strings.ToLower(y.text(n.Content[i])), strings.ToLower(y.text(n.Content[i+1]))
					if _, twice := lex.Textspeak[k]; twice {
						y.add(positionOf(n.Content[i]), "key %q is there twice", k)
					}
					if k != "" && v != "" {
						lex.Textspeak[k] = v
					}
				}
			},
		})
	})
	return lex, lists
}
