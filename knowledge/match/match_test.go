package match

import (
	"context"
	"testing"
)

func TestRankFindsTheDocumentAsked(t *testing.T) {
	docs := []Document{
		{ID: "twitter", Phrasings: []string{"can I tweet about work", "tweeting as staff"}, Covered: true},
		{ID: "privacy", Phrasings: []string{"who can see my posts", "privacy settings"}, Covered: true},
		{ID: "parking", Phrasings: []string{"where do I park", "car park permit"}},
	}
	ix := Build(docs, Lexicon{})
	fitted, err := ix.Fit(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, ix := range []*Index{ix, fitted} {
		for q, want := range map[string]string{
			"can i twet abuot work":   "twitter",
			"privcy setings":          "privacy",
			"is there parking for me": "parking",
		} {
			if got := ix.Rank(q, 3).Candidates; len(got) == 0 || got[0].ID != want {
				t.Errorf("fitted %v: Rank(%q) = %v, want %s first", ix.Fitted(), q, got, want)
			}
		}
	}
}
