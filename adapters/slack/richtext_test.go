package slack

import (
	"encoding/json"
	"testing"
)

// What Slack's editor gives reads as it was written.
func TestMarkdownOfRichText(t *testing.T) {
	for _, c := range []struct{ rich, want string }{
		{`{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"Yes.\nSecond "},{"type":"text","text":"bold ","style":{"bold":true}},{"type":"text","text":"and both","style":{"bold":true,"italic":true}},{"type":"text","text":", struck","style":{"strike":true}}]}]}`,
			"Yes.\nSecond **bold** **_and both_**~~, struck~~"},
		{`{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"See "},{"type":"link","url":"https://nhs.uk"},{"type":"text","text":" or "},{"type":"link","url":"https://nhs.uk/a","text":"this"},{"type":"text","text":"\n"}]},{"type":"rich_text_list","style":"bullet","indent":0,"elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"one"}]},{"type":"rich_text_section","elements":[{"type":"text","text":"two"}]}]},{"type":"rich_text_list","style":"ordered","indent":1,"offset":2,"elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"deep"}]}]}]}`,
			"See <https://nhs.uk> or [this](https://nhs.uk/a)\n- one\n- two\n    3. deep"},
		{`{"type":"rich_text","elements":[{"type":"rich_text_quote","elements":[{"type":"text","text":"a\nb"}]},{"type":"rich_text_preformatted","elements":[{"type":"text","text":"x = *y*\n"}]}]}`,
			"> a\n> b\n```\nx = *y*\n```"},
		{`{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"user","user_id":"U1"},{"type":"text","text":" "},{"type":"emoji","name":"wave","unicode":"1f44b"},{"type":"emoji","name":"ours"},{"type":"broadcast","range":"here"},{"type":"text","text":"a*b","style":{"code":true}},{"type":"channel","channel_id":"C1"},{"type":"date","timestamp":1,"format":"{date}","fallback":"1 May"},{"type":"newer"}]}]}`,
			"@Nina 👋:ours:@here`a*b`a Slack channel1 May"},
		{`{}`, ""},
		{`{"type":"rich_text","elements":[{"type":"rich_text_list","elements":[{}]}]}`, "- "},
	} {
		var r richText
		if err := json.Unmarshal([]byte(c.rich), &r); err != nil {
			t.Fatal(err)
		}
		if got := r.markdown(func(string) string { return "Nina" }); got != c.want {
			t.Errorf("%s\nreads %q, want %q", c.rich, got, c.want)
		}
	}
}
