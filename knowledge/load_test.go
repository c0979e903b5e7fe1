package knowledge

import "testing"

func TestEmbedded(t *testing.T) {
	b, err := Load(Embedded)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(len(b.Entries()), len(b.Documents()), b.Warnings())
}
