package knowledge

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Problem is one fault of a folder and where it stands. Columns count
// characters from 1.
type Problem struct {
	Path         string
	Line, Column int
	Message      string
	Warning      bool
}

func (p Problem) String() string {
	m := p.Message
	if p.Warning {
		m = "warning: " + m
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.Path, p.Line, p.Column, m)
}

// Problems are sorted by path, line and column.
type Problems []Problem

func (ps Problems) Error() string {
	return strings.Join(mapSlice(ps, Problem.String), "\n")
}

func (ps Problems) sort() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	return ps
}

// split separates failures from warnings.
func (ps Problems) split() (failures, warnings Problems) {
	for _, p := range ps {
		if p.Warning {
			warnings = append(warnings, p)
		} else {
			failures = append(failures, p)
		}
	}
	return failures, warnings
}

// reporter gathers the problems of one file.
type reporter struct {
	path     string
	problems Problems
}

func (p *reporter) add(a position, format string, args ...any) {
	p.problems = append(p.problems, Problem{Path: p.path, Line: a.line, Column: a.column, Message: fmt.Sprintf(format, args...)})
}

func (p *reporter) warn(a position, format string, args ...any) {
	p.add(a, format, args...)
	p.problems[len(p.problems)-1].Warning = true
}

// lines splits a file into lines, without a byte order mark and with either line ending.
// It reports false for a file that is too large, is no UTF-8 text, or has a merge
// conflict.
func (p *reporter) lines(data []byte, limit int) ([]string, bool) {
	if len(data) > limit {
		p.add(position{1, 1}, "the file has %d bytes; the limit is %d", len(data), limit)
		return nil, false
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		p.add(position{1, 1}, "the file is in UTF-16: save it as UTF-8 (in Notepad: Save as, Encoding)")
		return nil, false
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	lines := strings.Split(string(data), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSuffix(l, "\r")
		for j := 0; j < len(l); {
			r, n := utf8.DecodeRuneInString(l[j:])
			if r == utf8.RuneError && n == 1 {
				p.add(position{i + 1, utf8.RuneCountInString(l[:j]) + 1}, "not text in UTF-8: save the file with this encoding")
				return nil, false
			}
			if r == 0 {
				p.add(position{i + 1, utf8.RuneCountInString(l[:j]) + 1}, "a NUL character: this is no text file")
				return nil, false
			}
			j += n
		}
		if strings.HasPrefix(l, "<<<<<<< ") || strings.HasPrefix(l, ">>>>>>> ") {
			p.add(position{i + 1, 1}, "a merge conflict: keep one of the two versions, and delete the lines that begin with <<<<<<<, ======= and >>>>>>>")
			return nil, false
		}
	}
	return lines, true
}
