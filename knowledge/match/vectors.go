package match

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"sort"
	"unsafe"

	"canteen/knowledge/match/encoder"
)

// Vectors are those of texts that were encoded before.
type Vectors interface {
	// Find gives the vector of the text with that key; nil where it is not there.
	Find(key encoder.Key) *encoder.Stored
}

// Join finds in the first of several that has it. Those that are nil have nothing.
func Join(all ...Vectors) Vectors { return joined(all) }

type joined []Vectors

func (j joined) Find(key encoder.Key) *encoder.Stored {
	for _, v := range j {
		if v == nil {
			continue
		}
		if s := v.Find(key); s != nil {
			return s
		}
	}
	return nil
}

// VectorFile is the content of a file of vectors: records of a key and its vector, in
// the order of keys, so that a change of some phrasings changes little of it.
type VectorFile string

const recordSize = len(encoder.Key{}) + encoder.Size

// Valid tells whether a file can be searched: of whole records, in order.
func (f VectorFile) Valid() bool {
	if len(f)%recordSize != 0 {
		return false
	}
	for i := recordSize; i < len(f); i += recordSize {
		if f[i-recordSize:i-recordSize+len(encoder.Key{})] >= f[i:i+len(encoder.Key{})] {
			return false
		}
	}
	return true
}

// Find implements Vectors.
func (f VectorFile) Find(key encoder.Key) *encoder.Stored {
	k := string(key[:])
	i, found := sort.Find(len(f)/recordSize, func(i int) int {
		return cmp.Compare(k, string(f[i*recordSize:i*recordSize+len(key)]))
	})
	if !found {
		return nil
	}
	at := i*recordSize + len(key)
	return (*encoder.Stored)(unsafe.Pointer(unsafe.StringData(string(f[at : at+encoder.Size])))) // a view: nobody writes to it
}

// Vectors is a file of the vectors of all texts of the index's documents. It needs an
// index that understands.
func (ix *Index) Vectors() []byte {
	m := ix.meaning
	keys := slices.SortedFunc(maps.Keys(m.place), func(a, b encoder.Key) int { return bytes.Compare(a[:], b[:]) })
	file := make([]byte, 0, len(keys)*recordSize)
	for _, key := range keys {
		file = append(file, key[:]...)
		for _, x := range m.vectors[m.place[key]] {
			file = append(file, byte(x))
		}
	}
	return file
}

// encodeAll gives the vectors of texts, those that are known without working or copying.
func encodeAll(ctx context.Context, e *encoder.Encoder, texts []string, known Vectors) ([]*encoder.Stored, error) {
	vectors := make([]*encoder.Stored, len(texts))
	var missing []int
	for i, text := range texts {
		if known != nil {
			if v := known.Find(e.Key(text)); v != nil {
				vectors[i] = v
				continue
			}
		}
		missing = append(missing, i)
	}
	const share = 256 // between looks at ctx
	for from := 0; from < len(missing); from += share {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		some := missing[from:min(from+share, len(missing))]
		batch := make([]string, len(some))
		for k, i := range some {
			batch[k] = texts[i]
		}
		for k, v := range e.EncodeAll(batch, 0) {
			stored := encoder.Store(v)
			vectors[some[k]] = &stored
		}
	}
	return vectors, nil
}
