package bot_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"canteen/bot"
)

// The numbers are made up; 999 000 0000 to 999 999 9999 are never given out.
func TestRedact(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		// NHS numbers: ten digits of which the last one checks.
		{"look at 943 476 5919 now", "look at [NHS number] now"},
		{"9434765919", "[NHS number]"},
		{"943-476-5919, 943.476.5919", "[NHS number], [NHS number]"},
		{"943\u00a0476\u20115919", "[NHS number]"},
		{"(9434765919)", "([NHS number])"},
		{"943\u2009476\u20025919", "[NHS number]"},
		{"９４３４７６５９１９", "[NHS number]"},
		{"943\u200b476\u00ad5919 there", "[NHS number] there"},
		{"ring 07700\u00a0900\u202f123", "ring [phone number]"},
		{"ref9434765919", "ref9434765919"},
		{"9434765918 does not check", "9434765918 does not check"},
		{"nhs number 9434765918 is named one", "nhs number [NHS number] is named one"},
		{"NHS no. 943 476 5918", "NHS no. [NHS number]"},
		{"nhs: 943 476 5918", "nhs: [NHS number]"},
		{"0000000000", "0000000000"},
		{"12345678901234567890", "12345678901234567890"},

		{"my ni is QQ 12 34 56 C", "my ni is QQ 12 34 56 C"}, // Q begins none: the sample of every form
		{"my ni is AB 12 34 56 C", "my ni is [National Insurance number]"},
		{"ab123456c", "[National Insurance number]"},
		{"GB123456A", "GB123456A"},

		{"nia.nurse+ward@example.nhs.uk, please", "[e-mail address], please"},
		{"NIA@EXAMPLE.NHS.UK", "[e-mail address]"},
		{"follow @NHSEmployers", "follow @NHSEmployers"},

		{"ring 07700 900123", "ring [phone number]"},
		{"ring 07700900123.", "ring [phone number]."},
		{"ring +44 7700 900123", "ring [phone number]"},
		{"ring +44 (0)20 7946 0018", "ring [phone number]"},
		{"ring (020) 7946 0018", "ring ([phone number]"},
		{"ring 0044 20 7946 0018", "ring [phone number]"},
		{"ring 01632 960001", "ring [phone number]"},
		{"ring 111 or 999 or 116 123", "ring 111 or 999 or 116 123"},
		{"extension 4567", "extension 4567"},

		{"they live at SW1A 1AA", "they live at [postcode]"},
		{"they live at sw1a 1aa", "they live at [postcode]"},
		{"M1 1AE", "[postcode]"},
		{"SW1A1AA", "[postcode]"},
		{"a band 6 1st", "a band 6 1st"},

		{"born on 1 January 1950", "born on [date of birth]"},
		{"dob 01/02/1983", "dob [date of birth]"},
		{"date of birth: 1983-02-01", "date of birth: [date of birth]"},
		{"she was 01/02/1983", "she was [date of birth]"},
		{"on 01/02/2024 we posted", "on 01/02/2024 we posted"},
		{"a guide of November 2014", "a guide of November 2014"},

		{"ward 7, bed 12, £1,250.00, 14:30, 2026", "ward 7, bed 12, £1,250.00, 14:30, 2026"},
		{"COVID19, H1N1, C42, R2D2, B12", "COVID19, H1N1, C42, R2D2, B12"},
		{"https://example.nhs.uk/page/2024/05/01", "https://example.nhs.uk/page/2024/05/01"},
		{"", ""},
	} {
		got, kinds := bot.Redact(c.text)
		if got != c.want {
			t.Errorf("Redact(%q) = %q, wanted %q", c.text, got, c.want)
		}
		if changed := got != c.text; changed != (len(kinds) > 0) {
			t.Errorf("Redact(%q): kinds %q", c.text, kinds)
		}
	}
	_, kinds := bot.Redact("07700 900123, 07700 900124, nia@example.nhs.uk")
	if want := []string{bot.KindEmail, bot.KindPhone}; !slices.Equal(kinds, want) {
		t.Errorf("kinds %q, wanted %q", kinds, want)
	}
}

// numbers are NHS numbers as people write them.
var numbers = regexp.MustCompile(`\b\d{3}[ .-]?\d{3}[ .-]?\d{4}\b`)

// checks is modulus 11 once more, written otherwise than in redact.go.
func checks(s string) bool {
	sum, d := 0, regexp.MustCompile(`\D`).ReplaceAllString(s, "")
	for i, r := range d[:9] {
		sum += int(r-'0') * (10 - i)
	}
	want := 11 - sum%11
	if want == 11 {
		want = 0
	}
	return want == int(d[9]-'0') && strings.Trim(d, d[:1]) != ""
}

func FuzzRedact(f *testing.F) {
	for _, s := range []string{"943 476 5919", "nhs number 943 476 5918 1", "a@b.co9434765919", "0 7700 900123 4", "born 1/2/1950 3/4/1951", "SW1A 1AA9434765919", "\xff+447700900123", "AB123456CAB123456C"} {
		f.Add(s, uint32(943476591))
	}
	f.Fuzz(func(t *testing.T, text string, n uint32) {
		got, kinds := bot.Redact(text)
		if utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("Redact(%q) = %q, which is broken", text, got)
		}
		if (got != text) != (len(kinds) > 0) {
			t.Errorf("Redact(%q) = %q, kinds %q", text, got, kinds)
		}
		if again, _ := bot.Redact(got); again != got {
			t.Errorf("Redact(%q) = %q, and of that %q", text, got, again)
		}
		for _, x := range numbers.FindAllString(got, -1) {
			if checks(x) {
				t.Errorf("Redact(%q) = %q leaves %q", text, got, x)
			}
		}
		// An NHS number that stands alone goes, whatever stands around it.
		nine := fmt.Sprintf("%09d", n%1e9)
		for last := range 10 {
			number := fmt.Sprintf("%s%d", nine, last)
			if checks(number) && !strings.Contains(text, number) {
				if got, _ := bot.Redact(text + "; " + number + " ;" + text); strings.Contains(got, number) {
					t.Errorf("Redact leaves %q between %q", number, text)
				}
			}
		}
	})
}
