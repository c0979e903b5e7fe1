package bot

import "strings"

// Event is what a step in an escalation's life was. Its value is stored.
type Event string

// What the asker does, or what is done for them.
const (
	EventOpened    Event = "opened"
	EventAdded     Event = "added"
	EventReplied   Event = "replied"
	EventEdited    Event = "edited"
	EventAnonymous Event = "anonymous"
	EventReopened  Event = "reopened"
	EventWithdrawn Event = "withdrawn"
	EventDeleted   Event = "deleted"
	EventNotThis   Event = "not-this" // of an emergency that is none
)

// What comms do.
const (
	EventClaimed    Event = "claimed"
	EventGivenBack  Event = "given-back"
	EventAssigned   Event = "assigned" // Step.Text is to whom
	EventAskedBack  Event = "asked-back"
	EventAnswered   Event = "answered"
	EventCorrected  Event = "corrected"
	EventNotOurs    Event = "not-ours"
	EventFalseAlarm Event = "false-alarm"
	EventClosed     Event = "closed"   // by the asker's thanks, too
	EventPromoted   Event = "promoted" // Step.Text is the entry
	EventLearnt     Event = "learnt"
)

// What the bot does of itself.
const (
	EventOffered     Event = "offered"  // Step.Text is the entry
	EventReminded    Event = "reminded" // Step.Text is the limit
	EventUndelivered Event = "undelivered"
)

// eventNames are the steps as comms read them in a history, before Step.Text.
var eventNames = map[Event]string{
	EventOpened:    "Opened",
	EventAdded:     "The asker added",
	EventReplied:   "The asker replied",
	EventEdited:    "Edited",
	EventAnonymous: "To be answered without the asker’s name",
	EventReopened:  "Reopened",
	EventWithdrawn: "Withdrawn by the asker",
	EventDeleted:   "Deleted",
	EventNotThis:   "Not this",

	EventClaimed:    "Claimed",
	EventGivenBack:  "Given back",
	EventAssigned:   "Assigned to",
	EventAskedBack:  "Asked back",
	EventAnswered:   "Answered",
	EventCorrected:  "Corrected",
	EventNotOurs:    "Not for us",
	EventFalseAlarm: "False alarm",
	EventClosed:     "Closed",
	EventPromoted:   "Added to the FAQ as",
	EventLearnt:     "Learnt",

	EventOffered:     "The asker was offered",
	EventReminded:    "Reminded",
	EventUndelivered: "Undelivered",
}

// Name is the event as people read it. One that a newer version has stored is read as it
// stands.
func (e Event) Name() string {
	if name, ok := eventNames[e]; ok {
		return name
	}
	return upperFirst(strings.ReplaceAll(string(e), "-", " "))
}

// endings are what the card of a closed escalation says of its last step, where that is
// more than that it is closed.
var endings = map[Event]string{
	EventWithdrawn:  "Withdrawn by the asker",
	EventDeleted:    "Deleted by the asker",
	EventNotOurs:    "Not for us",
	EventNotThis:    "False alarm: the asker says that it is no emergency",
	EventFalseAlarm: "False alarm",
	EventLearnt:     "False alarm, and a line for the lanes to learn from",
}
