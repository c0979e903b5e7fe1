package bot

import (
	"regexp"
	"slices"
	"strings"

	"canteen/knowledge/text"
)

// The kinds of personal identifier that Redact takes out, as people read them.
const (
	KindNHSNumber = "NHS number"
	KindNINumber  = "National Insurance number"
	KindEmail     = "e-mail address"
	KindPhone     = "phone number"
	KindPostcode  = "postcode"
	KindBirth     = "date of birth"
)

// A rule finds one kind of identifier. When ok is set, it says which of the
// pattern's finds count; group is the submatch that is replaced (0 is the whole).
type rule struct {
	kind    string
	pattern *regexp.Regexp
	group   int
	ok      func(found, written string) bool // found is folded, written as it stood
}

// rules run in this order, each over what the one before left. Names and the
// deeper rules belong here too, when they come.
var rules = []rule{
	{KindEmail, regexp.MustCompile(`[a-z0-9._%+'-]{1,64}@(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}`), 0, nil},
	// "NHS number 999 123 4560": what is named one is one, whatever its check digit.
	{KindNHSNumber, regexp.MustCompile(`\bnhs\s*(?:number|num|no|nr|#)?\.?\s*(?:is|was)?\s*[:#=]?\s*(\d[\d\s.-]{7,14}\d)\b`), 1, func(s, _ string) bool { return len(digits(s)) == 10 }},
	{KindNHSNumber, regexp.MustCompile(`\b\d{3}[ .-]?\d{3}[ .-]?\d{4}\b`), 0, nhsNumber},
	// NHS Data Model and Dictionary: prefixes never given out are left alone.
	{KindNINumber, regexp.MustCompile(`\b([a-ceghj-prstw-z][a-ceghj-nprstw-z][ -]?\d{2}[ -]?\d{2}[ -]?\d{2}[ -]?[a-d])\b`), 0, niNumber},
	// "born 1 January 1901", "dob 01/01/1901": only with a word that says so.
	{KindBirth, regexp.MustCompile(`\b(?:dob|d\.o\.b\.?|date of birth|birth ?date|born(?: on)?|birthday(?: is| was)?)\s*[:=-]?\s*(?:is|was|on)?\s*(\d{1,2}(?:st|nd|rd|th)?[ ./-](?:\d{1,2}|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)[ ./-](?:\d{4}|\d{2})|\d{4}-\d{2}-\d{2})\b`), 1, nil},
	// A day with a year long past, in figures: nobody writes a post's date so.
	{KindBirth, regexp.MustCompile(`\b(?:0?[1-9]|[12]\d|3[01])[/.-](?:0?[1-9]|1[0-2])[/.-](?:19\d\d|200\d)\b`), 0, nil},
	{KindPhone, regexp.MustCompile(`(?:\+44|\b0044|\b0)[\s(.-]*(?:0\)?[\s.-]*)?[1-9](?:[\s().-]{0,2}\d){8,9}\b`), 0, func(s, _ string) bool { n := len(digits(s)); return n >= 10 && n <= 14 }},
	{KindPostcode, regexp.MustCompile(`\b(?:gir ?0aa|[a-pr-uwyz](?:\d{1,2}|[a-hk-y]\d{1,2}|\d[a-hjkps-uw]|[a-hk-y]\d[abehmnprv-y]) ?\d[abd-hjlnp-uw-z]{2})\b`), 0, postcode},
}

// Redact replaces each personal identifier by its kind in square brackets and
// lists the kinds found, in order, each once. However a number is dressed up (wide
// digits, odd spaces, invisible characters), it is read as text.Fold reads it. Years,
// prices, ward numbers and numbers that fail an identifier's own check stay. It is the
// one gate that every text passes before it is stored, logged or passed on.
func Redact(s string) (string, []string) {
	var kinds []string
	for _, r := range rules {
		f := text.Fold(s)
		found := r.pattern.FindAllStringSubmatchIndex(f.Plain, -1)
		if found == nil {
			continue
		}
		var b strings.Builder
		last := 0
		for _, m := range found {
			plain := f.Plain[m[2*r.group]:m[2*r.group+1]]
			from, to := f.Span(m[2*r.group], m[2*r.group+1])
			if from < last || r.ok != nil && !r.ok(plain, s[from:to]) {
				continue
			}
			b.WriteString(s[last:from])
			b.WriteString("[" + r.kind + "]")
			last = to
			if !slices.Contains(kinds, r.kind) {
				kinds = append(kinds, r.kind)
			}
		}
		b.WriteString(s[last:])
		s = b.String()
	}
	return s, kinds
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// nhsNumber checks the modulus 11 digit that every NHS number ends in (NHS Data
// Model and Dictionary, "NHS number"). Numbers of one repeated digit are not given
// out.
func nhsNumber(s, _ string) bool {
	d := digits(s)
	if len(d) != 10 || strings.Count(d, d[:1]) == 10 {
		return false
	}
	sum := 0
	for i := range 9 {
		sum += int(d[i]-'0') * (10 - i)
	}
	check := (11 - sum%11) % 11
	return check != 10 && check == int(d[9]-'0')
}

// niNumber leaves out the prefixes that HMRC never gives out (NIM39110).
func niNumber(s, _ string) bool {
	switch strings.ToUpper(s[:2]) {
	case "BG", "GB", "KN", "NK", "NT", "TN", "ZZ":
		return false
	}
	return true
}

// postcode leaves out what has the shape of one and is a pay band, a unit or an
// acronym in a sentence: without its space, a postcode is written in capitals.
func postcode(found, written string) bool {
	return strings.Contains(found, " ") || written == strings.ToUpper(written)
}
