// Package bot is the conversation: what becomes of a question, and the life of one
// that a person has to answer. This is a tour of the whole of Canteen, in the order
// in which it is best read.
//
// Everything that Canteen can say is in a folder of Markdown that the
// communications team keep. Package canteen/knowledge reads it, and nothing here
// knows a sentence of its own: entries answer, and the folder's wording says the
// rest. Package canteen/knowledge/match ranks the entries for a question and says
// how sure it is, by their words and, with the sentence encoder of
// canteen/knowledge/match/encoder, by their meaning; it knows no more of them than how
// they are asked for. Package canteen/knowledge/text is the one reading of what people
// write, for all of them.
//
// An adapter (canteen/adapters/slack, teams, web) makes a [Message] of what a
// person wrote or pressed, and hands it to [Bot.Handle], which goes three steps:
//
//   - Decide. [Think] makes of the text what the folder makes of it: [Clean] and
//     [Redact] it, look for the lanes, rank it, and [Decide], a pure function, says
//     which of the bands it falls into. The rest of the turn asks what was said
//     before, who presses, and what comms have done meanwhile. Nothing is sent and
//     nothing stored on the way.
//   - Commit. All that the message causes is one [Turn], written in one transaction
//     with the message's own keys, so that a message that comes again changes
//     nothing, and one that was not written has not happened. Only then does the
//     adapter acknowledge it.
//   - Deliver. The [Outbox] leases each [Delivery] from the store, lets the adapter
//     send it, and settles it. A message that may or may not have arrived is looked
//     for before it is sent again.
//
// The files, in reading order:
//
//   - message.go, post.go, delivery.go: what comes in, what is said, where it goes
//   - bot.go, slow.go: Handle, what a Bot is made of, and how much it takes at once
//   - think.go, redact.go, decide.go: from a text to a decision
//   - escalation.go, event.go, turn.go: what is kept, and what the store has to promise
//   - talk.go: what askers say; press.go: what they press; desk.go: what comms press
//   - say.go, words.go, labels.go, card.go: what is shown to askers, and to comms
//   - form.go, home.go: reads, for what a platform has to open or draw
//   - remind.go: what nobody has answered
//   - outbox.go: delivery
//   - ask.go, counts.go, finding.go: for the command line, metrics and the doctor
//
// Package canteen/bot/store keeps it all, in SQLite or PostgreSQL by one SQL text.
// Command canteen/cmd/canteen puts the parts together. Imports run one way:
//
//	knowledge/text ← knowledge/match ← knowledge ← bot ← {bot/store, adapters/*} ← cmd
//
// The conversation's tests are plays that anybody can read, in testdata.
package bot
