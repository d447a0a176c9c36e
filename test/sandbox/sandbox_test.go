// Package sandbox_test runs the built binary as the product's tests do, through nothing but its command line and its JSON line.
//
// Name the binary in SANDBOX_BIN; without it the tests skip, because building it takes minutes.
package sandbox_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestUp(t *testing.T) {
	s := start(t)

	if got := s.kubectl(t, "get", "--raw", "/readyz"); got != "ok" {
		t.Errorf("/readyz says %q", got)
	}
	if got := s.kubectl(t, "version", "-o", "json"); strings.Count(got, `"gitVersion": "`+kubernetesVersion(t)+`"`) != 2 || s.Version != kubernetesVersion(t) {
		t.Errorf("want client, server and JSON line to be %s, got %s and %s", kubernetesVersion(t), s.Version, got)
	}
	s.kubectl(t, "create", "namespace", "team")
	s.kubectl(t, "label", "namespace", "team", "pod-security.kubernetes.io/enforce=baseline")

	t.Run("service accounts are made, so pods are admitted", func(t *testing.T) {
		s.kubectl(t, "run", "web", "--image=example.test/web:1")
	})
	t.Run("pod security refuses a privileged pod", func(t *testing.T) {
		// kubectl itself waits for nothing: the namespace's service account may be a moment away.
		s.eventually(t, "get", "serviceaccount", "default", "-n", "team")
		s.refused(t, s.Kubeconfig, "violates PodSecurity", "run", "web", "-n", "team", "--image=example.test/web:1", "--privileged")
	})
	t.Run("controllers clean up", func(t *testing.T) {
		s.kubectl(t, "delete", "namespace", "team", "--timeout=30s")
	})
	t.Run("user without a role is forbidden", func(t *testing.T) {
		s.refused(t, s.user(t, "--user", "alice", "--group", "dev"), "(Forbidden)", "get", "secrets", "-A")
	})
	t.Run("group gets what it is bound to", func(t *testing.T) {
		s.kubectl(t, "create", "clusterrolebinding", "readers", "--clusterrole=view", "--group=readers")
		reader := s.user(t, "--user", "bob", "--group", "dev", "--group", "readers")
		s.run(t, reader, "get", "pods", "-A")
		s.refused(t, reader, "(Forbidden)", "get", "secrets", "-A")
	})
	t.Run("expired certificate is no credential", func(t *testing.T) {
		s.refused(t, s.user(t, "--user", "alice", "--expired"), "(Unauthorized)", "get", "--raw", "/api")
	})
	t.Run("no credential is no user", func(t *testing.T) {
		client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // a stranger has no authority to trust either
		defer client.CloseIdleConnections()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Server+"/api", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized {
			t.Errorf("want 401, got %s", response.Status)
		}
	})

	children := s.children(t)
	if len(children) != 3 {
		t.Errorf("want 3 children, got %v", children)
	}
	s.stdin.Close()
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("end: %v", err)
	}
	s.gone(t, children)
	s.empty(t)
}

func TestUpWithAuditAndDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	s := start(t, "--no-controller-manager", "--audit", "--dir", dir)
	s.kubectl(t, "create", "configmap", "plain", "--from-literal=key=hidden-from-the-log")
	s.kubectl(t, "run", "web", "--image=example.test/web:1") // nobody made its service account

	children := s.children(t)
	if len(children) != 2 {
		t.Errorf("want 2 children, got %v", children)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("end: %v", err)
	}
	s.gone(t, children)

	log, err := os.ReadFile(s.AuditLog)
	if err != nil {
		t.Fatalf("the directory that was asked for did not stay: %v", err)
	}
	created := regexp.MustCompile(`"verb":"create","user":\{"username":"sandbox-admin".*"resource":"configmaps"`)
	if !created.Match(log) {
		t.Errorf("audit log lacks the config map in %d bytes", len(log))
	}
	if bytes.Contains(log, []byte("hidden-from-the-log")) {
		t.Error("audit log holds a config map's content")
	}
}

func TestKilledSupervisorTakesChildren(t *testing.T) {
	s := start(t, "--no-controller-manager")
	children := s.children(t)
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err == nil {
		t.Error("killed, but no error")
	}
	s.gone(t, children)
}

func TestUpExplainsFailure(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), binary(t), "up", "--apiserver-flag=--authorization-mode=Astrology")
	temp := t.TempDir()
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		t.Errorf("want exit code 1, got %v", err)
	}
	if !strings.HasPrefix(stderr.String(), "sandbox: kube-apiserver: ended by itself") || !strings.Contains(stderr.String(), "Astrology") {
		t.Errorf("stderr does not explain:\n%s", &stderr)
	}
	if stdout.Len() > 0 {
		t.Errorf("stdout: %s", &stdout)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// sandbox is a running binary and what its JSON line said.
type sandbox struct {
	Kubeconfig, Server, Dir, Version, AuditLog string
	PID                                        int
	Node                                       *struct{ First int }
	cmd                                        *exec.Cmd
	stdin                                      io.Closer
	temp                                       string
}

func binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("SANDBOX_BIN")
	if path == "" {
		t.Skip("SANDBOX_BIN does not name a built sandbox (see build.sh)")
	}
	return path
}

func start(t *testing.T, args ...string) *sandbox {
	t.Helper()
	s := &sandbox{temp: t.TempDir()}
	s.cmd = exec.CommandContext(t.Context(), binary(t), append([]string{"up", "--until-stdin-closes"}, args...)...)
	s.cmd.Env = append(os.Environ(), "TMPDIR="+s.temp)
	var complaint bytes.Buffer
	s.cmd.Stderr = io.MultiWriter(t.Output(), &complaint)
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.stdin = stdin
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = s.cmd.Wait() // the test has looked at its error already, or is failing anyway
	})
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		_ = s.cmd.Wait()
		if s.cmd.ProcessState.ExitCode() == 3 {
			t.Skip(strings.TrimSpace(complaint.String()))
		}
		t.Fatalf("read JSON line: %v", err)
	}
	if err := json.Unmarshal(line, s); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	t.Logf("up after %v: %s", time.Since(began).Round(10*time.Millisecond), bytes.TrimSpace(line))
	if s.PID != s.cmd.Process.Pid {
		t.Errorf("pid is %d, want %d", s.PID, s.cmd.Process.Pid)
	}
	return s
}

// kubectl runs as the administrator and must succeed.
func (s *sandbox) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	return s.run(t, s.Kubeconfig, args...)
}

func (s *sandbox) run(t *testing.T, kubeconfig string, args ...string) string {
	t.Helper()
	out, err := s.try(t, kubeconfig, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// refused runs kubectl and wants it to fail for a reason.
func (s *sandbox) refused(t *testing.T, kubeconfig, reason string, args ...string) {
	t.Helper()
	out, err := s.try(t, kubeconfig, args...)
	if err == nil || !strings.Contains(out, reason) {
		t.Errorf("kubectl %s: want refusal %q, got %v\n%s", strings.Join(args, " "), reason, err, out)
	}
}

// eventually asks until kubectl succeeds.
func (s *sandbox) eventually(t *testing.T, args ...string) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		out, err := s.try(t, s.Kubeconfig, args...)
		if err == nil {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

func (s *sandbox) try(t *testing.T, kubeconfig string, args ...string) (string, error) {
	cmd := exec.CommandContext(t.Context(), binary(t), append([]string{"kubectl", "--kubeconfig=" + kubeconfig}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+s.temp) // no .kuberc, and the discovery cache goes with the test
	cmd.Dir = s.temp
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// user is the path of a kubeconfig that `sandbox kubeconfig` printed.
func (s *sandbox) user(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary(t), append([]string{"kubeconfig", "--dir", s.Dir}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// children lists the processes that the supervisor has started.
func (s *sandbox) children(t *testing.T) []string {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", s.PID))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, list := range lists {
		data, err := os.ReadFile(list)
		if err != nil && !errors.Is(err, os.ErrNotExist) { // a thread may end in between
			t.Fatal(err)
		}
		all = append(all, strings.Fields(string(data))...)
	}
	return all
}

// gone waits until none of the processes runs any more. One that has ended may still be a zombie, as nobody has to reap orphans at once.
func (s *sandbox) gone(t *testing.T, pids []string) {
	t.Helper()
	runs := func(pid string) bool {
		data, err := os.ReadFile("/proc/" + pid + "/stat") // PID (NAME) STATE ...
		_, state, _ := strings.Cut(string(data), ") ")
		return err == nil && !strings.HasPrefix(state, "Z")
	}
	for until := time.Now().Add(5 * time.Second); slices.ContainsFunc(pids, runs); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("of %v some still run", pids)
		}
	}
}

// empty wants the temporary directory to hold nothing but what kubectl has cached.
func (s *sandbox) empty(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir(s.temp)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() != ".kube" {
			t.Errorf("left behind: %s", entry.Name())
		}
	}
}

// kubernetesVersion is the one that go.mod requires.
func kubernetesVersion(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`k8s\.io/kubernetes (v\S+)`).FindSubmatch(data)
	if match == nil {
		t.Fatal("go.mod does not require k8s.io/kubernetes")
	}
	return string(match[1])
}
