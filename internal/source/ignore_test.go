package source

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestIgnoreRules(t *testing.T) {
	tests := map[string]struct {
		file, path string
		dir        bool
		want       bool
	}{
		"name anywhere":                {"secret.yaml", "a/b/secret.yaml", false, true},
		"name is whole":                {"secret", "a/secret.yaml", false, false},
		"leading slash":                {"/a.yaml", "sub/a.yaml", false, false},
		"middle slash anchors":         {"sub/a.yaml", "x/sub/a.yaml", false, false},
		"directory only":               {"out/", "out", false, false},
		"directory":                    {"out/", "x/out", true, true},
		"negated":                      {"*.yaml\n!keep.yaml", "keep.yaml", false, false},
		"last wins":                    {"!keep.yaml\n*.yaml", "keep.yaml", false, true},
		"two stars in front":           {"**/a.yaml", "x/y/a.yaml", false, true},
		"two stars in front, none":     {"**/x/a.yaml", "x/a.yaml", false, true},
		"two stars in the middle":      {"x/**/a.yaml", "x/1/2/a.yaml", false, true},
		"two stars in the middle none": {"x/**/a.yaml", "x/a.yaml", false, true},
		"two stars at the end":         {"x/**", "x/y/z", false, true},
		"two stars want something":     {"x/**", "x", true, false},
		"star stops at a slash":        {"x/*.yaml", "x/y/a.yaml", false, false},
		"class":                        {"[a-c]?.yaml", "bz.yaml", false, true},
		"class negated":                {"[!a-c].yaml", "b.yaml", false, false},
		"class named":                  {"[[:digit:]].yaml", "7.yaml", false, true},
		"class without end":            {"[a.yaml", "[a.yaml", false, false},
		"escaped":                      {`\#a.yaml`, "#a.yaml", false, true},
		"escaped bang":                 {`\!a.yaml`, "!a.yaml", false, true},
		"comment":                      {"#a.yaml", "#a.yaml", false, false},
		"trailing space":               {"a.yaml  ", "a.yaml", false, true},
		"escaped trailing space":       {`a.yaml\ `, "a.yaml ", false, true},
		"carriage return":              {"a.yaml\r\n", "a.yaml", false, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := &scope{}
			s.rules[0] = parseIgnore(test.file)
			if got := s.ignored(test.path, test.dir); got != test.want {
				t.Errorf("%q under %q: ignored is %v, want %v", test.path, test.file, got, test.want)
			}
		})
	}
}

func TestOurIgnoreFileWins(t *testing.T) {
	outer := &scope{}
	outer.rules[1] = parseIgnore("!build.yaml")
	inner := &scope{outer: outer, base: len("sub/")}
	inner.rules[0] = parseIgnore("build.yaml\nother.yaml")
	if inner.ignored("sub/build.yaml", false) {
		t.Error(".coamingignore does not win over a deeper .gitignore")
	}
	if !inner.ignored("sub/other.yaml", false) {
		t.Error("sub/.gitignore is not heeded")
	}
}

// TestIgnoreAsGit asks git itself about made-up patterns and paths.
func TestIgnoreAsGit(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	run := func(stdin string, args ...string) string {
		command := exec.CommandContext(t.Context(), git, args...)
		command.Dir = dir
		command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		command.Stdin = strings.NewReader(stdin)
		var out bytes.Buffer
		command.Stdout = &out
		_ = command.Run() // check-ignore exits with 1 when nothing is ignored
		return out.String()
	}
	run("", "init", "-q")
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	// Not asked: "a**/b", of which git (2.39) takes the "a" off first and then reads "**/b", against its own manual;
	// and a slash between brackets.
	piece := func() string {
		return pick("a", "b", "ab", "*", "**", "?", "a*", "*b", "[ab]", "[!a]", "[^b]", "[a-b]*", "\\a", "[[:alpha:]]", "[]a]", "[a-]", "a?b", ".a", "*.*")
	}
	var paths []string
	for _, a := range []string{"a", "b", "ab", ".a", "a.b", "axb", "]"} {
		paths = append(paths, a)
		for _, b := range []string{"a", "b", "ab", "aab"} {
			paths = append(paths, a+"-d/"+b, "d/"+a+"/"+b)
		}
	}
	for round := range 100 {
		var file strings.Builder
		for range 1 + random.IntN(4) {
			file.WriteString(pick("", "", "", "!") + pick("", "", "/") + piece())
			for range random.IntN(3) {
				file.WriteString("/" + piece())
			}
			file.WriteString(pick("", "", "/", " ") + "\n")
		}
		if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte(file.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		s := &scope{}
		s.rules[0] = parseIgnore(file.String())
		want := map[string]bool{}
		for path := range strings.SplitSeq(run(strings.Join(paths, "\n")+"\n", "check-ignore", "--no-index", "--stdin"), "\n") {
			want[strings.Trim(path, `"`)] = true
		}
		for _, path := range paths {
			if got := s.below(path); got != want[path] {
				t.Fatalf("round %d: %s is ignored by us: %v, by git: %v; patterns:\n%s", round, path, got, want[path], file.String())
			}
		}
	}
}

// below asks as a walk does: directory by directory.
func (s *scope) below(path string) bool {
	for i := range len(path) {
		if path[i] == '/' && s.ignored(path[:i], true) {
			return true
		}
	}
	return s.ignored(path, false)
}
