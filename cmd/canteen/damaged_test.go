package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// With the encoder's weights damaged, what is left ranks by words, and the doctor and
// /readyz say so. The program is built with half of the weights.
func TestDamagedWeights(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds the program")
	}
	weights, err := filepath.Abs(filepath.Join("..", "..", "knowledge", "match", "encoder", "minilm", "minilm.bin"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	half, overlay, program := filepath.Join(dir, "half.bin"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "canteen")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{weights: half}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{half: data[:len(data)/2], overlay: replace} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	run := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Dir, cmd.Env = dir, env
		out, _ := cmd.CombinedOutput() // the doctor's exit code tells of other things too
		return string(out)
	}
	if out := run("ask", "can i tweet about work"); !strings.Contains(out, "Staff tweeting on their own accounts") || !strings.Contains(out, "no sentence encoder") {
		t.Errorf("ask: %s", out)
	}
	if out := run("doctor"); !strings.Contains(out, "entries are found by their words alone, because the program is damaged") {
		t.Errorf("doctor: %s", out)
	}
	p := startProgram(t, program, t.TempDir(), nil)
	if code, body := get(t, http.DefaultClient, p.url+"/readyz"); code != http.StatusOK || !strings.Contains(body, "words alone") {
		t.Errorf("/readyz: %d %s", code, body)
	}
}
