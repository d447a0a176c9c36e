package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

type hook struct {
	ID, Name, Description, Language, Entry, Files, Exclude string
	Args                                                   []string
	PassFilenames                                          *bool `json:"pass_filenames"`
	RequireSerial                                          bool  `json:"require_serial"`
}

// TestPreCommitHooks runs each hook's entry in a repository with staged files, as pre-commit does: its
// arguments, and the staged files that it asks for.
func TestPreCommitHooks(t *testing.T) {
	var hooks []hook
	readYAML(t, "../../.pre-commit-hooks.yaml", &hooks)
	if len(hooks) < 3 {
		t.Fatalf("%d hooks", len(hooks))
	}
	for _, h := range hooks {
		t.Run(h.ID, func(t *testing.T) {
			for name, test := range map[string]struct {
				files map[string]string
				want  int
			}{
				"bad":       {map[string]string{"bad.yaml": privileged}, 1},
				"good":      {map[string]string{"good.yaml": harmless}, 0},
				"no object": {map[string]string{"good.yaml": harmless, "values.yaml": "a: b\n", "notes.txt": privileged}, 0},
			} {
				dir := staged(t, test.files)
				args := append(strings.Fields(h.Entry), h.Args...)
				if h.PassFilenames == nil || *h.PassFilenames {
					args = append(args, matching(t, h, dir)...)
				}
				if args[0] != "coaming" {
					t.Fatalf("the entry is %q", h.Entry)
				}
				cmd := exec.CommandContext(t.Context(), absolute(t, coamingBinary(t)), args[1:]...)
				cmd.Dir = dir
				if out := run(t, cmd); out.code != test.want {
					t.Errorf("%s: exit code %d, want %d\n%s%s", name, out.code, test.want, out.stdout, out.stderr)
				}
			}
		})
	}
}

// TestPreCommitItself lets pre-commit run the hook that needs nothing built.
func TestPreCommitItself(t *testing.T) {
	program, err := exec.LookPath("pre-commit")
	if err != nil {
		t.Skip("pre-commit is not installed")
	}
	hooks := staged(t, map[string]string{".pre-commit-hooks.yaml": readText(t, "../../.pre-commit-hooks.yaml")})
	git(t, hooks, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "hooks")
	bin := t.TempDir()
	if err := os.Symlink(absolute(t, coamingBinary(t)), filepath.Join(bin, "coaming")); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{privileged: 1, harmless: 0} {
		dir := staged(t, map[string]string{"a.yaml": text})
		cmd := exec.CommandContext(t.Context(), program, "try-repo", hooks, "coaming-system", "--all-files", "--color=never")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "PRE_COMMIT_HOME="+t.TempDir(), "XDG_CACHE_HOME="+t.TempDir())
		if out := run(t, cmd); out.code != want {
			t.Errorf("exit code %d, want %d\n%s%s", out.code, want, out.stdout, out.stderr)
		}
	}
	cmd := exec.CommandContext(t.Context(), program, "validate-manifest", absolute(t, "../../.pre-commit-hooks.yaml"))
	cmd.Env = append(os.Environ(), "PRE_COMMIT_HOME="+t.TempDir())
	if out := run(t, cmd); out.code != 0 {
		t.Errorf("the manifest is not valid: %s%s", out.stdout, out.stderr)
	}
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	full, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return full
}

// staged is a repository with those files staged.
func staged(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git(t, dir, "init", "-q")
	git(t, dir, "add", "-A")
	return dir
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	out := run(t, cmd)
	if out.code != 0 {
		t.Fatalf("git %s: %s", strings.Join(args, " "), out.stderr)
	}
	return out.stdout
}

// matching are the staged files that a hook asks for.
func matching(t *testing.T, h hook, dir string) []string {
	t.Helper()
	var list []string
	for file := range strings.Lines(git(t, dir, "diff", "--cached", "--name-only")) {
		file = strings.TrimSpace(file)
		if regexp.MustCompile(h.Files).MatchString(file) && (h.Exclude == "" || !regexp.MustCompile(h.Exclude).MatchString(file)) {
			list = append(list, file)
		}
	}
	return list
}
