package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/dlclark/regexp2"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The command line is tested by the scripts in testdata/script, each in an empty
// folder of its own with nothing in the environment.
func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
		return
	}
	testscript.Main(m, map[string]func(){"canteen": main})
}

func TestScripts(t *testing.T) {
	schemas, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", "schemas"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition: func(name string) (bool, error) {
			if name != "shared" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			_, err := os.Stat(schemas) // it comes with the project's brief and not with the project
			return err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// schema SCHEMA FILE checks a JSON file against one of ../shared/schemas.
			"schema": func(ts *testscript.TestScript, not bool, args []string) {
				if not || len(args) != 2 {
					ts.Fatalf("usage: schema SCHEMA FILE")
				}
				ts.Check(valid(filepath.Join(schemas, args[0]), []byte(ts.ReadFile(args[1]))))
			},
			// unpack FILE.zip puts what is in it into the working folder.
			"unpack": func(ts *testscript.TestScript, not bool, args []string) {
				if not || len(args) != 1 {
					ts.Fatalf("usage: unpack FILE.zip")
				}
				z, err := zip.OpenReader(ts.MkAbs(args[0]))
				ts.Check(err)
				defer z.Close()
				for _, f := range z.File {
					data, err := fs.ReadFile(z, f.Name)
					ts.Check(err)
					ts.Check(os.WriteFile(ts.MkAbs(f.Name), data, 0o600))
				}
			},
		},
	})
}

// valid says what is wrong with a document by a schema, if anything.
func valid(schema string, data []byte) error {
	c := jsonschema.NewCompiler()
	c.UseRegexpEngine(func(s string) (jsonschema.Regexp, error) { // theirs look ahead
		re, err := regexp2.Compile(s, regexp2.ECMAScript)
		return (*pattern)(re), err
	})
	s, err := c.Compile(schema)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

type pattern regexp2.Regexp

func (p *pattern) String() string { return (*regexp2.Regexp)(p).String() }

func (p *pattern) MatchString(s string) bool {
	ok, err := (*regexp2.Regexp)(p).MatchString(s)
	return err == nil && ok
}
