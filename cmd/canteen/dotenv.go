package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/joho/godotenv"
	"github.com/sahilm/fuzzy"
)

// dotenv has the settings of a file, for flags whose variable the environment does
// not set.
type dotenv map[string]string

// dollar replaces $ while the file is read: otherwise godotenv expands variables, which
// corrupts a password with a $ in it.
const dollar = "\uE000"

// readEnv reads a file of settings, which need not exist. Its errors quote nothing of the
// file, because it holds secrets.
func readEnv(path string) (dotenv, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s cannot be read: check its permissions", path)
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, fmt.Errorf("%s is in UTF-16: save it as UTF-8 (in Notepad: Save as, Encoding; in PowerShell: Set-Content -Encoding utf8)", path)
	}
	data = bytes.ReplaceAll(bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF")), []byte("$"), []byte(dollar))
	values, err := godotenv.UnmarshalBytes(data)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: each line must be NAME=value, with quotes around a value that has spaces or #", path)
	}
	for name, v := range values {
		values[name] = strings.ReplaceAll(v, dollar, "$")
	}
	return values, nil
}

// Validate implements kong.Resolver.
func (dotenv) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver.
func (d dotenv) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Tag.Envs {
		if v, ok := d[name]; ok && strings.TrimSpace(v) != "" {
			return v, nil
		}
	}
	return nil, nil
}

// unknownSetting is a name that looks like a setting but is not one.
type unknownSetting struct{ name, say string }

// unknownSettings returns the names in the file that are not settings, and those in the
// environment that are probably misspelt settings.
func unknownSettings(model *kong.Application, file dotenv, environ []string) (list []unknownSetting) {
	known := map[string]bool{}
	for _, command := range model.Leaves(true) {
		for _, group := range command.AllFlags(false) {
			for _, flag := range group {
				for _, name := range flag.Tag.Envs {
					known[name] = true
				}
			}
		}
	}
	names := slices.Sorted(maps.Keys(known))
	for _, name := range slices.Sorted(maps.Keys(file)) {
		if known[name] {
			continue
		}
		say := "stands in .env and is not a setting of Canteen"
		if near := closestName(name, names); near != "" {
			say += ": did you mean " + near + "?"
		}
		list = append(list, unknownSetting{name, say})
	}
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		if near := closestName(name, names); !known[name] && file[name] == "" && near != "" {
			list = append(list, unknownSetting{name, "is set and is not a setting of Canteen: did you mean " + near + "?"})
		}
	}
	return list
}

// closestName returns the first of names that name becomes by adding or removing up to two
// letters, in any case; or "".
func closestName(name string, names []string) string {
	for _, k := range names {
		if d := len(k) - len(name); d < -2 || d > 2 || len(k) < 6 {
			continue
		}
		short, long := name, k
		if len(short) > len(long) {
			short, long = long, short
		}
		if len(fuzzy.Find(short, []string{long})) > 0 {
			return k
		}
	}
	return ""
}
