// Command generate makes what the embedded folder's fit gives: `go generate ./knowledge`.
package main

import (
	"context"
	"log"
	"os"
	"path/filepath"

	"canteen/knowledge"
	"canteen/knowledge/match/encoder/minilm"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	e, err := minilm.Load()
	if err != nil {
		return err
	}
	base, err := knowledge.Load(knowledge.Embedded)
	if err != nil {
		return err
	}
	model, vectors, err := base.Fitted(ctx, e)
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"model.bin": model, "vectors.bin": vectors} {
		if err := os.WriteFile(filepath.Join("fitted", name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
