package bot

import (
	"testing"
	"time"
)

// A platform may be down for an afternoon before anything is given up.
func TestBackoff(t *testing.T) {
	var all time.Duration
	for attempt := 1; attempt < maxAttempts; attempt++ {
		wait := backoff(attempt)
		if least := min(firstWait<<(attempt-1), longestWait); wait < least || wait > least+least/4 {
			t.Errorf("after attempt %d: %v", attempt, wait)
		}
		all += wait
	}
	if all < 210*time.Minute || all > 300*time.Minute {
		t.Errorf("given up after %v", all)
	}
	if leaseTime <= 2*sendTimeout+10*time.Second {
		t.Error("a lease ends before reading back, sending and settling may have")
	}
}
