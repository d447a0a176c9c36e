package cluster

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// The executable of these tests is a shell script; the real one has a test of its own at the module's root.
func TestStartGivesUp(t *testing.T) {
	tests := map[string]struct {
		script string
		want   []string
	}{
		"component dies": {
			script: "case $1 in etcd) touch etcd.sock; exec sleep 60;; *) echo out of cheese; exit 3;; esac",
			want:   []string{"kube-apiserver: ended by itself: exit status 3", "out of cheese"},
		},
		"store never listens": {
			script: "echo $1 is thinking; exec sleep 60",
			want:   []string{"etcd: not ready after 500ms", "etcd is thinking"},
		},
		"API server never answers": {
			script: "touch etcd.sock; echo $1 is thinking; exec sleep 60",
			want:   []string{"kube-apiserver: not ready after 500ms", "connection refused", "kube-apiserver is thinking"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			lockThread(t)
			executable := filepath.Join(t.TempDir(), "components")
			if err := os.WriteFile(executable, []byte("#!/bin/sh\n"+test.script+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			t.Setenv("TMPDIR", t.TempDir())

			_, err := Start(t.Context(), Config{Executable: executable, Timeout: 500 * time.Millisecond})
			if err == nil {
				t.Fatal("started")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("want %q in: %v", want, err)
				}
			}
			left, err := os.ReadDir(os.TempDir())
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

// lockThread is what the kernel's promise to end the children asks of a caller of Start.
func lockThread(t *testing.T) {
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
}

func TestWaitEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := new(Cluster).Wait(ctx); err != nil {
		t.Errorf("asked to end, got %v", err)
	}
}

func TestMakeDir(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "thesis"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := MakeDir(full); err == nil {
		t.Error("a directory with something in it was accepted")
	}
	dir, err := MakeDir(filepath.Join(t.TempDir(), "new", "one"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("made %v, %v", info, err)
	}
}

func TestAPIServerArguments(t *testing.T) {
	own := "--anonymous-auth=true"
	got := Config{ControllerManager: true, APIServerFlags: []string{own}}.apiServerArguments(1)
	if got[len(got)-1] != own {
		t.Errorf("the caller's flag is not the last: %q", got)
	}
	for _, arg := range got {
		if strings.HasPrefix(arg, "--audit") || strings.HasPrefix(arg, "--disable-admission") {
			t.Errorf("%s was not asked for", arg)
		}
	}
	got = Config{Audit: true}.apiServerArguments(1)
	for _, want := range []string{"--audit-log-path=audit.log", "--disable-admission-plugins=ServiceAccount"} {
		if !slices.Contains(got, want) {
			t.Errorf("want %s in %q", want, got)
		}
	}
}

func TestTail(t *testing.T) {
	long := strings.Repeat("x", 100) + "\n"
	tests := map[string]struct{ content, want string }{
		"empty": {"", "  (empty)"},
		"short": {"one\ntwo\n", "  one\n  two"},
		"long":  {strings.Repeat(long, 1000) + "last\n", strings.Repeat("  "+long, tailLines-1) + "  last"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := tail(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestGist(t *testing.T) {
	report := "[+]ping ok\n[-]poststarthook/rbac/bootstrap-roles failed: reason withheld\n[+]etcd ok\nreadyz check failed\n"
	if got, want := gist(report), "[-]poststarthook/rbac/bootstrap-roles failed: reason withheld"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := gist("Unauthorized\n"); got != "Unauthorized" {
		t.Errorf("got %q", got)
	}
}
