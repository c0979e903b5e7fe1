package bot

import "time"

// EntryPath is where the web pages show an entry, below the public address: its id
// follows.
const EntryPath = "/entry/"

// Kind says what a post is, for adapters that set one apart from another.
type Kind string

// The kinds of post, one golden rendering each in every adapter.
const (
	KindAnswer    Kind = "answer"    // an entry
	KindClarify   Kind = "clarify"   // did you mean
	KindHolding   Kind = "holding"   // passed to comms
	KindSignpost  Kind = "signpost"  // a lane's steps, or who to try instead
	KindSmallTalk Kind = "smalltalk" // hello
	KindNotice    Kind = "notice"    // a sentence of the bot about itself or a question's state
	KindRelay     Kind = "relay"     // comms' own words to the asker: an answer, a correction, a question back
	KindCard      Kind = "card"      // an escalation, for comms
)

// Post is one message, said in no platform's own terms. Every adapter renders
// every field that is set, in the order in which they stand here.
type Post struct {
	Kind  Kind   `json:"kind"`
	Title string `json:"title,omitempty"` // plain text
	// Text is Markdown that comms wrote: an entry's body, wording, an answer.
	// It may hold links; an adapter lets nothing in it mention anybody.
	Text string `json:"text,omitempty"`
	// Quote is a person's own words, redacted: plain text and never Markdown.
	Quote string `json:"quote,omitempty"`
	// Since is Markdown: what has changed since the source was written.
	Since   string   `json:"since,omitempty"`
	Source  string   `json:"source,omitempty"` // plain text: "NHS Employers quick guide, November 2014"
	Facts   []Fact   `json:"facts,omitempty"`  // short labelled lines of a card
	Options []Button `json:"options,omitempty"`
	Related []Button `json:"related,omitempty"`
	Buttons []Button `json:"buttons,omitempty"`
	Note    string   `json:"note,omitempty"` // Markdown, small print
	// Entry is the id of the entry shown, for the link to its page.
	Entry string `json:"entry,omitempty"`
	// Urgent marks a card that pings the channel when it is first posted.
	Urgent bool `json:"urgent,omitempty"`
}

// Fact is a labelled line. Value is plain text; Time is shown in the reader's zone
// after it when it is set.
type Fact struct {
	Label string `json:"l"`
	Value string `json:"v,omitempty"`
	// Person, when set, is who Value names: an adapter of theirs may show them by its own
	// means, which are always up to date.
	Person PersonID  `json:"p,omitempty"`
	Link   string    `json:"u,omitempty"` // an address that Value leads to
	Time   time.Time `json:"t,omitzero"`
}

// Button is something to press. Form says that pressing it opens the form that
// Bot.Form gives for the press; otherwise the press goes straight to Handle.
type Button struct {
	Label string `json:"label"`
	Press Press  `json:"press"`
	Form  bool   `json:"form,omitempty"`
	Style Style  `json:"style,omitempty"`
}

// Style is how much a button stands out.
type Style string

// Primary is the style of the button that is most likely wanted; the empty one is
// that of any other.
const Primary Style = "primary"

// Form is what a press opens: a modal, a dialog, a page. Submitting it sends a
// Message with Press and its Fields.
type Form struct {
	Title  string // at most 24 characters, Slack's limit
	Submit string // at most 24 characters
	Intro  string // Markdown
	Fields []Field
	Press  Press
}

// FieldKind says how a field is filled in.
type FieldKind string

// The kinds of field.
const (
	Line   FieldKind = "line"   // one line of text
	Area   FieldKind = "area"   // several lines
	Marked FieldKind = "marked" // several lines of Markdown, by the platform's own editor where it has one
	Search FieldKind = "search" // an entry, found by Bot.Suggest
	Pick   FieldKind = "pick"   // one of Field.Choices
	Many   FieldKind = "many"   // any of Field.Choices: their Values, one a line
	People FieldKind = "people" // a member of comms, picked by the adapter's own means or from Choices
)

// Field is one field of a form.
type Field struct {
	Name     string
	Label    string
	Hint     string
	Kind     FieldKind
	Value    string // filled in already; for Pick, Search and People the chosen Choice's Value
	Choices  []Choice
	Optional bool
	Max      int // characters
}

// Choice is one thing to pick.
type Choice struct{ Label, Value string }
