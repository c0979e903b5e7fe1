package match

import (
	"context"
	"fmt"
)

// FitDefaults fits the default calibrators on held-out phrasings of sets, each
// set counting the same, and returns them as the Go text of defaultCalibrator.
// It is how the constants below were made: see bench/defaults.
func FitDefaults(ctx context.Context, sets [][]Document) (string, error) {
	out := ""
	for _, fitted := range []bool{true, false} {
		var all []observation
		for _, docs := range sets {
			ix := Build(docs, Lexicon{})
			var obs []observation
			const folds = 5
			for f := range folds {
				o, err := ix.holdOut(ctx, f, folds, fitted)
				if err != nil {
					return "", err
				}
				obs = append(obs, o...)
			}
			for i := range obs {
				obs[i].n = 1000 / float64(len(obs))
			}
			all = append(all, obs...)
		}
		out += fmt.Sprintf("fitted %v:\n", fitted)
		for _, head := range []string{"Right", "Any"} {
			l := regress(all, func(o *observation) bool {
				if head == "Right" {
					return o.right
				}
				return o.any
			})
			out += fmt.Sprintf("%s: logistic{W: signals{", head)
			for i, w := range l.W {
				if i > 0 {
					out += ", "
				}
				out += fmt.Sprintf("%.2f", w)
			}
			out += fmt.Sprintf("}, Bias: %.2f},\n", l.Bias)
		}
	}
	return out, nil
}

// defaultCalibrator is what is trusted before a folder's own calibrator is
// fitted, and in small folders beside it. The weights come from the training
// split of BANKING77 with 3, 5, 10, 30 and all phrasings a document, a fifth
// of the documents left out in turn.
func defaultCalibrator(fitted bool) calibrator {
	if !fitted {
		return calibrator{
			Right: logistic{W: signals{2.30, 0.00, 4.65, 0.00, 0.56, 0.41, 0.29, 0.00}, Bias: -5.79},
			Any:   logistic{W: signals{1.17, 0.00, 3.10, 0.00, 0.16, 0.00, 0.85, 0.00}, Bias: -2.08},
		}
	}
	return calibrator{
		Right: logistic{W: signals{2.07, 0.84, 2.42, 0.00, 0.43, 0.00, 0.05, 0.00}, Bias: -3.86},
		Any:   logistic{W: signals{0.92, 0.00, 2.76, 0.00, 0.00, 0.00, 0.70, 0.00}, Bias: -1.36},
	}
}
