package encoder

import "testing"

// Without AVX2 the vectors are the same but for rounding.
func TestWithoutAVX2(t *testing.T) {
	if !haveAVX2 {
		t.Skip("this processor has no AVX2: the other tests ran the plain Go")
	}
	e := load(t)
	var texts []string
	for i, x := range examples(t) {
		if i%5 == 0 { // the plain Go is slow
			texts = append(texts, x.Text)
		}
	}
	fast := e.EncodeAll(texts, 0)
	haveAVX2 = false
	defer func() { haveAVX2 = true }()
	for i, plain := range e.EncodeAll(texts, 0) {
		if c := cosine(plain, fast[i]); c < .999 {
			t.Errorf("%.60q: cosine %.5f", texts[i], c)
		}
	}
}
