package bot

import (
	"strings"
	"time"
)

// PersonID names a person on one platform, such as "slack:T1/U2". Only the
// adapter named before the colon parses the rest.
type PersonID string

// Adapter is the part before the colon.
func (p PersonID) Adapter() string { return before(string(p), ':') }

// Place is where messages land, written "adapter:conversation#thread" with the
// thread optional. Only the adapter named before the colon parses the rest; the
// centre knows no more of it than that messages to one conversation keep their
// order.
type Place string

// Adapter is the part before the colon.
func (p Place) Adapter() string { return before(string(p), ':') }

// Lane is the conversation without its thread: what is sent to one lane keeps
// its order and shares one pace.
func (p Place) Lane() string { return before(string(p), '#') }

// Thread tells whether the place is a thread of a conversation.
func (p Place) Thread() bool { return strings.Contains(string(p), "#") }

func before(s string, sep byte) string {
	if i := strings.IndexByte(s, sep); i >= 0 {
		return s[:i]
	}
	return s
}

// Person is who sent a message. Name is what comms see once they have claimed
// the question, unless it was asked without a name; it may be empty.
type Person struct {
	ID   PersonID
	Name string
}

// Message is one thing a person said or pressed, as an adapter understood it.
type Message struct {
	// Keys are all the names under which the platform may send it again. When
	// any of them was seen before, the message is a repeat and changes nothing.
	Keys []string
	From Person
	// In is where the answer goes.
	In Place
	// Direct is where From can be written to alone. An adapter may leave it
	// empty where In is already private.
	Direct Place
	// Audience is who reads what is said in In.
	Audience Audience
	// Addressed says that the message is for the bot. The text of one that is not counts
	// only where it follows up something of From's own; anything else is neither answered
	// nor kept.
	Addressed bool
	// Asking says of a message that is not addressed that it stands in a channel in which
	// people ask: a question is answered unprompted where the answer is sure, and offered to
	// comms, to its writer alone, where it is not.
	Asking bool
	// Where is the name of the place for comms to read after a claim, such as
	// "#ward-7"; empty for a private conversation.
	Where string
	// Link leads to what was said, in a place that everybody in the organisation can read;
	// empty in any other.
	Link  string
	Text  string
	Press *Press
	At    time.Time
	// Said is the one of Keys that names the message itself: what was made of it is
	// found by it when it is edited or deleted.
	Said string
	// Change says that the message of that Said is not new.
	Change Change
	// Above is what others wrote above a message that calls the bot. It is read where
	// Text says nothing of its own, and never stored.
	Above string
	// Attached is what came with it that the bot cannot read.
	Attached []Attached
	// Under is set on what somebody wrote in the thread of a card: the platform's id of
	// the card's message in In, as Posted.ID has it.
	Under string
}

// Audience is who reads what the bot says in a place. The zero value is none of these, and
// is taken for Shared: what is for one person's eyes goes elsewhere.
type Audience string

// The audiences.
const (
	// Private: only the person reads the place.
	Private Audience = "private"
	// Shared: other people read it as well.
	Shared Audience = "shared"
	// OnlyAsker: others read the place, and what the bot says there is shown to the person
	// alone. It is never updated, and what comes later than the request goes to
	// Message.Direct, which must be set.
	OnlyAsker Audience = "only-asker"
	// InReply: the request itself carries the answer, in Reply.Posts. Only its sender sees
	// it, and nothing is queued.
	InReply Audience = "in-reply"
)

// narrow tells that the person alone reads what is said, in a place that is not theirs:
// what comes later goes to them directly.
func (a Audience) narrow() bool { return a == OnlyAsker || a == InReply }

// alone tells that what is said in the place itself is read by the person alone, and stays.
func (a Audience) alone() bool { return a == Private || a == InReply }

// Change is what became of a message.
type Change string

// The changes.
const (
	Edited  Change = "edited"  // Text is new
	Deleted Change = "deleted" // there is no Text any more
)

// Attached is a kind of thing that comes with a message and that the bot cannot read.
type Attached string

// The kinds, as comms read them.
const (
	Picture   Attached = "a picture"
	File      Attached = "a file"
	Forwarded Attached = "a forwarded message"
)

// Press is a button, a menu or a form that a person used. Everything in it comes
// from outside: Handle checks who may do what from the store alone.
type Press struct {
	Action   Action            `json:"a"`
	Question QuestionID        `json:"q,omitempty"`
	Ref      Ref               `json:"r,omitempty"`
	Entry    string            `json:"e,omitempty"`
	Fields   map[string]string `json:"f,omitempty"` // of a submitted form, by Field.Name
	// On is the platform's id of the message pressed on, as Posted.ID has it, for
	// presses that carry nothing else: a platform's own thumbs.
	On string `json:"-"`
	// Thumb says that it is a platform's own thumb, which may come with words in FieldText
	// and without On.
	Thumb bool `json:"-"`
}

// Action says what a press asks for.
type Action string

// What anybody may press. Those on an answer need Press.Question, those on an
// escalation Press.Ref; who asked is looked up, never taken from the press.
const (
	ActHelped    Action = "helped"     // the answer helped
	ActNotMeant  Action = "not-meant"  // not what I meant: offer the next best
	ActAskComms  Action = "ask-comms"  // pass it to comms
	ActChoose    Action = "choose"     // "did you mean": Press.Entry is the one
	ActNone      Action = "none"       // none of these: pass it to comms
	ActWithdraw  Action = "withdraw"   // the asker takes the question back
	ActAnonymous Action = "anonymous"  // ask without my name
	ActReply     Action = "reply"      // form: answer to what comms asked back
	ActNoHelp    Action = "no-help"    // comms' answer did not help: reopen
	ActThanks    Action = "thanks"     // comms' answer helped: close
	ActHandOff   Action = "hand-off"   // form: pass on what a private lane kept back; Press.Entry is the lane
	ActNotThis   Action = "not-this"   // the steps of a lane were shown, and it is no emergency
	ActPassOn    Action = "pass-on"    // pass the words in FieldText to comms, of which nothing was kept
	ActShow      Action = "show-entry" // show the entry Press.Entry: a related one, one from the home page
	ActGreet     Action = "greet"      // the person has just got the bot: say hello, once
)

// What members of comms may press. Each needs Press.Ref.
const (
	ActClaim    Action = "claim"
	ActGiveBack Action = "give-back"
	ActAssign   Action = "assign"      // form
	ActAnswer   Action = "answer"      // form; the first answer wins
	ActCorrect  Action = "correct"     // form: replace an answer that was sent
	ActAskBack  Action = "ask-back"    // form
	ActUseEntry Action = "use-entry"   // form
	ActReuse    Action = "reuse"       // form, filled in from the escalation whose number is in FieldFrom
	ActNotOurs  Action = "not-ours"    // form
	ActFalse    Action = "false-alarm" // an urgent one that is no emergency
	ActHarmless Action = "harmless"    // form: have the lanes learn that words are no emergency
	ActPromote  Action = "promote"     // form: add to the FAQ
	ActClose    Action = "close"       // nothing more to do
	ActSend     Action = "send"        // send FieldText, which was written under the card, as the answer
	ActKeep     Action = "keep"        // what was written under the card is not for the asker
)

// comms tells the actions that only members of comms may take.
func (a Action) comms() bool {
	switch a {
	case ActClaim, ActGiveBack, ActAssign, ActAnswer, ActAskBack, ActCorrect, ActUseEntry, ActReuse, ActNotOurs, ActFalse, ActHarmless, ActPromote, ActClose, ActSend, ActKeep:
		return true
	}
	return false
}

// Names of form fields, in Press.Fields and Field.Name.
const (
	FieldText   = "text"   // free text: an answer, a question back, a reason
	FieldEntry  = "entry"  // an entry's id
	FieldPerson = "person" // a PersonID: whom to assign to
	// FieldPersonName may come with FieldPerson: the adapter knows it.
	FieldPersonName = "person_name"
	FieldTitle      = "title"   // promote: the entry's title
	FieldAskedAs    = "askedas" // promote: one phrasing a line
	FieldTicked     = "ticked"  // promote: which of the topic's ways of asking, by number, one a line
	FieldPlace      = "place"   // promote: a new entry, or in the place of the topic
	FieldSlug       = "id"      // promote: the entry's id
	FieldSure       = "sure"    // promote: set, the entry may take questions from others
	FieldFrom       = "from"    // reuse: the number of the escalation whose answer is used
)

// Reply is what the request itself takes back: settled in the same commit as all
// else that the message caused, and the same again for a repeat.
type Reply struct {
	// Posts answer a Message whose Audience is InReply, or on the web one of which nothing
	// is kept.
	Posts []Post `json:"posts,omitempty"`
	// Notice is a sentence for the one who pressed, such as why nothing changed, or
	// for the one who wrote too much at once. An adapter shows it to them alone, or
	// drops it where it cannot.
	Notice string `json:"notice,omitempty"`
	// Aside is shown to the one who wrote and to nobody else, where they wrote if the
	// platform can, at once and by the adapter itself: it holds words of which nothing is
	// to be stored, so that it is not sent again when it gets lost.
	Aside *Post `json:"-"`
	// Errors are sentences for the fields of a form that was refused, by
	// Field.Name. The form stays open and nothing has changed.
	Errors map[string]string `json:"errors,omitempty"`
	// File is the entry that could not be written to the folder, for the presser
	// to take with them.
	File string `json:"file,omitempty"`
	// Repeat says that the message was seen before.
	Repeat bool `json:"-"`
}
