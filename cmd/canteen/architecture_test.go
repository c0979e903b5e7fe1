package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// allowed says, for each package of the project, which others it may import. What
// is not listed may import nothing of the project: a new package has to be put
// here on purpose. Tests may import what they like.
var allowed = map[string][]string{
	"knowledge/text":                 {},
	"knowledge/match/encoder":        {},
	"knowledge/match/encoder/minilm": {"knowledge/match/encoder"},
	"knowledge/match":                {"knowledge/text", "knowledge/match/encoder"},
	"knowledge":                      {"knowledge/match", "knowledge/match/encoder", "knowledge/text"},
	"knowledge/generate":             {"knowledge", "knowledge/match/encoder/minilm"},
	"bot":                            {"knowledge", "knowledge/match", "knowledge/text"},
	"bot/store":                      {"bot"},
	"adapters/web":                   {"bot", "knowledge", "knowledge/text"},
	"adapters/slack":                 {"bot", "knowledge", "knowledge/text"},
	"adapters/teams/connector":       {},
	"adapters/teams":                 {"adapters/teams/connector", "bot", "knowledge", "knowledge/text"},
	"cmd/canteen":                    {"adapters/web", "adapters/slack", "adapters/teams", "bot", "bot/store", "knowledge", "knowledge/match/encoder", "knowledge/match/encoder/minilm"},
}

// testOnly are packages that only tests import; they may import what they test.
var testOnly = map[string]bool{
	"adapters/slack/slacktest": true,
	"adapters/teams/teamstest": true,
	"adapters/web/webtest":     true,
	"bot/store/pgtest":         true,
}

func TestImportsRunOneWay(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && rel != "." || d.Name() == "testdata" || rel == "knowledge/match/bench") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") || testOnly[path.Dir(rel)] {
			return nil
		}
		pkg := path.Dir(rel)
		may, ok := allowed[pkg]
		if !ok {
			t.Errorf("%s: package %s is not in the list of packages", rel, pkg)
			return nil
		}
		seen[pkg] = true
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imported, ours := strings.CutPrefix(imported, "canteen/")
			if !ours {
				continue
			}
			found := false
			for _, m := range may {
				found = found || m == imported
			}
			if !found {
				t.Errorf("%s imports %s: %s may import only %v", rel, imported, pkg, may)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range allowed {
		if !seen[pkg] {
			t.Errorf("package %s is listed and has no files", pkg)
		}
	}
}
