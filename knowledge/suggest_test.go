package knowledge

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestSuggest(t *testing.T) {
	f := fstest.MapFS{
		"faq/privacy.md": {Data: []byte("# Check your privacy settings\n\nB.\n\n## Asked as\n- who can see my posts\n")},
		"faq/tweet.md":   {Data: []byte("# Tweeting as staff\n\nB.\n\n## Asked as\n- can i tweet about privacy\n")},
		"faq/video.md":   {Data: []byte("# Videos on YouTube\n\nB.\n\n## Asked as\n- upload a film\n")},
	}
	b := load(t, f)
	for _, c := range []struct {
		text string
		n    int
		want []string
	}{
		{"privacy", 5, []string{"privacy", "tweet"}},
		{"Privacy", 1, []string{"privacy"}},
		{"prvcy set", 5, []string{"privacy"}},
		{"YOUT", 5, []string{"video", "privacy"}},
		{"", 2, []string{"privacy", "tweet"}},
		{"  ", 5, []string{"privacy", "tweet", "video"}},
		{"zzz", 5, nil},
		{"\xff\xfe", 1, []string{"privacy"}},
		{strings.Repeat("tweet ", 10000), 5, nil},
		{"tweet", 0, nil},
	} {
		var got []string
		for _, s := range b.Suggest(c.text, c.n) {
			got = append(got, s.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%.20q: %q, want %q", c.text, got, c.want)
		}
	}
}
