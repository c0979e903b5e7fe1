//go:build unix

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"canteen/adapters/teams/teamstest"
)

// tally is what has become of the questions, as the platforms show it.
type tally struct {
	posts, passed, answered             int
	lost, wrong, disorder               int
	doubled, doubledAlone, doubledTeams int
	why                                 []string
}

var (
	tokens     = regexp.MustCompile(`\bzq[bcdfghjklmnprstvw]{6}\b`)
	references = regexp.MustCompile(`\bC-\d+\b`)
)

// shown is one message of the bot's.
type shown struct {
	where, key, title, text string
	teams, alone            bool
}

// posted gives every message that the bot has sent, in the order of each place.
func (f *faults) posted() []shown {
	var list []shown
	for _, m := range f.slack.All() {
		x := shown{where: m.Channel, key: m.Key, text: m.Read(), alone: m.Only != ""}
		if m.Gone || m.User != f.slack.BotUser || m.Channel == commsSlack && m.Only != "" { // told to press again
			continue
		}
		switch {
		case m.Only != "":
			x.where += "!" + m.Only
		case m.ThreadTS != "":
			x.where += "#" + m.ThreadTS
		}
		x.title, _, _ = strings.Cut(x.text, "\n")
		list = append(list, x)
	}
	where := map[string]bool{teamstest.Channel: true}
	for _, t := range f.talks {
		if t.way == inChat || t.way == inChannel {
			where[t.channel] = true
		}
	}
	for conversation := range where {
		for _, m := range f.teams.Messages(conversation) {
			x := shown{where: m.Conversation, text: m.Text(), teams: true}
			x.title, _, _ = strings.Cut(x.text, "\n")
			if conversation == teamstest.Channel {
				x.where = conversation
			}
			list = append(list, x)
		}
	}
	return list
}

// count ties every message to the question that it belongs to.
func (f *faults) count() tally {
	var c tally
	note := func(n *int, format string, args ...any) {
		*n++
		c.why = append(c.why, fmt.Sprintf(format, args...))
	}
	double := func(p shown, what string) {
		switch {
		case p.teams:
			note(&c.doubledTeams, "doubled in Teams: %s in %s", what, p.where)
		case p.alone:
			note(&c.doubledAlone, "doubled for one person: %s in %s", what, p.where)
		default:
			note(&c.doubled, "doubled: %s in %s, delivery %s: %.200q", what, p.where, p.key, p.text)
		}
	}
	byToken, byWhere := map[string]*asked{}, map[string][]*asked{}
	for _, t := range f.talks {
		for _, q := range t.asked {
			byWhere[q.where] = append(byWhere[q.where], q)
			if q.token != "" {
				byToken[q.token] = q
			}
		}
	}
	posts := f.posted()
	c.posts = len(posts)
	comms := func(p shown) bool { return p.where == commsSlack || p.where == teamstest.Channel }

	// The cards say which reference is whose.
	byRef, cards := map[string]*asked{}, map[string]int{}
	for _, p := range posts {
		if !comms(p) {
			continue
		}
		token := tokens.FindString(p.text)
		q := byToken[token]
		if q == nil {
			if token != "" || references.MatchString(p.title) {
				note(&c.wrong, "a card for nobody: %.200q", p.text)
			}
			continue
		}
		ref := references.FindString(p.title)
		if was := byRef[ref]; was != nil && was != q {
			note(&c.wrong, "%s is of two questions: %.200q", ref, p.text)
		}
		byRef[ref] = q
		key := p.where + token
		if cards[key]++; cards[key] > 1 {
			double(p, "card of "+token)
		}
	}

	replies, relays, at := map[*asked]int{}, map[*asked]int{}, map[*asked]int{}
	for i, p := range posts {
		if comms(p) {
			continue
		}
		here := byWhere[p.where]
		var q *asked
		n := replies
		switch token, ref := tokens.FindString(p.text), references.FindString(p.text); {
		case token != "":
			q, n = byToken[token], relays
		case ref != "":
			if q = byRef[ref]; q == nil { // its card is on its way
				continue
			}
		default:
			if j := slices.IndexFunc(here, func(q *asked) bool { return q.title != "" && q.title == p.title }); j >= 0 {
				q = here[j]
			} else if j := slices.IndexFunc(here, func(q *asked) bool { return q.title != "" && strings.Contains("\n"+p.text+"\n", "\n"+q.title+"\n") }); j >= 0 {
				q = here[j]
			}
		}
		if q == nil || q.where != p.where {
			note(&c.wrong, "not for %s: %.200q", p.where, p.text)
			continue
		}
		if n[q]++; n[q] > 1 {
			double(p, fmt.Sprintf("reply to %q", q.text))
			continue
		}
		if _, ok := at[q]; !ok {
			if tokens.MatchString(p.text) {
				note(&c.disorder, "comms' answer before the promise of one: %q", q.text)
			}
			at[q] = i
		}
	}
	for _, t := range f.talks {
		last, before := -1, ""
		for _, q := range t.asked {
			if replies[q] == 0 {
				note(&c.lost, "lost: the reply to %q in %s, acknowledged %v", q.text, q.where, q.acked.Load())
				continue
			}
			// One asked again has another place in the order, and what the request
			// itself answers stands in no queue.
			if !q.again.Load() && t.way != inShort {
				if at[q] < last {
					note(&c.disorder, "out of order in %s: %q came before %q", q.where, q.text, before)
				}
				last, before = at[q], q.text
			}
			if q.token == "" {
				continue
			}
			if c.passed++; relays[q] > 0 {
				c.answered++
			}
			for _, where := range []string{commsSlack, teamstest.Channel} {
				if cards[where+q.token] == 0 {
					note(&c.lost, "lost: the card in %s of %q", where, q.text)
				}
			}
			if q.reply && relays[q] == 0 {
				note(&c.lost, "lost: comms' answer to %q in %s, sent %v", q.text, q.where, q.done.Load())
			}
		}
	}
	// What must not be comes first.
	slices.SortStableFunc(c.why, func(a, b string) int {
		allowed := func(s string) int {
			if strings.HasPrefix(s, "doubled in Teams") || strings.HasPrefix(s, "doubled for one") {
				return 1
			}
			return 0
		}
		return allowed(a) - allowed(b)
	})
	return c
}
