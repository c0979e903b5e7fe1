package main

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"strings"

	"canteen/knowledge"
	"canteen/knowledge/match/encoder/minilm"
)

type versionCmd struct {
	Licences bool `help:"Print the licence of the encoder's weights, whole."`
}

func (c *versionCmd) Run(s *streams) error {
	version, commit, built := "devel", "unknown", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version, built = cmp.Or(strings.Trim(info.Main.Version, "()"), version), info.GoVersion
		for _, x := range info.Settings {
			if x.Key == "vcs.revision" {
				commit = x.Value
			}
		}
	}
	encoder := "damaged"
	if e, err := minilm.Load(); err == nil {
		encoder = e.ModelID()
	}
	folder := "damaged"
	if base, err := knowledge.Load(knowledge.Embedded); err == nil {
		folder = fmt.Sprintf("%d entries, %s", len(base.Entries()), base.Hash()[:12])
	}
	_, err := fmt.Fprintf(s.out, "canteen %s\ncommit   %s\nGo       %s\nencoder  %s\nfolder   %s\n\n%s", version, commit, built, encoder, folder, minilm.Notice)
	if err == nil && c.Licences {
		_, err = fmt.Fprintf(s.out, "\n%s", minilm.Licence)
	}
	return err
}
