package connector

import "strings"

// threadMark joins a channel's id and its thread's first message in a conversation's id.
const threadMark = ";messageid="

// SplitThread splits the id of a conversation into the channel's (or the chat's) and the
// id of the message that its thread starts with, or "".
func SplitThread(conversation string) (channel, thread string) {
	channel, _, _ = strings.Cut(conversation, ";")
	_, thread, _ = strings.Cut(conversation, threadMark)
	return channel, thread
}

// InThread is the id of the thread that starts with a message, in the channel that a
// conversation is in.
func InThread(conversation, message string) string {
	channel, _ := SplitThread(conversation)
	return channel + threadMark + message
}

// ValidID tells whether an id can stand in a path, a place and a log: one part, without
// a special meaning.
func ValidID(s string) bool {
	if s == "" || len(s) > 1024 || s == "." || strings.Contains(s, "..") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\?#%"<>`, r) })
}
