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
			Right: logistic{W: signals{2.04, 0.18, 4.99, 0.00, 0.70, 0.41, 0.36, 0.00}, Bias: -5.94},
			Any:   logistic{W: signals{1.05, 0.00, 3.32, 0.00, 0.05, 0.00, 0.69, 0.00}, Bias: -1.77},
		}
	}
	return calibrator{
		Right: logistic{W: signals{1.59, 1.22, 2.69, 0.00, 0.36, 0.00, 0.00, 0.08}, Bias: -3.48},
		Any:   logistic{W: signals{0.80, 0.00, 2.95, 0.00, 0.00, 0.00, 0.48, 0.00}, Bias: -1.06},
	}
}
