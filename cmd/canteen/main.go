// Command canteen answers hospital staff's questions about social media in Slack
// and Microsoft Teams, from a folder of entries, and passes what the folder does
// not answer to the communications team.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the image has no time zones of its own

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	code := exitCode(0)
	switch {
	case err == nil || errors.As(err, &code):
	case errors.As(err, new(usageError)):
		code = exitUsage
	default:
		code = exitProblems
	}
	if err != nil && !errors.As(err, new(exitCode)) {
		fmt.Fprintln(os.Stderr, "canteen:", err)
	}
	os.Exit(int(code))
}

// exitCode is an exit code whose reason has been printed already.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// usageError is an error in the command line or the settings.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// The exit codes of CONTRACT.md: problems found, and usage or settings.
const (
	exitProblems exitCode = 1
	exitUsage    exitCode = 2
)

// cli is the command line. Settings of every command stand in Settings.
type cli struct {
	Serve    serveCmd    `cmd:"" help:"Answer in every place whose settings are present, and on the web page."`
	Ask      askCmd      `cmd:"" help:"Show what the folder makes of a question, or of each line of standard input."`
	Check    checkCmd    `cmd:"" help:"List the folder's problems, with line and column."`
	Test     testCmd     `cmd:"" help:"Measure the folder against a file of labelled questions."`
	Manifest manifestCmd `cmd:"" help:"Print the Slack app manifest, or write the Teams app package."`
	Doctor   doctorCmd   `cmd:"" help:"Check settings, credentials, channels, store and folder, and say how to fix them."`
	Export   exportCmd   `cmd:"" help:"Write everything that is stored to a folder, as JSON lines and CSV."`
	Import   importCmd   `cmd:"" help:"Read an export into an empty database."`
	Backup   backupCmd   `cmd:"" help:"Copy the SQLite database to a file while it is in use."`
	Forget   forgetCmd   `cmd:"" help:"Erase what is kept of a person."`
	Version  versionCmd  `cmd:"" help:"Say which version this is, and what it carries by others."`
	Init     initCmd     `cmd:"" help:"Write a copy of the built-in folder, to edit."`
}

// streams are what a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
	log      *slog.Logger
	unknown  []unknownSetting // names that look like settings but are not
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	env, err := readEnv(".env")
	if err != nil {
		return usageError{err}
	}
	var c cli
	code := -1
	parser, err := kong.New(&c, kong.Name("canteen"), kong.UsageOnError(), kong.Writers(stdout, stderr),
		kong.Description("Answers staff's questions about social media from a folder of entries, and passes on what it does not answer."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Exit(func(n int) { code = n }), kong.Resolvers(env))
	if err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if code >= 0 { // --help has been printed
		return nil
	}
	if err != nil {
		return usageError{fmt.Errorf("%w (try canteen --help)", err)}
	}
	s := &streams{stdin, stdout, stderr, slog.New(slog.NewTextHandler(stderr, nil)), unknownSettings(parser.Model, env, os.Environ())}
	k.BindTo(ctx, (*context.Context)(nil))
	return k.Run(s)
}
