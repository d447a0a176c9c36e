package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coaming/coaming/test/sandbox/node"
)

// Two nodes run side by side; one is killed and one ends in order, and the machine is as it was.
func TestNode(t *testing.T) {
	before := look(t)
	a := start(t, "--node")
	b := start(t, "--node")
	for _, s := range []*sandbox{a, b} {
		s.runsPods(t)
	}
	t.Run("names are answered", func(t *testing.T) {
		s := a
		got, err := s.in(t, "getent", "hosts", "kubernetes.default.svc.cluster.local")
		if err == nil {
			t.Errorf("the node itself asks nobody for names, got %s", got)
		}
		if got := s.kubectl(t, "get", "deployment", "coredns", "-n", "kube-system", "-o", "jsonpath={.status.availableReplicas}"); got != "1" {
			t.Errorf("CoreDNS has %q ready pods", got)
		}
	})
	t.Run("commands run inside", func(t *testing.T) {
		if got, err := a.in(t, "hostname"); err != nil || strings.TrimSpace(got) != node.Name {
			t.Errorf("host name is %q, %v", got, err)
		}
		_, err := a.in(t, "sh", "-c", "exit 7")
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 7 {
			t.Errorf("want exit code 7, got %v", err)
		}
	})
	t.Run("nothing of the machine can be written", func(t *testing.T) {
		for _, path := range []string{"/usr/sandbox-was-here", "/tmp/sandbox-was-here", "/home/sandbox-was-here", "/proc/sys/vm/swappiness", "/proc/sys/kernel/core_pattern"} {
			if out, err := a.in(t, "sh", "-c", "echo 1 >> "+path); err == nil {
				t.Errorf("%s could be written: %s", path, out)
			}
		}
		if _, err := a.in(t, "sh", "-c", "echo mine > /etc/sandbox-was-here && echo 1 > /proc/sys/vm/overcommit_memory"); err != nil {
			t.Errorf("a node cannot write what it is to think it writes: %v", err)
		}
		if _, err := os.Stat("/etc/sandbox-was-here"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it came out: %v", err)
		}
	})
	t.Run("a command ends with who asked for it", func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		cmd := exec.CommandContext(ctx, binary(t), "in", "--dir", a.Dir, "sleep", "4711")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		runs := func() bool {
			_, err := a.in(t, "pgrep", "-f", "^sleep 4711$|/sleep 4711$")
			return err == nil
		}
		waitFor(t, "the command", runs)
		end()
		_ = cmd.Wait()
		waitFor(t, "its end", func() bool { return !runs() })
	})

	processes := append(below(t, a.Node.First), below(t, b.Node.First)...)
	if len(processes) < 20 {
		t.Errorf("two nodes have only %d processes", len(processes))
	}
	if err := a.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = a.cmd.Wait()
	waitFor(t, "the end of what was killed", func() bool { _, err := os.Stat(a.Dir); return errors.Is(err, fs.ErrNotExist) })
	b.kubectl(t, "get", "--raw", "/readyz")
	b.stdin.Close()
	if err := b.cmd.Wait(); err != nil {
		t.Errorf("end: %v", err)
	}
	a.gone(t, processes)
	a.empty(t)
	b.empty(t)
	if after := look(t); after != before {
		t.Errorf("the machine was\n%s\nand is\n%s", before, after)
	}
}

func TestNodeNeedsRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("whoever is not root cannot become somebody else")
	}
	program := filepath.Join(t.TempDir(), "sandbox") // where anybody may run it
	data, err := os.ReadFile(binary(t))
	if err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(program); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(program, data, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "up", "--node")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 3 {
		t.Errorf("want exit code 3, got %v: %s", err, out)
	}
	if !strings.Contains(string(out), "this machine cannot run a node: a node needs root") {
		t.Errorf("no reason in: %s", out)
	}
}

// runsPods has the node run an image that it was given.
func (s *sandbox) runsPods(t *testing.T) {
	t.Helper()
	program, err := node.Pause()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "wait")
	if err := os.WriteFile(path, program, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), binary(t), "load", "--dir", s.Dir, "--image", "example.test/wait:1", path).CombinedOutput(); err != nil {
		t.Fatalf("load image: %v: %s", err, out)
	}
	s.kubectl(t, "run", "waiting", "--image=example.test/wait:1", "--image-pull-policy=Never")
	s.kubectl(t, "wait", "pod/waiting", "--for=condition=Ready", "--timeout=60s")
}

// in runs a command on the node.
func (s *sandbox) in(t *testing.T, command ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary(t), append([]string{"in", "--dir", s.Dir}, command...)...)
	out, err := cmd.Output()
	return string(out), err
}

// below are a process and its descendants.
func below(t *testing.T, pid int) []string {
	t.Helper()
	s := &sandbox{PID: pid}
	list := s.children(t)
	for i := 0; i < len(list); i++ {
		s.PID = 0
		for _, c := range list[i] {
			s.PID = s.PID*10 + int(c-'0')
		}
		list = append(list, s.children(t)...)
	}
	return list
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// look is what a sandbox could leave of itself on the machine: mounts, links, control groups, settings of the kernel.
func look(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	b.Write(mounts)
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		b.WriteString(link.Name + "\n")
	}
	for _, setting := range []string{"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward"} {
		value, err := os.ReadFile("/proc/sys/" + setting)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(setting + " = " + string(value))
	}
	groups, err := filepath.Glob("/sys/fs/cgroup/*/coaming-sandbox-*")
	if err != nil {
		t.Fatal(err)
	}
	own := slices.DeleteFunc(groups, func(path string) bool { return !strings.HasPrefix(filepath.Base(path), "coaming-sandbox-") })
	b.WriteString(strings.Join(own, "\n"))
	return b.String()
}
