package match

import (
	"strings"

	"github.com/kljensen/snowball/english"
)

// irregular forms that stemming does not bring together.
var irregular = func() map[string]string {
	m := map[string]string{}
	for _, l := range strings.Fields(`went:go gone:go goes:go paid:pay sent:send got:get gotten:get bought:buy lost:lose stole:steal stolen:steal
took:take taken:take made:make broke:break broken:break forgot:forget forgotten:forget gave:give given:give wrote:write written:write
saw:see seen:see said:say told:tell found:find kept:keep left:leave lent:lend spent:spend met:meet thought:think knew:know known:know
came:come became:become began:begin begun:begin chose:choose chosen:choose done:do did:do does:do had:have has:have held:hold heard:hear shown:show spoke:speak spoken:speak stuck:stick sold:sell withdrew:withdraw withdrawn:withdraw
children:child people:person men:man women:woman lives:life`) {
		a, b, _ := strings.Cut(l, ":")
		m[a] = b
	}
	return m
}()

// stemOf returns the stem that all forms of a word share, in British and American
// spelling.
func stemOf(w string) string {
	if b, ok := irregular[w]; ok {
		w = b
	}
	if len(w) > 6 { // with a stem before it: not size
		if i := strings.LastIndex(w, "iz"); i > 2 && i >= len(w)-7 {
			switch w[i+2:] {
			case "e", "es", "ed", "er", "ers", "ing", "ation", "ations":
				w = w[:i] + "is" + w[i+2:]
			}
		}
	}
	return english.Stem(w, true)
}
