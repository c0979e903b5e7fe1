package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"canteen/adapters/slack"
	"canteen/adapters/teams"
	"canteen/bot"
	"canteen/bot/store"
	"canteen/knowledge"
	"canteen/knowledge/match/encoder/minilm"
)

type manifestCmd struct {
	Slack manifestSlack `cmd:"" help:"Print the Slack app manifest."`
	Teams manifestTeams `cmd:"" help:"Write the Teams app package."`
}

type manifestSlack struct {
	URL string `name:"url" placeholder:"https://…" help:"This server as Slack reaches it, for events over HTTP; without it the manifest is for Socket Mode."`
}

func (c *manifestSlack) Run(s *streams) error {
	data, err := slack.Manifest(c.URL)
	if err != nil {
		return usageError{err}
	}
	_, err = s.out.Write(data)
	return err
}

type manifestTeams struct {
	URL   string `name:"url" required:"" placeholder:"https://…" help:"This server as Microsoft reaches it."`
	Out   string `required:"" placeholder:"FILE.zip" help:"The app package to write."`
	AppID string `env:"MICROSOFT_APP_ID" name:"app-id" help:"The bot's application id ($MICROSOFT_APP_ID)."`
}

func (c *manifestTeams) Run(s *streams) error {
	data, err := teams.Config{AppID: c.AppID}.Package(c.URL)
	if err != nil {
		return usageError{err}
	}
	if err := os.WriteFile(c.Out, data, 0o644); err != nil {
		return usageError{err}
	}
	_, err = fmt.Fprintf(s.out, "wrote %s: upload it in Teams under Apps, Manage your apps\n", c.Out)
	return err
}

type doctorCmd struct {
	folderFlags
	settings
}

// doctorTime is how long the doctor's checks may take together.
const doctorTime = 30 * time.Second

func (c *doctorCmd) Run(ctx context.Context, s *streams) error {
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	var found []bot.Finding
	note := func(name string, err error, fine string) {
		f := bot.Finding{Name: name, OK: err == nil, Say: fine}
		if err != nil {
			f.Say = err.Error()
		}
		found = append(found, f)
	}
	settingsErr := c.check()
	note("Settings", settingsErr, "complete")
	base, err := c.load()
	var list knowledge.Problems
	switch {
	case errors.As(err, &list):
		note("Folder", fmt.Errorf("%d problems: canteen check lists them", len(list)), "")
	case err != nil:
		note("Folder", err, "")
	default:
		note("Folder", nil, fmt.Sprintf("%d entries", len(base.Entries())))
	}
	if c.Encoder == "off" {
		note("Encoder", nil, "off: entries are found by their words alone")
	} else if _, err := minilm.Load(); err != nil {
		note("Encoder", fmt.Errorf("entries are found by their words alone, because the program is damaged: install it again (%w)", err), "")
	} else {
		note("Encoder", nil, "entries are found by their meaning too")
	}
	if base != nil {
		if unset := base.Unset(); len(unset) > 0 {
			note("Your names and numbers", fmt.Errorf("not set, though urgent and private entries use them: %s. People read a default, such as \"the HR team\". Fill them in in %s",
				strings.Join(unset, ", "), c.localFile(c.Database)), "")
		}
	}
	for _, u := range s.unknown {
		note(u.name, errors.New(u.say), "")
	}
	st, err := store.Open(ctx, c.Database, store.Options{Log: s.log})
	switch {
	case errors.Is(err, store.ErrLocked):
		note("Store", nil, "in use by a canteen that runs")
	case err != nil:
		note("Store", err, "")
	default:
		note("Store", nil, "opens, and is up to date")
		defer st.Close()
	}
	if settingsErr == nil {
		if c.PublicURL == "" {
			found = append(found, bot.Finding{Name: "PUBLIC_URL", OK: true, Say: "not set: answers carry no links to entries"})
		}
		a := &app{log: s.log, store: st, adapters: map[string]adapter{}}
		if err := c.platforms(a); err != nil {
			note("Platforms", err, "")
		}
		for _, name := range []string{"slack", "teams"} {
			if x, ok := a.adapters[name]; ok {
				found = append(found, x.Doctor(ctx)...)
			} else {
				found = append(found, bot.Finding{Name: name, OK: true, Say: "no settings, so it is off"})
			}
		}
	}
	var result error
	for _, f := range found {
		mark := "ok  "
		if !f.OK {
			mark, result = "FIX ", exitProblems
		}
		fmt.Fprintf(s.out, "%s  %s: %s\n", mark, f.Name, f.Say)
	}
	return result
}

type initCmd struct {
	Dir string `arg:"" help:"A folder to write to: missing or empty." type:"path"`
}

func (c *initCmd) Run(s *streams) error {
	if items, err := os.ReadDir(c.Dir); err == nil && len(items) > 0 {
		return usageError{fmt.Errorf("%s: the destination is not empty", c.Dir)}
	}
	if err := os.CopyFS(c.Dir, knowledge.Embedded); err != nil {
		return fmt.Errorf("write the folder: %w", err)
	}
	_, err := fmt.Fprintf(s.out, "wrote the built-in folder to %s. Next, fill in %s, then run: canteen serve --knowledge %s\n", c.Dir, filepath.Join(c.Dir, "local.yaml"), c.Dir)
	return err
}

type forgetCmd struct {
	folderFlags
	settings
	Person string `arg:"" help:"Who, as the export names them, such as slack:U0123456789."`
}

func (c *forgetCmd) Run(ctx context.Context, s *streams) error {
	st, err := store.Open(ctx, c.Database, store.Options{Log: s.log})
	if errors.Is(err, store.ErrLocked) {
		return usageError{errors.New("a canteen is running on this database: stop it first, or let the person press Erase in the chat")}
	}
	if err != nil {
		return err
	}
	defer st.Close()
	folder, err := knowledge.Open(ctx, knowledge.Config{Log: s.log, Dirs: c.Knowledge, Overlay: overlayDir(c.Database)})
	if err != nil {
		return err
	}
	b := bot.New(bot.Config{Store: st, Folder: folder, Log: s.log})
	if err := b.Forget(ctx, bot.Person{ID: bot.PersonID(c.Person)}, fmt.Sprintf("forget/%d", time.Now().UnixNano())); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, "Their data has been erased here. Slack and Microsoft keep their own copies.")
	return err
}
