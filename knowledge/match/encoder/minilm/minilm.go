// Package minilm holds weights tuned from all-MiniLM-L6-v2 (Apache-2.0, see Notice).
package minilm

import (
	_ "embed"
	"sync"

	"canteen/knowledge/match/encoder"
)

//go:embed minilm.bin
var file []byte

// Notice says what the weights are, whose, and what was changed; Licence is theirs.
var (
	//go:embed COPYRIGHT
	Notice string
	//go:embed LICENSE
	Licence string
)

// Load gives the encoder, the same one each time.
var Load = sync.OnceValues(func() (*encoder.Encoder, error) { return encoder.New(file) })
