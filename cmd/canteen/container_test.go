package main

import (
	"bufio"
	"debug/elf"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestContainer holds the Dockerfile to what it promises, without an engine: the
// binary that its own build line makes is static, and serves as nobody on a
// read-only root with nothing else in it.
func TestContainer(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the whole binary")
	}
	file, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(file), "\\\n", " ")
	for _, want := range []string{"FROM scratch", "USER 65534:65534", "VOLUME /data", `CMD ["serve"]`} {
		if !strings.Contains(text, want) {
			t.Errorf("the Dockerfile has no %q", want)
		}
	}
	build := regexp.MustCompile(`(?m)^RUN (CGO_ENABLED=0 go build .*?) -o /canteen (\S+)`).FindStringSubmatch(text)
	if build == nil {
		t.Fatal("the Dockerfile has no build line with CGO_ENABLED=0")
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(makefile), build[1]+" -o canteen "+build[2]) {
		t.Errorf("make build does not use the flags of the Dockerfile: %s", build[1])
	}

	root := t.TempDir()
	if err := os.Chmod(filepath.Dir(root), 0o755); err != nil { // nobody has to get in
		t.Fatal(err)
	}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(root, "canteen")
	sh := exec.CommandContext(t.Context(), "sh", "-c", build[1]+" -o "+binary+" "+build[2])
	sh.Dir = "../.."
	if out, err := sh.CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	// 23 MB are the encoder's weights, 7 what the built-in folder's fit gives.
	if mb := info.Size() >> 20; mb >= 64 {
		t.Errorf("the binary has %d MB, 64 is the limit", mb)
	}
	image, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	for _, p := range image.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the binary is not static: it asks for a dynamic loader")
		}
	}

	if os.Getuid() != 0 || exec.CommandContext(t.Context(), "unshare", "--mount", "true").Run() != nil {
		t.Skip("mount namespaces need root: the rest cannot be tried here")
	}
	if err := os.Mkdir(filepath.Join(root, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-c", `set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount -t tmpfs -o uid=65534,gid=65534,mode=755 tmpfs "$1/data"
exec env -i /usr/sbin/chroot --userspec=65534:65534 "$1" /canteen serve --listen 127.0.0.1:0 --database /data/canteen.db`, "sh", root)
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	run.Stderr = &log
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = run.Process.Kill(); _ = run.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = run.Wait()
		t.Fatalf("it did not serve: %v: %s", err, log.String())
	}
	url := strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
	if code, body := get(t, http.DefaultClient, url+"/readyz"); code != http.StatusOK {
		t.Errorf("/readyz: %d %s", code, body)
	}
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(run.Process.Pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^Uid:\t65534\t65534\t65534\t65534$`).Match(status) {
		t.Errorf("it does not run as nobody:\n%s", status)
	}
}
