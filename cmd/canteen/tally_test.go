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

// counter ties every message to the question that it belongs to.
type counter struct {
	tally
	byToken         map[string]*asked
	byWhere         map[string][]*asked
	byRef           map[string]*asked
	cards           map[string]int // by channel and token
	replies, relays map[*asked]int
	at              map[*asked]int // the place of the first reply among all posts
}

func (f *faults) count() tally {
	c := counter{
		byToken: map[string]*asked{}, byWhere: map[string][]*asked{}, byRef: map[string]*asked{}, cards: map[string]int{},
		replies: map[*asked]int{}, relays: map[*asked]int{}, at: map[*asked]int{},
	}
	for _, t := range f.talks {
		for _, q := range t.asked {
			c.byWhere[q.where] = append(c.byWhere[q.where], q)
			if q.token != "" {
				c.byToken[q.token] = q
			}
		}
	}
	posts := f.posted()
	c.posts = len(posts)
	for _, p := range posts { // first: the cards say which reference is whose
		if toComms(p) {
			c.card(p)
		}
	}
	for i, p := range posts {
		if !toComms(p) {
			c.reply(i, p)
		}
	}
	for _, t := range f.talks {
		c.talk(t)
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
	return c.tally
}

func toComms(p shown) bool { return p.where == commsSlack || p.where == teamstest.Channel }

func (c *counter) note(n *int, format string, args ...any) {
	*n++
	c.why = append(c.why, fmt.Sprintf(format, args...))
}

func (c *counter) double(p shown, what string) {
	switch {
	case p.teams:
		c.note(&c.doubledTeams, "doubled in Teams: %s in %s", what, p.where)
	case p.alone:
		c.note(&c.doubledAlone, "doubled for one person: %s in %s", what, p.where)
	default:
		c.note(&c.doubled, "doubled: %s in %s, delivery %s: %.200q", what, p.where, p.key, p.text)
	}
}

// card counts a card in a comms channel.
func (c *counter) card(p shown) {
	token := tokens.FindString(p.text)
	q := c.byToken[token]
	if q == nil {
		if token != "" || references.MatchString(p.title) {
			c.note(&c.wrong, "a card for nobody: %.200q", p.text)
		}
		return
	}
	ref := references.FindString(p.title)
	if was := c.byRef[ref]; was != nil && was != q {
		c.note(&c.wrong, "%s is of two questions: %.200q", ref, p.text)
	}
	c.byRef[ref] = q
	key := p.where + token
	if c.cards[key]++; c.cards[key] > 1 {
		c.double(p, "card of "+token)
	}
}

// reply counts a message to somebody who asked, the i-th of all.
func (c *counter) reply(i int, p shown) {
	here := c.byWhere[p.where]
	var q *asked
	n := c.replies
	switch token, ref := tokens.FindString(p.text), references.FindString(p.text); {
	case token != "":
		q, n = c.byToken[token], c.relays
	case ref != "":
		if q = c.byRef[ref]; q == nil { // its card is on its way
			return
		}
	default:
		if j := slices.IndexFunc(here, func(q *asked) bool { return q.title != "" && q.title == p.title }); j >= 0 {
			q = here[j]
		} else if j := slices.IndexFunc(here, func(q *asked) bool { return q.title != "" && strings.Contains("\n"+p.text+"\n", "\n"+q.title+"\n") }); j >= 0 {
			q = here[j]
		}
	}
	if q == nil || q.where != p.where {
		c.note(&c.wrong, "not for %s: %.200q", p.where, p.text)
		return
	}
	if n[q]++; n[q] > 1 {
		c.double(p, fmt.Sprintf("reply to %q", q.text))
		return
	}
	if _, ok := c.at[q]; !ok {
		if tokens.MatchString(p.text) {
			c.note(&c.disorder, "comms' answer before the promise of one: %q", q.text)
		}
		c.at[q] = i
	}
}

// talk counts what one conversation lacks, and what came in the wrong order.
func (c *counter) talk(t *talk) {
	last, before := -1, ""
	for _, q := range t.asked {
		if c.replies[q] == 0 {
			c.note(&c.lost, "lost: the reply to %q in %s, acknowledged %v", q.text, q.where, q.acked.Load())
			continue
		}
		// One asked again has another place in the order, and what the request
		// itself answers stands in no queue.
		if !q.again.Load() && t.way != inShort {
			if c.at[q] < last {
				c.note(&c.disorder, "out of order in %s: %q came before %q", q.where, q.text, before)
			}
			last, before = c.at[q], q.text
		}
		if q.token == "" {
			continue
		}
		if c.passed++; c.relays[q] > 0 {
			c.answered++
		}
		for _, where := range []string{commsSlack, teamstest.Channel} {
			if c.cards[where+q.token] == 0 {
				c.note(&c.lost, "lost: the card in %s of %q", where, q.text)
			}
		}
		if q.reply && c.relays[q] == 0 {
			c.note(&c.lost, "lost: comms' answer to %q in %s, sent %v", q.text, q.where, q.done.Load())
		}
	}
}
