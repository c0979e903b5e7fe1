package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestDeploy parses what is shipped for running Canteen, and holds it to the
// program: its paths, its metrics, its user, and long enough to stop.
func TestDeploy(t *testing.T) {
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("deploy", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var compose struct {
		Services map[string]struct {
			ReadOnly  bool              `yaml:"read_only"`
			Env       map[string]string `yaml:"environment"`
			GraceTime string            `yaml:"stop_grace_period"`
			Deploy    struct{ Replicas int }
		}
		Secrets, Volumes map[string]any
	}
	if err := yaml.Unmarshal(read("compose.yaml"), &compose); err != nil {
		t.Fatalf("compose.yaml: %v", err)
	}
	c := compose.Services["canteen"]
	if len(compose.Services) != 3 || c.Deploy.Replicas != 2 || !c.ReadOnly || !strings.HasPrefix(c.Env["DATABASE_URL"], "postgres://") || c.GraceTime != "45s" {
		t.Errorf("compose.yaml: %+v", compose.Services)
	}

	kinds := map[string]map[string]any{}
	dec := yaml.NewDecoder(bytes.NewReader(read("kubernetes.yaml")))
	for {
		var doc map[string]any
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("kubernetes.yaml: %v", err)
		}
		kinds[doc["kind"].(string)] = doc
	}
	for _, kind := range []string{"ConfigMap", "Deployment", "Service", "PersistentVolumeClaim", "PodDisruptionBudget"} {
		if kinds[kind] == nil {
			t.Errorf("kubernetes.yaml has no %s", kind)
		}
	}
	for _, want := range []string{"runAsNonRoot: true", "readOnlyRootFilesystem: true", "path: /healthz", "path: /readyz", "terminationGracePeriodSeconds: 45"} {
		if !strings.Contains(string(read("kubernetes.yaml")), want) {
			t.Errorf("kubernetes.yaml has no %q", want)
		}
	}

	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(read("grafana.json"), &board); err != nil {
		t.Fatalf("grafana.json: %v", err)
	}
	source, err := os.ReadFile("metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`canteen_[a-z_]+`)
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			for _, m := range named.FindAllString(target.Expr, -1) {
				if !strings.Contains(string(source), `"`+strings.TrimSuffix(m, "_bucket")+`"`) {
					t.Errorf("grafana.json, %s: there is no metric %s", p.Title, m)
				}
			}
		}
	}
}
