package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"canteen/adapters/slack"
	"canteen/adapters/teams"
	"canteen/bot"
	"canteen/bot/store"
	"canteen/knowledge"
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
		return usage{err}
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
		return usage{err}
	}
	if err := os.WriteFile(c.Out, data, 0o644); err != nil {
		return usage{err}
	}
	_, err = fmt.Fprintf(s.out, "wrote %s: upload it in Teams under Apps, Manage your apps\n", c.Out)
	return err
}

type doctorCmd struct {
	folderFlags
	settings
}

// doctorTime is how long the doctor waits for the world.
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
	base, err := c.load(s)
	if err != nil {
		note("Folder", errors.New("it has problems: canteen check lists them"), "")
	} else {
		note("Folder", nil, fmt.Sprintf("%d entries", len(base.Entries())))
		for _, name := range base.Unset() {
			note("Folder: "+name, errors.New("is used in an entry and not set in local.yaml; people read its default"), "")
		}
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
		if c.embeddings.URL != "" {
			note("Embeddings", c.answers(ctx), "the server answers")
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
			mark, result = "MEND", problems
		}
		fmt.Fprintf(s.out, "%s  %s: %s\n", mark, f.Name, f.Say)
	}
	return result
}

type forgetCmd struct {
	folderFlags
	settings
	Person string `arg:"" help:"Who, as the export names them, such as slack:U0123456789."`
}

func (c *forgetCmd) Run(ctx context.Context, s *streams) error {
	st, err := store.Open(ctx, c.Database, store.Options{Log: s.log})
	if errors.Is(err, store.ErrLocked) {
		return usage{errors.New("a canteen is running on this database: stop it first, or let the person press Erase in the chat")}
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
	_, err = fmt.Fprintln(s.out, "erased what was kept. Slack or Microsoft keep their own copies.")
	return err
}
