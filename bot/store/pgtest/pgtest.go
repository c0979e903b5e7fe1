//go:build unix

// Package pgtest runs a private PostgreSQL for tests: a cluster in a temporary
// folder, on a free port of the loopback interface, gone when the test ends.
package pgtest

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver named pgx
)

// Password is the password of every server's one user, for tests to look for
// where it must not be.
const Password = "correct-horse"

// Server is a running PostgreSQL.
type Server struct {
	bin, dir string
	as       *syscall.Credential
	port     int
	settings []string
	process  *os.Process // nil when it is stopped
	ended    chan struct{}
	last     int
}

// New starts a server for the rest of the test, with settings such as "fsync=on",
// which is off by default. Without PostgreSQL's programs it skips the test, or with
// CANTEEN_REQUIRE_POSTGRES=1 fails it.
func New(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := &Server{bin: programs(), settings: append([]string{"unix_socket_directories=", "fsync=off", "max_connections=200", "shared_buffers=64MB"}, settings...)}
	if s.bin == "" {
		const missing = "PostgreSQL's programs are not there: install the package postgresql"
		if os.Getenv("CANTEEN_REQUIRE_POSTGRES") == "1" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	if err := s.create(); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		s.stop(syscall.SIGQUIT)
		if err := os.RemoveAll(s.dir); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	s.Start(t)
	return s
}

// programs finds the folder with PostgreSQL's programs, the newest where there are
// several.
func programs() string {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is well-formed
	version := func(dir string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		return n
	}
	slices.SortFunc(dirs, func(a, b string) int { return version(b) - version(a) })
	if found, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(found))
	}
	for _, dir := range dirs {
		_, initdb := exec.LookPath(filepath.Join(dir, "initdb"))
		_, postgres := exec.LookPath(filepath.Join(dir, "postgres"))
		if initdb == nil && postgres == nil {
			return dir
		}
	}
	return ""
}

func (s *Server) create() (err error) {
	if s.dir, err = os.MkdirTemp("", "pgtest-"); err != nil {
		return err
	}
	password := filepath.Join(s.dir, "password")
	if err := os.WriteFile(password, []byte(Password), 0o600); err != nil {
		return err
	}
	if os.Geteuid() == 0 { // which the server refuses to run as
		if s.as, err = unprivileged(); err != nil {
			return err
		}
		for _, path := range []string{s.dir, password} {
			if err := os.Chown(path, int(s.as.Uid), int(s.as.Gid)); err != nil {
				return err
			}
		}
	}
	out, err := s.command("initdb", "--no-sync", "--encoding=UTF8", "--locale=C", "--username=canteen", "--auth=scram-sha-256", "--pwfile="+password).CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("no user to run PostgreSQL as")
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), append([]string{"-D", filepath.Join(s.dir, "data")}, args...)...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	return cmd
}

// Start starts the server after a Stop, on the port that it had.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	for try := 0; ; try++ {
		err := s.start(s.port)
		if err == nil {
			return
		}
		if try == 4 {
			t.Fatalf("pgtest: %v", err)
		}
	}
}

func (s *Server) start(port int) error {
	if port == 0 { // another may take it in between: then Start tries again
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		port = l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{"-p", strconv.Itoa(port), "-h", "127.0.0.1"}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	cmd := s.command("postgres", args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.port, s.process, s.ended = port, cmd.Process, make(chan struct{})
	go func() {
		_ = cmd.Wait() // that it was stopped is no error
		close(s.ended)
	}()
	late := time.After(20 * time.Second)
	for {
		err := s.exec("SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
			continue
		case <-s.ended:
		case <-late:
		}
		s.stop(syscall.SIGKILL)
		s.port = 0
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("the server does not answer: %w\n%s", err, text)
	}
}

// Stop ends the server at once, as if its machine had lost power: what was being
// written is recovered at the next Start.
func (s *Server) Stop() { s.stop(syscall.SIGQUIT) }

func (s *Server) stop(sig syscall.Signal) {
	if s.process == nil {
		return
	}
	_ = s.process.Signal(sig) // it may have ended already
	<-s.ended
	s.process = nil
}

// Database makes an empty database and gives its address.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	s.last++
	name := fmt.Sprintf("test%d", s.last)
	s.Exec(t, "CREATE DATABASE "+name)
	return s.address(name)
}

// Exec runs a statement as the server's administrator.
func (s *Server) Exec(t testing.TB, query string) {
	t.Helper()
	if err := s.exec(query); err != nil {
		t.Fatalf("pgtest: %s: %v", query, err)
	}
}

func (s *Server) exec(query string) error {
	db, err := sql.Open("pgx", s.address("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err = db.ExecContext(ctx, query)
	return err
}

func (s *Server) address(database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword("canteen", Password), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}
