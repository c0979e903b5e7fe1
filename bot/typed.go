package bot

import (
	"regexp"
	"strings"
)

var (
	bullet  = regexp.MustCompile(`^(\s*)[•◦▪‣·–]\s+`)
	ordered = regexp.MustCompile(`^\s*\d+[.)]\s`)
	// address is one up to what ends a sentence.
	address = regexp.MustCompile(`https?://[^\s<>()]*[^\s<>().,;:!?'"]`)
)

// asMarkdown makes Markdown of what a person typed into a box: Markdown as it is, with
// its lines kept as lines, bullets of any sort as a list, and bare addresses as links.
func asMarkdown(s string) string {
	lines := strings.Split(s, "\n")
	fenced := false
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		}
		if fenced {
			continue
		}
		line = strings.TrimRight(bullet.ReplaceAllString(line, "$1- "), " \t")
		line = linked(line)
		if i+1 < len(lines) {
			next := bullet.ReplaceAllString(lines[i+1], "- ")
			switch {
			case !keepsLine(next):
			case keepsLine(line):
				line += "  " // a break that Markdown keeps
			case listed(line) && !strings.HasPrefix(next, " "):
				line += "\n" // or it would go on with the item
			}
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}

// linked makes links of a line's bare addresses: not of those in a link of Markdown's.
func linked(line string) string {
	var b strings.Builder
	from := 0
	for _, at := range address.FindAllStringIndex(line, -1) {
		before := line[:at[0]]
		if before != "" && !strings.HasSuffix(before, " ") && (!strings.HasSuffix(before, "(") || strings.HasSuffix(before, "](")) {
			continue
		}
		b.WriteString(line[from:at[0]] + "<" + line[at[0]:at[1]] + ">")
		from = at[1]
	}
	return b.String() + line[from:]
}

// listed tells a line that begins an item of a list.
func listed(line string) bool {
	s := strings.TrimSpace(line)
	return strings.HasPrefix(s, "- ") || strings.HasPrefix(s, "* ") || strings.HasPrefix(s, "+ ") || ordered.MatchString(line)
}

// keepsLine tells a line of running text, which Markdown would join with the next.
func keepsLine(line string) bool {
	s := strings.TrimSpace(line)
	if s == "" || ordered.MatchString(line) {
		return false
	}
	for _, mark := range []string{"- ", "* ", "+ ", "#", ">", "```", "|"} {
		if strings.HasPrefix(s, mark) {
			return false
		}
	}
	return true
}
