package knowledge

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Format returns the file of an entry. It is read back as the same entry, except that
// outer spaces and control characters go, and that lines of the text that would be read as
// headings get a backslash, which Markdown does not show.
func Format(e Entry) []byte {
	return format(e, slugTitle)
}

func format(e Entry, title func(id string) string) []byte {
	var b bytes.Buffer
	var fm []string
	if len(e.Facts) > 0 {
		fm = append(fm, "facts: ["+strings.Join(mapSlice(e.Facts, yamlItem), ", ")+"]")
	}
	if s := oneLine(e.Source); s != "" {
		fm = append(fm, "source: "+yamlText(s))
	}
	if !e.ReviewBy.IsZero() {
		fm = append(fm, "review_by: "+e.ReviewBy.Format(time.DateOnly))
	}
	if e.Route != Answered {
		fm = append(fm, "route: "+yamlText(string(e.Route)))
	}
	if e.Handoff {
		fm = append(fm, "handoff: true")
	}
	if e.Retired {
		fm = append(fm, "retired: true")
	}
	if len(fm) > 0 {
		fmt.Fprintf(&b, "---\n%s\n---\n", strings.Join(fm, "\n"))
	}
	fmt.Fprintf(&b, "# %s\n", closing.ReplaceAllString(oneLine(e.Title), ""))
	if t := textBlock(e.Body); t != "" {
		fmt.Fprintf(&b, "\n%s\n", t)
	}
	if t := textBlock(e.Since); t != "" {
		fmt.Fprintf(&b, "\n## %s\n%s\n", secSince, t)
	}
	bullets := func(name string, items []string) {
		items = slices.DeleteFunc(mapSlice(items, oneLine), func(s string) bool { return s == "" })
		if len(items) > 0 {
			fmt.Fprintf(&b, "\n## %s\n", name)
		}
		for _, i := range items {
			fmt.Fprintf(&b, "- %s\n", i)
		}
	}
	bullets(secAsked, e.Phrasings)
	bullets(secSee, mapSlice(e.SeeAlso, func(id string) string {
		up := strings.Repeat("../", strings.Count(e.ID, "/"))
		return fmt.Sprintf("[%s](%s%s.md)", title(id), up, id)
	}))
	return b.Bytes()
}

var closing = regexp.MustCompile(`(^| )#+$`) // Markdown drops these from a heading

var plainYAML = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*([ .()'/-]+[A-Za-z0-9()]+|, [A-Za-z0-9()]+)*$`)

// yamlText quotes whatever YAML could read as anything but this text. Go's
// quoting is a subset of YAML's.
func yamlText(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n":
		return strconv.Quote(s)
	}
	if plainYAML.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}

// yamlItem is yamlText within [ ].
func yamlItem(s string) string {
	if strings.Contains(s, ",") {
		return strconv.Quote(s)
	}
	return yamlText(s)
}

func textBlock(s string) string {
	lines := strings.Split(strings.ReplaceAll(clean(s), "\r\n", "\n"), "\n")
	for i, l := range lines {
		if _, _, ok := heading(l); ok {
			hash := strings.IndexByte(l, '#')
			lines[i] = l[:hash] + `\` + l[hash:]
		}
	}
	t, _ := trimBlank(lines)
	return t
}
