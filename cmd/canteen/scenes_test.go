package main

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// TestScenes acts each scene of testdata/scenes on every platform.
func TestScenes(t *testing.T) {
	a, err := txtar.ParseFile("testdata/scenes/asking.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		t.Run(strings.ReplaceAll(f.Name, " ", "-"), func(t *testing.T) {
			overStages(t, func(t *testing.T, s stage) { play(t, s, string(f.Data)) })
		})
	}
}

// No person's words, and nothing that is for one person, is read by anybody else: each
// kind of message in each kind of place, on every platform, as the platforms showed it.
func TestWhoReadsWhat(t *testing.T) {
	const tiktok = "what are the rules on filming a tiktok dance in the staff room"
	for _, place := range []string{"privately", "in the ward", "in a thread", "in a private channel", "in a group chat", "in a shared channel"} {
		t.Run(strings.ReplaceAll(place, " ", "-"), func(t *testing.T) {
			overStages(t, func(t *testing.T, s stage) {
				here, named := atWard, false
				if place == "privately" {
					here = []string{"nina"}
				}
				for _, c := range []struct {
					what, says string
					overheard  bool
					sees       []string // what she reads
					alone      bool
					comms      []string // what comms read
				}{
					{"small talk", "hello", false, []string{"Ask me a question"}, false, nil},
					{"an answer", "can I tweet about work", false, []string{"Staff tweeting", "Source:"}, false, nil},
					{"an offer in a thread", "and can our ward start a podcast", true, []string{"Shall I ask"}, true, nil},
					{"did you mean", "facebook page", false, []string{"Did you mean"}, false, nil},
					{"a receipt", tiktok, false, []string{"C-1", "TikTok"}, false, []string{"C-1 · waiting", tiktok}},
					{"a private lane", "I want to die", false, []string{"Help for you right now"}, true, nil},
				} {
					if c.overheard && !s.threads(place) || c.what == "small talk" && place == "in a thread" {
						continue // everything there is for the bot; what is said above is read instead
					}
					s.says("nina", place, c.says, c.overheard)
					where, readers := place, here
					if c.alone {
						readers = []string{"nina"}
					}
					if c.alone && !c.overheard {
						where = "privately"
					}
					s.sees("nina", where, c.alone, c.sees...)
					if c.comms != nil {
						s.sees("carol", "to comms", false, c.comms...)
						if got := s.readers(c.comms...); !slices.Equal(got, slices.Sorted(slices.Values(inComms))) {
							t.Errorf("%s, the card: %v read it", c.what, got)
						}
						s.presses("carol", "Claim", "", nil)
						s.sees("carol", "to comms", false, "C-1 · claimed")
						named = len(s.readers("C-1 · claimed", "where-")) > 0
						readers = slices.Clone(readers)
					}
					if got := s.readers(c.sees...); !slices.Equal(got, slices.Sorted(slices.Values(readers))) && c.comms == nil {
						t.Errorf("%s: %v read it, wanted %v", c.what, got, readers)
					}
				}
				if got := s.readers("want to die"); len(got) > 0 {
					t.Errorf("%v read what is private", got)
				}
				if closed := place == "in a private channel" || place == "in a group chat"; closed && named {
					t.Error("comms read the name of a place that is closed to them")
				}
			})
		})
	}
}
