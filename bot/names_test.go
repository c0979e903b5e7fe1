package bot

import (
	"encoding/json"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"canteen/knowledge"
)

// named are the types whose values are names: each is a constant in this package, and
// nowhere written out or put together.
var named = []string{"Word", "label", "Event", "Decided", "Feedback"}

// nameUsers are the packages that use them.
var nameUsers = []string{"bot", "bot/store", "adapters/slack", "adapters/teams", "adapters/teams/connector", "adapters/web", "cmd/canteen"}

// TestNamesAreConstants reads the whole program: a misspelt name would be found by
// nobody else.
func TestNamesAreConstants(t *testing.T) {
	p := newProgram()
	all := map[types.Object]bool{}
	for _, typ := range named {
		for _, c := range p.constants(t, typ) {
			all[c] = true
		}
	}
	var look func(ast.Node) bool
	look = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			return n.Tok != token.CONST
		case *ast.KeyValueExpr: // to have a text is no use
			if _, ok := n.Key.(*ast.Ident); !ok {
				ast.Inspect(n.Key, look)
			}
			ast.Inspect(n.Value, look)
			return false
		case *ast.Ident:
			delete(all, p.info.Uses[n])
		case *ast.BasicLit:
			if n.Kind == token.STRING && n.Value != `""` && isName(p.info.TypeOf(n)) {
				t.Errorf("%s: %s is written out: use its constant", p.fset.Position(n.Pos()), n.Value)
			}
		case *ast.CallExpr:
			if fun := p.info.Types[n.Fun]; fun.IsType() && isName(fun.Type) {
				t.Errorf("%s: a name is made of another text", p.fset.Position(n.Pos()))
			}
		}
		return true
	}
	for _, pkg := range nameUsers {
		p.check(t, "canteen/"+pkg)
		for _, f := range p.files["canteen/"+pkg] {
			ast.Inspect(f, look)
		}
	}
	for c := range all {
		t.Errorf("%s is used nowhere", c.Name())
	}
}

// Each message has its file, and each file its message.
func TestWordsHaveFiles(t *testing.T) {
	files, err := fs.Glob(knowledge.Embedded, "wording/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(path.Base(f), ".md")
	}
	sameNames(t, "Word", files)
}

// Each label of a button has its text, and each text its label.
func TestLabelsHaveTexts(t *testing.T) {
	sameNames(t, "label", texts(t, labels))
}

// Each event has its name for people, and each name its event.
func TestEventsHaveNames(t *testing.T) {
	sameNames(t, "Event", texts(t, eventNames))
}

// What is stored stays as it is: databases have these names from the first version on.
func TestStoredNames(t *testing.T) {
	for typ, names := range map[string]string{
		"Event": "opened added replied edited anonymous reopened withdrawn deleted not-this claimed given-back assigned asked-back answered corrected " +
			"not-ours false-alarm closed promoted learnt offered reminded undelivered",
		"Decided":  "answer likely clarify signpost smalltalk escalate act shown feedback",
		"Feedback": "helped not-meant chose none ask-comms pass-on hand-off no-help words",
	} {
		sameNames(t, typ, strings.Fields(names))
	}
	const question = `{"id":"q","asker":{"ID":"","Name":""},"in":"","audience":"private","text":"may I?","at":"2026-06-03T10:00:00Z","decision":"clarify","feedback":"not-meant"}`
	stored[Question](t, question)
	const step = `{"at":"2026-06-03T10:00:00Z","what":"given-back","by":{"ID":"slack:U1","Name":"Carol"},"text":"x"}`
	if s := stored[Step](t, step); s.What != EventGivenBack {
		t.Errorf("read as %q", s.What)
	}
	stored[Step](t, `{"at":"2026-06-03T10:00:00Z","what":"of-a-later-version"}`)
}

// stored reads a document and writes it again, to the same bytes.
func stored[T any](t *testing.T, data string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(data), &v); err != nil {
		t.Fatal(err)
	}
	if again, err := json.Marshal(v); err != nil || string(again) != data {
		t.Errorf("written as %s, %v", again, err)
	}
	return v
}

// texts are the names that have one.
func texts[K ~string](t *testing.T, of map[K]string) []string {
	t.Helper()
	var list []string
	for name, text := range of {
		if text == "" {
			t.Errorf("%q has an empty text", name)
		}
		list = append(list, string(name))
	}
	return list
}

// sameNames compares the values of the constants of a type with what there is of each.
func sameNames(t *testing.T, typ string, have []string) {
	t.Helper()
	names := map[string]string{}
	for _, c := range newProgram().constants(t, typ) {
		v := constant.StringVal(c.Val())
		if names[v] != "" {
			t.Errorf("%s and %s are both %q", names[v], c.Name(), v)
		}
		names[v] = c.Name()
		if !slices.Contains(have, v) {
			t.Errorf("%s: there is nothing for %q", c.Name(), v)
		}
	}
	for _, v := range have {
		if names[v] == "" {
			t.Errorf("%q has no constant of type %s", v, typ)
		}
	}
}

func isName(t types.Type) bool {
	n, ok := types.Unalias(t).(*types.Named)
	return ok && n.Obj().Pkg() != nil && strings.HasPrefix(n.Obj().Pkg().Path(), "canteen/") && slices.Contains(named, n.Obj().Name())
}

// program reads the project's packages with their types, and knows nothing of any others:
// what is wrong only for the want of those is no matter here.
type program struct {
	fset  *token.FileSet
	info  *types.Info
	pkgs  map[string]*types.Package
	files map[string][]*ast.File
	err   error
}

func newProgram() *program {
	return &program{fset: token.NewFileSet(), pkgs: map[string]*types.Package{}, files: map[string][]*ast.File{},
		info: &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}}
}

// Import implements types.Importer.
func (p *program) Import(pkg string) (*types.Package, error) {
	if p.pkgs[pkg] != nil {
		return p.pkgs[pkg], nil
	}
	dir, ours := strings.CutPrefix(pkg, "canteen/")
	if !ours {
		p.pkgs[pkg] = types.NewPackage(pkg, path.Base(pkg))
		p.pkgs[pkg].MarkComplete()
		return p.pkgs[pkg], nil
	}
	list, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(dir), "*.go"))
	for _, file := range list {
		if err != nil || strings.HasSuffix(file, "_test.go") {
			continue
		}
		var f *ast.File
		f, err = parser.ParseFile(p.fset, file, nil, parser.SkipObjectResolution)
		p.files[pkg] = append(p.files[pkg], f)
	}
	if err != nil {
		p.err = err
		return nil, err
	}
	c := types.Config{Importer: p, Error: func(error) {}}
	p.pkgs[pkg], _ = c.Check(pkg, p.fset, p.files[pkg], p.info)
	return p.pkgs[pkg], nil
}

func (p *program) check(t *testing.T, pkg string) *types.Package {
	t.Helper()
	x, _ := p.Import(pkg)
	if p.err != nil || len(p.files[pkg]) == 0 {
		t.Fatalf("%s: %d files: %v", pkg, len(p.files[pkg]), p.err)
	}
	return x
}

// constants are those of a type in this package.
func (p *program) constants(t *testing.T, typ string) []*types.Const {
	t.Helper()
	scope := p.check(t, "canteen/bot").Scope()
	var list []*types.Const
	for _, name := range scope.Names() {
		if c, ok := scope.Lookup(name).(*types.Const); ok && types.Identical(c.Type(), scope.Lookup(typ).Type()) {
			list = append(list, c)
		}
	}
	if len(list) == 0 {
		t.Fatalf("no constants of type %s", typ)
	}
	return list
}
