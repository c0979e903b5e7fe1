package main

import (
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
