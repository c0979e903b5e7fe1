// Package text is the one reading of what people write: for the bot, the lanes,
// the removal of identifiers and the matcher alike.
//
// [Clean] makes a text fit to keep and to show. [Fold] spells it plainly, without
// losing where each letter stood. [Reader] splits it into words, undoes masking
// (k*ll, unal1ve, k i l l), and spells out text-speak and contractions.
//
// Nothing here knows a folder or corrects spelling: package match does.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Clean gives a text that can be kept and shown: valid UTF-8, no control,
// zero-width or direction-changing characters, no space around it. Line breaks and
// tabs stay.
func Clean(s string) string {
	if plainASCII(s) {
		return strings.TrimSpace(s)
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	s = strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && invisible(r) {
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// plainASCII tells whether a text has nothing that Clean takes out but spaces.
func plainASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf || c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// invisible reports whether a character is not shown: controls and formatting characters
// (Unicode's Cf: zero-width spaces, soft hyphens, bidirectional controls), but not the
// joiner inside emoji.
func invisible(r rune) bool {
	return unicode.IsControl(r) || r != zeroWidthJoiner && unicode.Is(unicode.Cf, r) || r == combiningGraphemeJoiner
}

const (
	zeroWidthJoiner         = '\u200D'
	combiningGraphemeJoiner = '\u034F'
)

// Folded is a text spelt plainly, and where its letters come from.
type Folded struct {
	Source string
	// Plain is Source in lower case, without accents or invisible characters, in
	// ASCII wherever a letter looks like one of ASCII.
	Plain string
	at    []int32 // by byte of Plain, where in Source it begins; nil: at the same place
}

// Span gives the part of Source that Plain[from:to] was folded from.
func (f Folded) Span(from, to int) (start, end int) {
	if f.at == nil {
		return from, to
	}
	end = len(f.Source)
	if to < len(f.at) {
		end = int(f.at[to])
	}
	if from >= len(f.at) {
		return end, end
	}
	return int(f.at[from]), end
}

// Fold reduces a text to plain lower-case letters. Compatibility forms (fullwidth,
// circled, styled letters; NFKC) become what they stand for, letters of other alphabets
// that look like Latin ones become these, quotes and dashes become straight, accents go,
// and every kind of space becomes a space. Line breaks stay.
func Fold(s string) Folded {
	f := Folded{Source: s}
	ascii, lower := true, true
	for i := 0; i < len(s); i++ {
		ascii = ascii && s[i] < utf8.RuneSelf && (s[i] >= ' ' || s[i] == '\n')
		lower = lower && (s[i] < 'A' || s[i] > 'Z')
	}
	if ascii {
		if f.Plain = s; !lower {
			f.Plain = strings.ToLower(s)
		}
		return f
	}
	plain := make([]byte, 0, len(s)+len(s)/8)
	f.at = make([]int32, 0, cap(plain))
	put := func(r rune, from int) {
		before := len(plain)
		plain = utf8.AppendRune(plain, r)
		for range len(plain) - before {
			f.at = append(f.at, int32(from))
		}
	}
	latin := mostlyLatin(s)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r < utf8.RuneSelf:
			put(foldASCII(r), i)
		case r == utf8.RuneError && size == 1:
			put(' ', i)
		default:
			foldRune(s[i:i+size], latin, func(r rune) { put(r, i) })
		}
		i += size
	}
	f.Plain = string(plain)
	return f
}

func foldASCII(r rune) rune {
	switch {
	case 'A' <= r && r <= 'Z':
		return r + 'a' - 'A'
	case r == '\n':
		return r
	case r == '`':
		return '\''
	case r < ' ' || r == 0x7f:
		return ' '
	}
	return r
}

// foldRune calls put with what the one character in s is folded to, if anything.
func foldRune(s string, latin bool, put func(rune)) {
	var buf [64]byte
	for _, r := range string(norm.NFKD.AppendString(buf[:0], s)) {
		switch {
		case r < utf8.RuneSelf:
			put(foldASCII(r))
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) || invisible(r) || r == zeroWidthJoiner:
		case strings.ContainsRune("’‘ʼ´′‛", r):
			put('\'')
		case strings.ContainsRune("“”„″«»", r):
			put('"')
		case strings.ContainsRune("‐‑‒–—―−", r):
			put('-')
		case r == '…':
			put('.')
		case unicode.IsSpace(r) || r == '\u2028' || r == '\u2029':
			put(' ')
		default:
			r = unicode.ToLower(r)
			if l, ok := looksLike[r]; ok && (latin || l.always) {
				r = l.letter
			}
			put(r)
		}
	}
}

// mostlyLatin tells whether a text's letters are of the Latin alphabet for the most
// part: then a letter of another alphabet that looks like a Latin one is read as
// that, and otherwise the text is in that other alphabet.
func mostlyLatin(s string) bool {
	latin, other := 0, 0
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			if 'a' <= r|0x20 && r|0x20 <= 'z' {
				latin++
			}
		case unicode.Is(unicode.Latin, r):
			latin++
		case unicode.IsLetter(r):
			other++
		}
	}
	return latin >= other
}

type lookalike struct {
	letter rune
	always bool // it is of no alphabet in which people write
}

// looksLike has the lower-case letters that are taken for Latin ones: the Cyrillic,
// Greek and Armenian rows of Unicode's confusables.txt whose target is one letter
// a to z, and the small capitals of the phonetic alphabet.
var looksLike = func() map[rune]lookalike {
	m := map[rune]lookalike{}
	for letter, same := range map[rune]string{
		'a': "аα", 'b': "ьЬ", 'c': "сϲ", 'd': "ԁ", 'e': "еҽ", 'g': "ց", 'h': "һհ", 'i': "іιɩ", 'j': "јϳ", 'k': "кκ",
		'l': "ӏ", 'm': "м", 'n': "пո", 'o': "оοσօ", 'p': "рρ", 'q': "ԛ", 'r': "гᴦ", 's': "ѕ", 't': "тτ", 'u': "υս",
		'v': "ѵν", 'w': "ԝшω", 'x': "хχ", 'y': "уүγ", 'z': "ᴢ",
	} {
		for _, r := range same {
			m[r] = lookalike{letter: letter}
		}
	}
	for i, r := range []rune("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡxʏᴢ") {
		m[r] = lookalike{letter: rune('a' + i), always: true}
	}
	for r, letter := range map[rune]rune{'ı': 'i', 'ł': 'l', 'ø': 'o', 'đ': 'd', 'ħ': 'h', 'ŧ': 't', 'ƙ': 'k', 'ɓ': 'b', 'ɗ': 'd'} {
		m[r] = lookalike{letter: letter, always: true}
	}
	return m
}()
