package main

import (
	"context"
	"fmt"

	"canteen/bot/store"
)

type exportCmd struct {
	settings
	Dir string `arg:"" help:"A folder to write to: missing or empty." type:"path"`
}

func (c *exportCmd) Run(ctx context.Context, s *streams) error {
	if err := store.Export(ctx, c.Database, c.Dir); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.out, "wrote everything to %s. It holds people's questions: keep it as you keep those.\n", c.Dir)
	return err
}

type importCmd struct {
	settings
	Dir string `arg:"" help:"The folder of an export." type:"existingdir"`
}

func (c *importCmd) Run(ctx context.Context, s *streams) error {
	if err := store.Import(ctx, c.Database, c.Dir, store.Options{Log: s.log}); err != nil {
		return err
	}
	_, err := fmt.Fprintln(s.out, "Import complete.")
	return err
}

type backupCmd struct {
	settings
	File string `arg:"" help:"The file to write; it must not exist yet." type:"path"`
}

func (c *backupCmd) Run(ctx context.Context, s *streams) error {
	if err := store.Backup(ctx, c.Database, c.File); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.out, "wrote %s\n", c.File)
	return err
}
