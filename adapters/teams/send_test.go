package teams_test

import (
	"errors"
	"testing"

	"canteen/bot"
)

func notSent(t *testing.T, err error) *bot.NotSent {
	t.Helper()
	var not *bot.NotSent
	if !errors.As(err, &not) {
		t.Fatalf("error %v, not NotSent", err)
	}
	return not
}
