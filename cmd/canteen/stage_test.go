package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"canteen/adapters/slack/slacktest"
	"canteen/adapters/teams/teamstest"
)

// stage is a platform on which people talk to a running Canteen. Everybody is called by
// their first name: nina and pete ask, carol and chris are of comms. Places are
// "privately", "to comms", "in the ward" and the others of TestWhoReadsWhat.
type stage interface {
	// says brings what somebody says; in a shared place it calls the bot, unless
	// overheard is set: then it is a reply in the thread that they began there.
	says(who, place, text string, overheard bool)
	// threads tells whether a place has threads.
	threads(place string) bool
	// edits and deletes change the last thing that somebody said.
	edits(who, text string)
	deletes(who string)
	// sees waits until somebody can read a message of the bot's with all the words, in a
	// place; alone says that nobody else there can.
	sees(who, place string, alone bool, words ...string)
	// presses uses a button of the message that somebody saw last; of a form that it
	// opens, fields are filled in and submit pressed. told waits for what a form says
	// when it is through.
	presses(who, label, submit string, fields map[string]string)
	told(who string, words ...string)
	// readers gives everybody who can read one of the words in anything that the bot
	// wrote.
	readers(words ...string) []string
}

// atWard are the people who read the ward's places, beside comms' channel of their own.
var atWard = []string{"nina", "pete", "carol"}

// inComms are those who read comms' channel.
var inComms = []string{"carol", "chris"}

// asking is the channel in which a question needs no mention.
const asking = "in the ask channel"

// stages are the platforms and ways in which Canteen is reached, by name.
var stages = map[string]func(t *testing.T, h *hospital) stage{
	"slack by http":   newSlackStage,
	"slack by socket": newSlackStage,
	"teams":           newTeamsStage,
}

// overStages runs a test on each of them, with a Canteen of its own.
func overStages(t *testing.T, test func(t *testing.T, s stage)) {
	for _, name := range slices.Sorted(maps.Keys(stages)) {
		t.Run(name, func(t *testing.T) {
			transport := "http"
			if strings.HasSuffix(name, "socket") {
				transport = "socket"
			}
			h := newHospital(t, transport)
			test(t, stages[name](t, h))
			h.polite()
		})
	}
}

type slackStage struct {
	t    *testing.T
	h    *hospital
	last map[string]slacktest.Message // that somebody said
	seen map[string]slacktest.Message
}

var slackPeople = map[string]string{"nina": nina, "pete": pete, "carol": carol, "chris": "UCHRIS"}

func newSlackStage(t *testing.T, h *hospital) stage {
	h.slack.AddUser(slackPeople["chris"], "Chris Comms")
	h.slack.AddChannel(slackComms, "comms", h.slack.BotUser, carol, slackPeople["chris"])
	for place, id := range slackPlaces {
		h.slack.AddChannel(id, "where-"+id, h.slack.BotUser, nina, pete, carol)
		h.slack.ChangeChannel(id, func(c *slacktest.Channel) {
			c.Private = place != "in a shared channel" && place != asking
			c.Shared = place == "in a shared channel"
		})
	}
	return &slackStage{t: t, h: h, last: map[string]slacktest.Message{}, seen: map[string]slacktest.Message{}}
}

// slackPlaces are those beside the ward's open channel.
var slackPlaces = map[string]string{asking: "CASK", "in a private channel": "CSECRET", "in a group chat": "GGROUP", "in a shared channel": "CSHARED"}

func (s *slackStage) place(who, place string) string {
	switch place {
	case "privately":
		return s.h.slack.Direct(slackPeople[who])
	case "in the ward", "in a thread":
		return slackWard
	case "to comms":
		return slackComms
	}
	if id := slackPlaces[place]; id != "" {
		return id
	}
	s.t.Fatalf("Slack has no place %q", place)
	return ""
}

func (s *slackStage) says(who, place, text string, overheard bool) {
	id, thread := s.place(who, place), ""
	switch {
	case place == "to comms": // under the card that they saw
		thread = s.seen[who].TS
	case place == asking:
	case overheard:
		thread = s.last[who].TS
		if s.last[who].ThreadTS != "" {
			thread = s.last[who].ThreadTS
		}
	case place == "in a thread":
		thread = s.h.slack.Say(pete, id, "", "who is on tonight?")
	}
	if place != "privately" && !overheard {
		text = "<@" + s.h.slack.BotUser + "> " + text
	}
	s.last[who] = slacktest.Message{Channel: id, ThreadTS: thread, TS: s.h.slack.Say(slackPeople[who], id, thread, text)}
}

func (s *slackStage) threads(place string) bool { return place != "privately" }

func (s *slackStage) edits(who, text string) {
	m := s.last[who]
	if !strings.HasPrefix(m.Channel, "D") {
		text = "<@" + s.h.slack.BotUser + "> " + text
	}
	s.h.slack.Edit(slackPeople[who], m.Channel, m.TS, text)
}

func (s *slackStage) deletes(who string) { s.h.slack.Remove(s.last[who].Channel, s.last[who].TS) }

func (s *slackStage) sees(who, place string, alone bool, words ...string) {
	s.t.Helper()
	channel, user := s.place(who, place), slackPeople[who]
	for i, w := range words {
		words[i] = strings.Trim(w, "[]") // a button
	}
	fits := func(m slacktest.Message) bool {
		return m.Channel == channel && m.User == s.h.slack.BotUser && has(m.Read(), words...) && (!alone || m.Only != "" || place == "privately")
	}
	s.h.slack.Await(who+" sees "+strings.Join(words, " … "), func(m slacktest.Message) bool {
		return !m.Gone && (m.Only == "" || m.Only == user) && fits(m)
	})
	for _, m := range slices.Backward(s.h.slack.Messages(channel, user)) {
		if fits(m) {
			s.seen[who] = m
			return
		}
	}
	s.t.Errorf("%s is told %q where Slack shows it to nobody", who, words)
}

func (s *slackStage) presses(who, label, submit string, fields map[string]string) {
	s.t.Helper()
	user := slackPeople[who]
	if submit == "" {
		s.h.slack.Press(user, s.seen[who], label)
		return
	}
	before := map[string]bool{}
	for _, v := range s.h.slack.Views(user) {
		before[v.ID] = true
	}
	s.h.slack.Press(user, s.seen[who], label)
	form := s.h.slack.AwaitView(user, "modal", func(v slacktest.View) bool { return !before[v.ID] })
	if errs, _ := s.h.submit(user, form, fields); errs != nil {
		s.t.Errorf("the form stays: %v", errs)
	}
}

func (s *slackStage) told(who string, words ...string) {
	s.h.slack.AwaitView(slackPeople[who], "modal", func(v slacktest.View) bool { return has(v.Read(), words...) })
}

func (s *slackStage) readers(words ...string) []string {
	var list []string
	for _, who := range slices.Sorted(maps.Keys(slackPeople)) {
		user := slackPeople[who]
		for _, c := range s.h.slack.Channels(user) {
			if slices.ContainsFunc(s.h.slack.Messages(c, user), func(m slacktest.Message) bool {
				return m.User == s.h.slack.BotUser && has(m.Read(), words...)
			}) {
				list = append(list, who)
				break
			}
		}
	}
	return list
}

type teamsStage struct {
	t     *testing.T
	h     *hospital
	last  map[string]map[string]any // what somebody said
	seen  map[string]teamstest.Message
	after map[string]string // a press
}

var teamsPeople = map[string]teamstest.Person{"nina": nora, "pete": olu, "carol": carla, "chris": chris}

func newTeamsStage(t *testing.T, h *hospital) stage {
	return &teamsStage{t: t, h: h, last: map[string]map[string]any{}, seen: map[string]teamstest.Message{}, after: map[string]string{}}
}

var teamsPlaces = map[string]string{asking: "19:ask@thread.tacv2", "in the ward": teamsWard, "in a thread": teamsWard, "in a group chat": "19:group@unq.gbl.spaces",
	"in a private channel": "19:secret@thread.tacv2;messageid=78", "in a shared channel": "19:shared@thread.tacv2;messageid=79"}

func (s *teamsStage) place(who, place string) string {
	switch place {
	case "privately":
		return teamsPeople[who].Chat()
	case "to comms":
		return teamstest.Channel
	}
	if id := teamsPlaces[place]; id != "" {
		return id
	}
	s.t.Fatalf("Teams has no place %q", place)
	return ""
}

func (s *teamsStage) says(who, place, text string, overheard bool) {
	s.t.Helper()
	p, conversation := teamsPeople[who], s.place(who, place)
	var a map[string]any
	switch {
	case place == "privately":
		a = s.h.teams.Say(p, text)
	case place == "to comms":
		a = s.h.teams.Mention(p, s.seen[who].Conversation, text)
	case overheard:
		a = s.h.teams.Overhear(p, conversation, text)
		if place == asking { // a message that begins a thread
			a["conversation"].(map[string]any)["id"] = conversation + ";messageid=" + a["id"].(string)
		}
	default:
		a = s.h.teams.Mention(p, conversation, text)
	}
	if place == "to comms" && overheard {
		a = s.h.teams.Overhear(p, s.seen[who].Conversation, text)
	}
	if kind, ok := map[string]string{"in a private channel": "private", "in a shared channel": "shared"}[place]; ok {
		channel := a["channelData"].(map[string]any)["channel"].(map[string]any)
		channel["type"], channel["name"] = kind, "where-"+kind
	}
	s.last[who] = a
	s.h.deliver(a)
}

func (s *teamsStage) threads(place string) bool {
	return place != "privately" && place != "in a group chat"
}

func (s *teamsStage) edits(who, text string) {
	was, _ := s.last[who]["text"].(string)
	if strings.Contains(was, "<at>Canteen</at>") {
		text = "<at>Canteen</at>&nbsp;" + text
	}
	s.h.deliver(teamstest.Edit(s.last[who], text))
}

func (s *teamsStage) deletes(who string) { s.h.deliver(teamstest.Erase(s.last[who])) }

// sees: what a person alone is to read in a shared place comes to their private chat, since
// Teams shows nothing to one person among many.
func (s *teamsStage) sees(who, place string, alone bool, words ...string) {
	s.t.Helper()
	if alone {
		place = "privately"
	}
	s.seen[who] = s.h.teams.Await(s.t, s.place(who, place), words...)
}

func (s *teamsStage) presses(who, label, submit string, fields map[string]string) {
	s.t.Helper()
	m := s.seen[who]
	a := s.h.press(teamsPeople[who], m, label)
	if submit != "" {
		a = s.h.fill(teamsPeople[who], m, a, submit, fields)
	}
	s.after[who] = a.Told()
	if d := a.Dialog(); d != nil {
		s.after[who] = teamstest.Read(d)
	}
}

func (s *teamsStage) told(who string, words ...string) {
	s.t.Helper()
	if !has(s.after[who], words...) {
		s.t.Errorf("%s is told %q, wanted %q", who, s.after[who], words)
	}
}

func (s *teamsStage) readers(words ...string) []string {
	var list []string
	for _, who := range slices.Sorted(maps.Keys(teamsPeople)) {
		places := []string{teamsPeople[who].Chat()}
		if slices.Contains(atWard, who) {
			places = append(places, slices.Collect(maps.Values(teamsPlaces))...)
		}
		if slices.Contains(inComms, who) {
			places = append(places, teamstest.Channel)
		}
		if slices.ContainsFunc(places, func(p string) bool { return s.h.inTeams(p, words...) > 0 }) {
			list = append(list, who)
		}
	}
	return list
}

// play acts a scene. Each line is one of
//
//	nina: TEXT                         privately
//	nina in the ward: TEXT             calling the bot
//	nina replies in the ward: TEXT     without calling it
//	carol under the card: TEXT
//	nina edits: TEXT
//	nina deletes
//	nina sees: WORDS | WORDS           in the private chat
//	nina sees in the ward: WORDS
//	nina alone sees in the ward: WORDS where the platform can show it there
//	comms see: WORDS                   carol reads it in comms' channel
//	carol presses LABEL
//	carol presses LABEL, SUBMIT: FIELD=TEXT | FIELD=TEXT
//	carol is told: WORDS
//	nobody reads: WORDS
//	only nina, carol read: WORDS
//
// and a line that begins with # says what is going on.
func play(t *testing.T, s stage, scene string) {
	t.Helper()
	for line := range strings.Lines(scene) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		do, text, _ := strings.Cut(line, ": ")
		words := strings.Split(text, " | ")
		who, act, _ := strings.Cut(do, " ")
		if t.Failed() {
			t.Fatalf("before: %s", line)
		}
		switch place, replies := strings.CutPrefix(act, "replies "); {
		case who == "nobody":
			if list := s.readers(words...); len(list) > 0 {
				t.Errorf("%s: %v do", line, list)
			}
		case who == "only":
			want := strings.Split(strings.TrimSuffix(act, " read"), ", ")
			if list := s.readers(words...); !slices.Equal(list, slices.Sorted(slices.Values(want))) {
				t.Errorf("%s: %v do", line, list)
			}
		case who == "comms":
			s.sees("carol", "to comms", false, words...)
		case act == "":
			s.says(who, "privately", text, false)
		case act == "edits":
			s.edits(who, text)
		case act == "deletes":
			s.deletes(who)
		case act == "under the card":
			s.says(who, "to comms", text, true)
		case act == "sees":
			s.sees(who, "privately", false, words...)
		case strings.HasPrefix(act, "sees "):
			s.sees(who, strings.TrimPrefix(act, "sees "), false, words...)
		case act == "alone sees under the card":
			s.sees(who, "to comms", true, words...)
		case strings.HasPrefix(act, "alone sees "):
			s.sees(who, strings.TrimPrefix(act, "alone sees "), true, words...)
		case act == "is told":
			s.told(who, words...)
		case strings.HasPrefix(act, "presses "):
			label, submit, _ := strings.Cut(strings.TrimPrefix(act, "presses "), ", ")
			fields := map[string]string{}
			if submit != "" {
				for _, w := range words {
					k, v, _ := strings.Cut(w, "=")
					fields[k] = strings.ReplaceAll(v, `\n`, "\n")
				}
			}
			s.presses(who, label, submit, fields)
		case replies:
			s.says(who, place, text, true)
		case strings.HasPrefix(act, "in "):
			s.says(who, act, text, false)
		default:
			t.Fatalf("what is %q?", line)
		}
	}
}
