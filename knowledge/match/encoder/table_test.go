package encoder

import (
	"math"
	"testing"
)

// A table's likeness is that of the vectors, whatever their number.
func TestTable(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 17, 100} {
		stored := randomStored(n)
		table := NewTable(stored)
		if table.Len() != n {
			t.Errorf("%d vectors of %d", table.Len(), n)
		}
		q := Store(random(Size, 1))
		v := q.Vector()
		to := make([]float32, n)
		table.Compare(v, to)
		for i := range stored {
			if want := cosine(v, stored[i].Vector()); math.Abs(float64(to[i])-want) > 1e-3 {
				t.Errorf("vector %d of %d: %g, want %g", i, n, to[i], want)
			}
		}
	}
	var none Stored
	to := []float32{1}
	NewTable([]*Stored{&none}).Compare(make([]float32, Size), to)
	if to[0] != 0 {
		t.Errorf("nothing is like nothing: %g", to[0])
	}
}

func randomStored(n int) []*Stored {
	stored := make([]*Stored, n)
	for i := range stored {
		s := Store(random(Size, 1))
		stored[i] = &s
	}
	return stored
}

func BenchmarkTable(b *testing.B) {
	stored := randomStored(13_000)
	table := NewTable(stored)
	to := make([]float32, len(stored))
	v := stored[0].Vector()
	for b.Loop() {
		table.Compare(v, to)
	}
}
