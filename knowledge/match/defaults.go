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
			ix := build(docs, Lexicon{})
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
			Right: logistic{W: signals{2.24, 0.05, 4.35, 0.00, 0.52, 0.41, 1.14, 0.00}, Bias: -6.19},
			Any:   logistic{W: signals{1.18, 0.00, 2.96, 0.00, 0.18, 0.00, 1.48, 0.00}, Bias: -2.47},
		}
	}
	return calibrator{
		Right: logistic{W: signals{2.13, 0.91, 2.00, 0.00, 0.24, 0.00, 1.13, 0.00}, Bias: -4.31},
		Any:   logistic{W: signals{0.95, 0.00, 2.62, 0.00, 0.00, 0.00, 1.28, 0.00}, Bias: -1.72},
	}
}
