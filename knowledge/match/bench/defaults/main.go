// Command defaults prints the default calibrator, fitted on the training split
// of BANKING77 with 3, 5, 10, 30 phrasings a document and with all of them.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"path/filepath"

	"canteen/knowledge/match"
	"canteen/knowledge/match/bench/data"
)

func main() {
	dir := flag.String("banking77", "", "folder of the set (default: shared/bench/banking77 above)")
	flag.Parse()
	d, err := data.Find(*dir, "shared/bench/banking77")
	if err != nil {
		log.Fatal(err)
	}
	rows, err := data.Rows(filepath.Join(d, "train.csv"))
	if err != nil {
		log.Fatal(err)
	}
	var sets [][]match.Document
	for _, k := range []int{3, 5, 10, 30, 1000} {
		few, _ := data.Few(rows, k, uint64(k))
		sets = append(sets, data.Documents(few))
	}
	out, err := match.FitDefaults(context.Background(), sets)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(out)
}
