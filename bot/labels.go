package bot

// label names what a button says; whole sentences are in the folder's wording.
type label string

// On what askers read.
const (
	labelHelped         label = "helped"
	labelNotMeant       label = "not-meant"
	labelAskComms       label = "ask-comms"
	labelAskCommsAnyway label = "ask-comms-anyway"
	labelNone           label = "none"
	labelPassOn         label = "pass-on"
	labelHandOff        label = "hand-off"
	labelNotThis        label = "not-this"
	labelWithdraw       label = "withdraw"
	labelAnonymous      label = "anonymous"
	labelReply          label = "reply"
	labelThanks         label = "thanks"
	labelNoHelp         label = "no-help"
)

// On cards, and on what is offered under them.
const (
	labelClaim      label = "claim"
	labelGiveBack   label = "give-back"
	labelAssign     label = "assign"
	labelAnswer     label = "answer"
	labelAskBack    label = "ask-back"
	labelUseEntry   label = "use-entry"
	labelNotOurs    label = "not-ours"
	labelFalseAlarm label = "false-alarm"
	labelCorrect    label = "correct"
	labelPromote    label = "promote"
	labelClose      label = "close"
	labelHarmless   label = "harmless"
	labelSend       label = "send"
	labelKeep       label = "keep"
)

var labels = map[label]string{
	labelHelped:         "That helped",
	labelNotMeant:       "Not what I meant",
	labelAskComms:       "Ask comms",
	labelAskCommsAnyway: "Ask comms anyway",
	labelNone:           "None of these",
	labelPassOn:         "Ask comms",
	labelHandOff:        "Pass it on",
	labelNotThis:        "Not this",
	labelWithdraw:       "Withdraw",
	labelAnonymous:      "Ask without my name",
	labelReply:          "Reply to comms",
	labelThanks:         "That helped",
	labelNoHelp:         "That did not help",

	labelClaim:      "Claim",
	labelGiveBack:   "Give back",
	labelAssign:     "Assign",
	labelAnswer:     "Answer",
	labelAskBack:    "Ask back",
	labelUseEntry:   "Use an entry",
	labelNotOurs:    "Not for us",
	labelFalseAlarm: "False alarm",
	labelCorrect:    "Correct the answer",
	labelPromote:    "Add to the FAQ",
	labelClose:      "Close",
	labelHarmless:   "Learn from this",
	labelSend:       "Send as the answer",
	labelKeep:       "Keep among ourselves",
}

func (t *turn) label(l label) string { return labels[l] }
