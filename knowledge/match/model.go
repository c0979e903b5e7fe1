package match

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"math"

	"canteen/knowledge/match/encoder"
)

// modelVersion changes with anything that changes what a fit gives.
const modelVersion = 4

// ErrModel means that a kept model is of other documents, or damaged: fit anew.
var ErrModel = errors.New("the kept model is not of these documents")

// ModelKey names what a fit depends on: the documents, the lexicon, and the fitting
// itself.
func ModelKey(docs []Document, lex Lexicon) [32]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n%#v\n", modelVersion, sorted(lex))
	for _, d := range docs {
		fmt.Fprintf(h, "%q %q %t %t %t %q\n", d.ID, d.Answer, d.Covered, d.Lane, d.Harmless, d.Phrasings)
	}
	return [32]byte(h.Sum(nil))
}

// sorted is a lexicon whose printed form does not depend on the order of a map.
func sorted(lex Lexicon) any {
	speech := fmt.Sprint(lex.Textspeak) // printed in the order of keys
	lex.Textspeak = nil
	return struct {
		Lexicon
		Speech string
	}{lex, speech}
}

// kept is the file of a fitted model. Weights are quantised, as the fit itself rounds
// them, so that a restored model ranks exactly as the fitted one. Its types' names are
// part of the file (gob).
type kept struct {
	Key        [32]byte
	Words      steps // by posting
	Sense      steps
	Calibrator calibrator
	Encoder    string // the encoder's id; "" without one
	Soft       steps  // under that encoder
	Bias       steps
	Lanes      *keptLanes // nil where there are none
}

// keptLanes are the lanes in a kept model.
type keptLanes struct {
	Idf, Words, Which  steps
	Linear, WhichMeant steps // under the encoder
	Alone, Both        scale
}

func encodeLanes(l *lanes) *keptLanes {
	if l == nil {
		return nil
	}
	k := &keptLanes{Idf: quantise(l.idf), Words: quantise(l.alarmWords), Which: quantise(l.laneWords), Alone: l.wordScale, Both: l.fullScale}
	if l.vectors != nil {
		k.Linear, k.WhichMeant = quantise(l.vectors.alarmWeights), quantise(l.vectors.laneWeights)
	}
	return k
}

// restore returns the lanes; nil where they are not those of the index. Where the encoder
// is another, they classify by words alone.
func (k *keptLanes) restore(ix *Index, encoderID string) *lanes {
	l := newLanes(ix.special, ix.lex)
	if l == nil || k == nil || len(k.Idf.Values) != 2<<laneBits || len(k.Words.Values) != 2<<laneBits+2 || len(k.Which.Values) != len(l.ids)*2<<laneBits {
		return nil
	}
	l.idf, l.alarmWords, l.laneWords, l.wordScale = k.Idf.floats(), k.Words.floats(), k.Which.floats(), k.Alone
	if encoderID != "" && len(k.Linear.Values) == 2*(encoder.Size+1) && len(k.WhichMeant.Values) == 2*len(l.ids)*(encoder.Size+1) {
		l.encoder, l.fullScale = encoderID, k.Both
		l.vectors = &laneVectors{alarmWeights: k.Linear.floats(), laneWeights: k.WhichMeant.floats()}
	}
	return l
}

// steps are numbers quantised to 16 bits.
type steps struct {
	Scale  float32
	Values []byte
}

func quantise(x []float32) steps {
	top := float32(0)
	for _, v := range x {
		top = max(top, v, -v)
	}
	s := steps{Scale: top / math.MaxInt16, Values: make([]byte, 0, 2*len(x))}
	if top == 0 {
		s.Scale = 1
	}
	for _, v := range x {
		s.Values = binary.LittleEndian.AppendUint16(s.Values, uint16(int16(math.Round(float64(v/s.Scale)))))
	}
	return s
}

func (s steps) floats() []float32 {
	x := make([]float32, len(s.Values)/2)
	for i := range x {
		x[i] = s.Scale * float32(int16(binary.LittleEndian.Uint16(s.Values[2*i:])))
	}
	return x
}

// roundToSteps rounds numbers to the values that they are restored as.
func roundToSteps(x []float32) { copy(x, quantise(x).floats()) }

// KeyOf returns the key under which a model was kept and the id of its encoder; zero
// values where it cannot be read.
func KeyOf(model []byte) (key [32]byte, encoderID string) {
	var k kept
	_ = gob.NewDecoder(bytes.NewReader(model)).Decode(&k) // what cannot be read has no key
	return k.Key, k.Encoder
}

// Model returns the fitted model, to be kept under its key. The index has to be fitted.
func (ix *Index) Model(key [32]byte) ([]byte, error) {
	w := ix.words.model
	k := kept{Key: key, Calibrator: ix.words.cal, Sense: quantise(w.dense)}
	weights := make([]float32, len(w.both))
	for i, p := range w.both {
		weights[i] = p.sm
	}
	k.Words = quantise(weights)
	if m := ix.meaning; m != nil {
		k.Encoder, k.Soft, k.Bias = m.encoder.ModelID(), quantise(m.soft.weights), quantise(m.soft.bias)
	}
	k.Lanes = encodeLanes(ix.lanes)
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(k); err != nil {
		return nil, fmt.Errorf("keep the model: %w", err)
	}
	return b.Bytes(), nil
}

// Restore returns the fitted index of a kept model, or ErrModel where it is not that of
// key. Its weights over vectors are used by Understand, if encoderID is theirs.
func (ix *Index) Restore(key [32]byte, model []byte, encoderID string) (*Index, error) {
	var k kept
	if err := gob.NewDecoder(bytes.NewReader(model)).Decode(&k); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	w := ix.words
	if k.Key != key || len(k.Words.Values) != 2*len(w.inv.doc) || len(k.Sense.Values) != 2*len(w.mean) ||
		len(k.Soft.Values) != 0 && (len(k.Bias.Values) != 2*len(ix.docs) || len(k.Soft.Values) != 2*len(ix.docs)*encoder.Size) {
		return nil, ErrModel
	}
	id := ""
	if k.Encoder == encoderID {
		id = encoderID
	}
	l := k.Lanes.restore(ix, id)
	if l == nil && newLanes(ix.special, ix.lex) != nil {
		return nil, ErrModel
	}
	out := ix.derive(ix.docs, w.with(newSoftmax(k.Words.floats(), w.inv.bm, k.Sense.floats()), k.Calibrator), ix.meaning, l)
	if k.Encoder == encoderID && len(k.Soft.Values) > 0 {
		out.soft = &vectorSoftmax{k.Soft.floats(), k.Bias.floats()}
	}
	return out, nil
}
