package bot

import "time"

// Counts are what the store knows of the whole, for metrics and the desk.
type Counts struct {
	Decisions map[Decided]int64  // by decision, ever
	Feedback  map[Feedback]int64 // by what was pressed, ever
	Waiting   map[string]int64   // escalations that comms have to do with, by age: 1h, 4h, 1d, 3d, more
	Queued    int64              // deliveries that are not there yet
	Parked    int64              // deliveries that were given up
	Oldest    time.Duration      // age of the oldest queued delivery
}

// Meter is told what happens, for metrics.
type Meter interface {
	// Handled: a message of an adapter was handled; outcome is done, repeat or error.
	Handled(adapter, outcome string, took time.Duration)
	// Matched: a question was decided on from the folder.
	Matched(took time.Duration)
}

// unmetered is the Meter of who wants none.
type unmetered struct{}

func (unmetered) Handled(string, string, time.Duration) {}
func (unmetered) Matched(time.Duration)                 {}
