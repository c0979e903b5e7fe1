package bot

import "canteen/knowledge"

// Word names one of the bot's own messages: the file of knowledge/wording that says it.
type Word = knowledge.Word

// Of the bot itself, wherever it is.
const (
	WordGreeting     Word = "greeting"
	WordFirstContact Word = "first-contact"
	WordUrgentHelp   Word = "urgent-help"
	WordLanguage     Word = "language"
	WordForStaff     Word = "for-staff"
	WordPrivacy      Word = "privacy"
	WordTerms        Word = "terms"
	WordSlackHome    Word = "slack-home"
	WordEraseConfirm Word = "erase-confirm"
	WordErased       Word = "erased"
)

// Why nothing was made of a message, or not of all of it.
const (
	WordEmpty        Word = "empty"
	WordTooLong      Word = "too-long"
	WordWordless     Word = "wordless"
	WordCannotSee    Word = "cannot-see"
	WordCannotSeeToo Word = "cannot-see-too"
	WordRemoved      Word = "removed"
	WordSlowDown     Word = "slow-down"
	WordBusy         Word = "busy"
	WordNotSaved     Word = "not-saved"
)

// What the folder answers.
const (
	WordLikely       Word = "likely"
	WordClarify      Word = "clarify"
	WordNotMeant     Word = "not-meant"
	WordNotMeantNone Word = "not-meant-none"
	WordNotCovered   Word = "not-covered"
	WordHelped       Word = "helped"
	WordPassedOn     Word = "passed-on"
)

// What is not passed on without a press, and what was written above a mention.
const (
	WordPrivateNote       Word = "private-note"
	WordQuiet             Word = "quiet"
	WordSayAnotherWay     Word = "say-another-way"
	WordShallIAsk         Word = "shall-i-ask"
	WordAskedAbove        Word = "asked-above"
	WordCannotAnswerAbove Word = "cannot-answer-above"
)

// What an asker reads of a question that comms have.
const (
	WordHolding       Word = "holding"
	WordHoldingTopic  Word = "holding-topic"
	WordUrgentNote    Word = "urgent-note"
	WordUrgentUnseen  Word = "urgent-unseen"
	WordNotPassedOn   Word = "not-passed-on"
	WordOutOfHours    Word = "out-of-hours"
	WordMeasured      Word = "measured"
	WordAnonymous     Word = "anonymous"
	WordAnonymousOpen Word = "anonymous-open"
	WordAnonymousLate Word = "anonymous-late"
	WordOpenChannel   Word = "open-channel"
	WordAlready       Word = "already"
	WordAdded         Word = "added"
	WordReplied       Word = "replied"
	WordReopened      Word = "reopened"
	WordWithdrawn     Word = "withdrawn"
	WordAlarmEnded    Word = "alarm-ended"
	WordTooLate       Word = "too-late"
	WordWaitingForYou Word = "waiting-for-you"
	WordDealtWith     Word = "dealt-with"
	WordOffer         Word = "offer"
)

// What goes with comms' own words to an asker.
const (
	WordRelayAnswer     Word = "relay-answer"
	WordRelayCorrection Word = "relay-correction"
	WordRelayEntry      Word = "relay-entry"
	WordRelayFalseAlarm Word = "relay-false-alarm"
	WordRelayNotOurs    Word = "relay-not-ours"
	WordRelayQuestion   Word = "relay-question"
	WordFalseAlarm      Word = "false-alarm"
)

// What comms read when they press, or write under a card.
const (
	WordClaimedAlready  Word = "claimed-already"
	WordAnsweredAlready Word = "answered-already"
	WordDoneAlready     Word = "done-already"
	WordNotAnswered     Word = "not-answered"
	WordUnderCard       Word = "under-card"
	WordUnderCardLong   Word = "under-card-long"
	WordSent            Word = "sent"
	WordKeptAmongComms  Word = "kept-among-comms"
	WordLearnt          Word = "learnt"
	WordPromoted        Word = "promoted"
)

// What comms are told unasked.
const (
	WordRemindUnclaimed  Word = "remind-unclaimed"
	WordRemindUnanswered Word = "remind-unanswered"
	WordRemindUrgent     Word = "remind-urgent"
	WordRemindOnCall     Word = "remind-on-call"
	WordUndelivered      Word = "undelivered"
	WordFeedback         Word = "feedback"
	WordFolderProblems   Word = "folder-problems"
)

// Above the fields of a form.
const (
	WordFormAsk          Word = "form-ask"
	WordFormQuestion     Word = "form-question"
	WordFormReply        Word = "form-reply"
	WordFormHandOff      Word = "form-hand-off"
	WordFormHarmless     Word = "form-harmless"
	WordFormPromote      Word = "form-promote"
	WordFormPromoteNear  Word = "form-promote-near"
	WordFormPromoteTopic Word = "form-promote-topic"
)

// What is wrong with a field of a form.
const (
	WordFieldEmpty       Word = "field-empty"
	WordFieldEntry       Word = "field-entry"
	WordFieldID          Word = "field-id"
	WordFieldIdentifiers Word = "field-identifiers"
	WordFieldLong        Word = "field-long"
	WordFieldPhrasing    Word = "field-phrasing"
	WordFieldProblems    Word = "field-problems"
	WordFieldTaken       Word = "field-taken"
	WordFieldTakes       Word = "field-takes"
	WordNotAMember       Word = "not-a-member"
	WordReadOnly         Word = "read-only"
)

// What became of a press, and of a message as it is sent.
const (
	WordDone           Word = "done"
	WordSaving         Word = "saving"
	WordExpired        Word = "expired"
	WordForbidden      Word = "forbidden"
	WordForbiddenComms Word = "forbidden-comms"
	WordNotShared      Word = "not-shared"
	WordMaybeRepeat    Word = "maybe-repeat"
	WordCut            Word = "cut"
)
