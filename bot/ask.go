package bot

import (
	"fmt"
	"strings"

	"canteen/knowledge"
)

// Asked is a decision as the command line shows it.
type Asked struct {
	Question   string      `json:"question"`
	Decision   Decided     `json:"decision"`
	Entry      string      `json:"entry"`
	Options    []string    `json:"options"`
	Lane       string      `json:"lane"`
	Act        string      `json:"act"` // what a text about the conversation itself does
	Confidence float64     `json:"confidence"`
	Covered    float64     `json:"covered"`
	Candidates []Candidate `json:"candidates"`
	Text       string      `json:"text"`
}

// Candidate is an entry that a question may be about.
type Candidate struct {
	Entry      string   `json:"entry"`
	Route      string   `json:"route"`
	Confidence float64  `json:"confidence"`
	Facts      []string `json:"facts"`
}

// Report says of a thought what CONTRACT.md promises for one question. Nothing in
// it depends on any conversation.
func (t Thought) Report(base *knowledge.Base, question string) Asked {
	a := Asked{Question: question, Decision: t.Decision.decision(), Options: []string{}, Candidates: []Candidate{}, Covered: t.Found.Covered}
	if e := t.Entry(); e != nil {
		a.Entry, a.Lane = e.ID, e.Lane()
	}
	add := func(id string, confidence float64) {
		e, ok := base.Entry(id)
		if !ok || len(a.Candidates) == maxCandidates {
			return
		}
		facts := e.Facts
		if facts == nil {
			facts = []string{}
		}
		a.Candidates = append(a.Candidates, Candidate{Entry: e.ID, Route: string(e.Route), Confidence: confidence, Facts: facts})
	}
	switch {
	case t.Cue != "": // a cue is certain
		add(a.Entry, 1)
		a.Covered = 0
	case a.Lane != "":
		add(a.Entry, t.Found.Alarm)
	}
	for _, c := range t.Found.Candidates {
		add(c.ID, c.Confidence)
	}
	if len(a.Candidates) > 0 {
		a.Confidence = a.Candidates[0].Confidence
	}
	switch d := t.Decision.(type) {
	case Language:
		a.Act, a.Candidates, a.Confidence, a.Covered = "language", []Candidate{}, 0, 0
	case Clarify:
		a.Options = ids(d.Options)
	case Likely:
		a.Options = append(a.Options, ids(d.Options)...)
	}
	a.Text = t.read(base)
	return a
}

// read is what the person would read, in Markdown, without buttons.
func (t Thought) read(base *knowledge.Base) string {
	switch d := t.Decision.(type) {
	case Answer:
		return readAnswer(d.Entry, "")
	case Likely:
		return readAnswer(d.Entry, base.Wording(WordLikely, nil))
	case Clarify:
		var titles []string
		for _, e := range d.Options {
			titles = append(titles, "- "+e.Title)
		}
		return join(base.Wording(WordClarify, nil), strings.Join(append(titles, "- "+labels[labelNone]), "\n"))
	case Signpost:
		return join(d.Entry.Title, d.Entry.Body)
	case SmallTalk:
		return d.Entry.Body
	case Escalate:
		if d.Topic != nil {
			return join(d.Topic.Title, d.Topic.Body)
		}
		return base.Wording(WordPassedOn, nil)
	case Language:
		return d.read(base)
	case Unread:
		return base.Wording(d.Wording, nil)
	}
	return ""
}

// read says that only English is read, first in the language of the text where comms have
// had that translated.
func (d Language) read(base *knowledge.Base) string {
	return join(base.Translation(d.Code), base.Wording(WordLanguage, nil))
}

// readAnswer is an entry as a person would read it, below its title a sentence about it.
func readAnswer(e *knowledge.Entry, about string) string {
	since := ""
	if e.Since != "" {
		since = "Since then: " + e.Since
	}
	source := SourceName(e.Source)
	if source != "" {
		source = "Source: " + source
	}
	return join(e.Title, about, e.Body, since, source)
}

// Question is what a thought leaves for the text that follows it, as in a direct
// message: what was asked, and what was offered.
func (t Thought) Question() *Question {
	q := &Question{Text: t.Text, Candidates: t.Found.Candidates}
	switch d := t.Decision.(type) {
	case Clarify:
		q.Options = ids(d.Options)
	case Likely:
		q.Options = ids(d.Options)
	}
	return q
}

// Why says in plain lines why a thought was decided as it was, for whoever looks
// after the folder.
func (t Thought) Why(base *knowledge.Base, p Policy) string {
	var b strings.Builder
	if len(t.Removed) > 0 {
		fmt.Fprintf(&b, "taken out: %s\n", strings.Join(t.Removed, ", "))
	}
	if u, ok := t.Decision.(Unread); ok {
		fmt.Fprintf(&b, "not read as a question: %s", u.Wording)
		return b.String()
	}
	b.WriteString(t.index.Explain(t.Text, maxCandidates).String())
	switch d := t.Decision.(type) {
	case Signpost:
		if t.Cue != "" {
			fmt.Fprintf(&b, "\n→ signpost %s: it meets the cue %q", d.Entry.ID, limit(t.Cue, 80))
			return b.String()
		}
		fmt.Fprintf(&b, "\n→ signpost %s", d.Entry.ID)
		if d.Entry.Lane() != "" {
			fmt.Fprintf(&b, ": the probability of an emergency is %.2f, and %.2f is enough; that of the asker's own crisis enough is %.2f", t.Found.Alarm, p.Lane, p.Own)
		}
	case Answer:
		fmt.Fprintf(&b, "\n→ answer %s: its confidence reaches %.2f", d.Entry.ID, p.Answer)
	case Likely:
		fmt.Fprintf(&b, "\n→ likely %s: its confidence reaches %.2f and not %.2f", d.Entry.ID, p.Likely, p.Answer)
	case Clarify:
		fmt.Fprintf(&b, "\n→ clarify: no candidate reaches %.2f, and covered reaches %.2f", p.Likely, p.Covered)
	case Language:
		fmt.Fprintf(&b, "\n→ act language: it is not in English (%s)", d.Code)
	case SmallTalk:
		fmt.Fprintf(&b, "\n→ smalltalk %s", d.Entry.ID)
	case Escalate:
		switch {
		case d.Topic != nil:
			fmt.Fprintf(&b, "\n→ escalate, topic %s: what is nearest is for comms", d.Topic.ID)
		default:
			fmt.Fprintf(&b, "\n→ escalate: covered is below %.2f, or there is no answer to offer", p.Covered)
		}
	}
	return b.String()
}
