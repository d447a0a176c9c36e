// Package apiserver starts the sandbox, which test/sandbox builds, for a test, and asks it. Tests alone import it.
package apiserver

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Sandbox is a running API server: the line that the sandbox prints when it is ready.
type Sandbox struct {
	Kubeconfig, Server, Dir, AuditLog string
	// Node is there with --node.
	Node *struct {
		Name, Address string
		Outside       []string
	}
	// Binary is the sandbox's own, which is kubectl as well.
	Binary string `json:"-"`
}

// cannot is the sandbox's exit code where the machine cannot do what was asked for.
const cannot = 3

// Start starts a sandbox that ends with the test. It skips the test where SANDBOX_BIN names none, and where
// the machine cannot run what the arguments ask for.
func Start(t testing.TB, args ...string) *Sandbox {
	t.Helper()
	s := &Sandbox{Binary: os.Getenv("SANDBOX_BIN")}
	if s.Binary == "" {
		t.Skip("SANDBOX_BIN does not name a built sandbox (make e2e builds one)")
	}
	cmd := exec.CommandContext(t.Context(), s.Binary, append([]string{"up", "--until-stdin-closes"}, args...)...)
	var complaint bytes.Buffer
	cmd.Stderr = io.MultiWriter(t.Output(), &complaint)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		_ = cmd.Wait() // which the exit code tells
		if cmd.ProcessState.ExitCode() == cannot {
			t.Skip(strings.TrimSpace(complaint.String()))
		}
		t.Fatalf("start sandbox: %v", err)
	}
	if err := json.Unmarshal(line, s); err != nil {
		t.Fatalf("start sandbox: %v in %s", err, line)
	}
	return s
}

// Kubectl runs kubectl, with no kubeconfig but that of the arguments.
func (s *Sandbox) Kubectl(t testing.TB, stdin string, args ...string) (out, message string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), s.Binary, append([]string{"kubectl"}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "KUBECONFIG=")
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}

// User is the path of a kubeconfig for another user, whom the arguments of 'sandbox kubeconfig' describe.
func (s *Sandbox) User(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), s.Binary, append([]string{"kubeconfig", "--dir", s.Dir}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
