package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/verdict"
	"helm.sh/helm/v4/pkg/strvals"
)

// tree writes files below a new directory and makes it the working directory. A value that begins
// with "-> " is a symbolic link.
func tree(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, isLink := strings.CutPrefix(content, "-> "); isLink {
			err = os.Symlink(strings.ReplaceAll(target, "$DIR", dir), name)
		} else {
			err = os.WriteFile(name, []byte(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func object(name string) string {
	return "apiVersion: v1\nkind: Pod\nmetadata:\n  name: " + name + "\n"
}

// found is a reading with its files, a line each; exclusions without their reasons.
func found(r *Reading) []string {
	var lines []string
	for _, o := range r.Objects {
		lines = append(lines, fmt.Sprintf("%s %s", o.Name, o.Origin.File))
	}
	for _, g := range r.Coverage.Gaps {
		line := fmt.Sprintf("gap %s %s", g.Code, g.Location.File)
		if g.Location.Line > 0 {
			line += fmt.Sprintf(":%d", g.Location.Line)
		}
		lines = append(lines, line)
	}
	for _, e := range r.Coverage.Exclusions {
		lines = append(lines, fmt.Sprintf("left out: %d %s", e.Count, e.What))
	}
	return lines
}

func read(t *testing.T, o FileOptions) *Reading {
	t.Helper()
	r, err := Files(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range r.Coverage.Gaps {
		if g.Remedy == "" || g.Message == "" {
			t.Errorf("a gap without message or remedy: %+v", g)
		}
	}
	return r
}

func TestFiles(t *testing.T) {
	const ignored = " files and directories that are ignored"
	const noObject = " files that hold no Kubernetes object"
	const linked = " symbolic links within the tree"
	tests := map[string]struct {
		files map[string]string
		paths []string
		want  []string
	}{
		"a file": {
			map[string]string{"a.yaml": object("a")}, []string{"a.yaml"}, []string{"a a.yaml"},
		},
		"sorted by path, whatever the arguments' order": {
			map[string]string{"b/a.yaml": object("b"), "a.yml": object("a"), "c.json": `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"c"}}`},
			[]string{"c.json", "b", "a.yml"},
			[]string{"a a.yml", "b b/a.yaml", "c c.json"},
		},
		"suffixes in any case": {
			map[string]string{"M.YAML": object("a"), "n.Yml": object("b"), "o.JSON": `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"c"}}`, "p.TXT": object("d")},
			[]string{"."},
			[]string{"a M.YAML", "b n.Yml", "c o.JSON"},
		},
		"a file is read once": {
			map[string]string{"d/a.yaml": object("a")}, []string{"d", "d/a.yaml", "./d", "d/../d"}, []string{"a d/a.yaml"},
		},
		"only manifests in a walk": {
			map[string]string{"a.yaml": object("a"), "b.txt": object("b"), "README.md": "apiVersion: x"}, []string{"."}, []string{"a a.yaml"},
		},
		"whatever is named": {
			map[string]string{"b.txt": object("b")}, []string{"b.txt"}, []string{"b b.txt"},
		},
		"hidden directories and node_modules": {
			map[string]string{"a.yaml": object("a"), ".github/w.yaml": object("w"), "node_modules/x/y.yaml": object("y"), ".hidden.yaml": object("h")},
			[]string{"."},
			[]string{"h .hidden.yaml", "a a.yaml", "left out: 1 hidden directories", "left out: 1 node_modules directories"},
		},
		"a hidden directory that is named": {
			map[string]string{".github/w.yaml": object("w")}, []string{".github"}, []string{"w .github/w.yaml"},
		},
		"ignore files": {
			map[string]string{
				".gitignore": "out/\n*.gen.yaml\n", ".coamingignore": "!keep.gen.yaml\nsecret.yaml\n",
				"out/o.yaml": object("o"), "a.gen.yaml": object("a"), "keep.gen.yaml": object("keep"), "secret.yaml": object("s"),
				"sub/.gitignore": "/x.yaml\n!y.gen.yaml\n", "sub/x.yaml": object("x"), "sub/y.gen.yaml": object("why"), "sub/d/x.yaml": object("dx"),
			},
			[]string{"."},
			[]string{"keep keep.gen.yaml", "dx sub/d/x.yaml", "why sub/y.gen.yaml", "left out: 4" + ignored},
		},
		"what is ignored can be named": {
			map[string]string{".gitignore": "a.yaml\nout/\n", "a.yaml": object("a"), "out/o.yaml": object("o"), ".git/HEAD": ""},
			[]string{"a.yaml", "out"},
			[]string{"a a.yaml", "o out/o.yaml"},
		},
		"ignore files above, in a repository": {
			map[string]string{".git/HEAD": "", ".gitignore": "*.gen.yaml\n/sub/b.yaml\n", "sub/a.gen.yaml": object("a"), "sub/b.yaml": object("b"), "sub/c.yaml": object("c")},
			[]string{"sub"},
			[]string{"c sub/c.yaml", "left out: 2" + ignored},
		},
		"text without objects": {
			map[string]string{"a.yaml": object("a"), "values.yaml": "image: {tag: 1}", "broken.json": "{ // comment", "ci.yml": "{{ not yaml", "compose.yaml": "services: {}", "k.yaml": "x: [{kind: 1}]"},
			[]string{"."},
			[]string{"a a.yaml", "left out: 4" + noObject, "left out: 1 documents that are no Kubernetes objects"},
		},
		"nothing in what is named": {
			map[string]string{"values.yaml": "image: {tag: 1}", "empty.yaml": "", "kubeconfig": "apiVersion: v1\nkind: Config\n"},
			[]string{"values.yaml", "empty.yaml", "kubeconfig"},
			[]string{
				"gap not-object empty.yaml", "gap not-object kubeconfig", "gap not-object values.yaml",
				"left out: 1 client-side configuration", "left out: 1 documents that are no Kubernetes objects",
			},
		},
		"an empty directory": {
			map[string]string{"d/README": ""}, []string{"d"}, []string{"gap missing d"},
		},
		"a template outside of a chart": {
			map[string]string{"t.yaml": "apiVersion: v1\nkind: {{ .Kind }}\n"}, []string{"."}, []string{"gap template t.yaml:1"},
		},
		"binary": {
			map[string]string{"a.yaml": "\x00GITCRYPT\x00apiVersion", "b.json": "\xfd\xfd"}, []string{"."}, []string{"gap binary a.yaml:1", "gap binary b.json:1"},
		},
		"patterns": {
			map[string]string{
				"a/x.yaml": object("ax"), "a/b/y.yaml": object("why"), "a/z.txt": object("z"), "c/x.yaml": object("cx"), ".h/x.yaml": object("h"),
				"node_modules/x.yaml": object("n"), ".gitignore": "c/\n",
			},
			[]string{"**/x.yaml", "a/**", "*/*.txt"},
			[]string{"why a/b/y.yaml", "ax a/x.yaml", "z a/z.txt"},
		},
		"a pattern for directories": {
			map[string]string{"a/k8s/x.yaml": object("a"), "b/k8s/y/x.yaml": object("b"), "b/other/x.yaml": object("o")},
			[]string{"*/k8s"},
			[]string{"a a/k8s/x.yaml", "b b/k8s/y/x.yaml"},
		},
		"a name that looks like a pattern": {
			map[string]string{"a[1].yaml": object("a"), "a1.yaml": object("b")}, []string{"a[1].yaml"}, []string{"a a[1].yaml"},
		},
		"links in a walk": {
			map[string]string{
				"d/a.yaml": object("a"), "d/.store/s.yaml": object("s"), "d/same.yaml": "-> a.yaml", "d/stored.yaml": "-> .store/s.yaml",
				"d/sub/up": "-> ..", "d/self": "-> self", "d/broken.yaml": "-> nothing.yaml", "d/out.yaml": "-> ../out.yaml", "d/deeper": "-> sub/below",
				"d/sub/below/b.yaml": object("b"), "out.yaml": object("out"), "d/notes": "-> nothing",
			},
			[]string{"d"},
			[]string{
				"a d/a.yaml", "s d/stored.yaml", "b d/sub/below/b.yaml",
				"gap missing d/broken.yaml", "gap unreadable d/out.yaml", "gap unreadable d/self", "gap unreadable d/sub/up",
				"left out: 1 hidden directories", "left out: 2" + linked,
			},
		},
		"links that are named": {
			map[string]string{"real/a.yaml": object("a"), "d": "-> real", "f.yaml": "-> real/a.yaml"}, []string{"d", "f.yaml"}, []string{"a d/a.yaml", "a f.yaml"},
		},
		"a broken link that is named": {
			map[string]string{"f.yaml": "-> nothing"}, []string{"f.yaml"}, []string{"gap missing f.yaml"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tree(t, test.files)
			if diff := cmp.Diff(test.want, found(read(t, FileOptions{Paths: test.paths}))); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWrongPaths(t *testing.T) {
	tree(t, map[string]string{"a.yaml": object("a")})
	for name, o := range map[string]FileOptions{
		"nothing":          {},
		"no such file":     {Paths: []string{"a.yaml", "b.yaml"}},
		"no match":         {Paths: []string{"*.yml"}},
		"no match, no dir": {Paths: []string{"x/**/*.yml"}},
		"no stdin":         {Paths: []string{"-"}},
		"no such chart":    {Releases: []Release{{Chart: "x"}}},
		"values":           {Paths: []string{"."}, Releases: []Release{{Chart: ".", Values: []string{"x.yaml"}}}},
		"set":              {Releases: []Release{{Chart: ".", Set: []string{"a[x]=b"}}}},
		"kube version":     {Releases: []Release{{Chart: "."}}, KubeVersion: "new"},
	} {
		_, err := Files(t.Context(), o)
		if remedy, ok := errors.AsType[*verdict.RemedyError](err); !ok || remedy.Remedy == "" {
			t.Errorf("%s: error %v has no remedy", name, err)
		}
	}
}

func TestStdin(t *testing.T) {
	endless := func() io.Reader { return &repeating{text: object("a") + "---\n"} }
	tests := map[string]struct {
		stdin io.Reader
		max   int64
		want  []string
	}{
		"objects":  {strings.NewReader(object("a") + "---\n" + object("b")), 0, []string{"a -", "b -"}},
		"empty":    {strings.NewReader(""), 0, []string{"gap not-object -"}},
		"no YAML":  {strings.NewReader("Error: chart requires kubeVersion\n"), 0, []string{"gap not-object -", "left out: 1 documents that are no Kubernetes objects"}},
		"endless":  {endless(), 120, []string{"a -", "a -", "gap too-large -"}},
		"one line": {&repeating{text: "a"}, 1000, []string{"gap too-large -"}},
		"breaks":   {io.MultiReader(strings.NewReader(object("a")+"---\napiVersion"), broken{}), 0, []string{"a -", "gap unreadable -"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := found(read(t, FileOptions{Paths: []string{"-"}, Stdin: test.stdin, MaxFile: test.max}))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
		})
	}
}

// repeating never ends.
type repeating struct {
	text string
	at   int
}

func (r *repeating) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.text[r.at%len(r.text)]
		r.at++
	}
	return len(p), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the pipe burst") }

// silent never gives anything.
type silent struct{}

func (silent) Read([]byte) (int, error) { select {} }

func TestContextEndsSilentStdin(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Files(ctx, FileOptions{Paths: []string{"-"}, Stdin: silent{}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
}

func TestBounds(t *testing.T) {
	tree(t, map[string]string{"d/a.yaml": object("a"), "d/b.yaml": object("b") + strings.Repeat("#", 200), "d/c.yaml": object("c")})
	got := found(read(t, FileOptions{Paths: []string{"d"}, MaxFile: 100}))
	if diff := cmp.Diff([]string{"a d/a.yaml", "c d/c.yaml", "gap too-large d/b.yaml"}, got); diff != "" {
		t.Errorf("a file over the bound (-want +got):\n%s", diff)
	}
	got = found(read(t, FileOptions{Paths: []string{"d"}, MaxTotal: 100}))
	if diff := cmp.Diff([]string{"a d/a.yaml", "c d/c.yaml", "gap too-large d/b.yaml"}, got); diff != "" {
		t.Errorf("all files over the bound (-want +got):\n%s", diff)
	}
}

func TestLargeFile(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 200 MB")
	}
	tree(t, nil)
	one := object("a") + "data: " + strings.Repeat("x", 10_000) + "\n---\n"
	const count = 20_000
	f, err := os.Create("large.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for range count {
		if _, err := f.WriteString(one); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if r := read(t, FileOptions{Paths: []string{"large.yaml"}}); len(r.Objects) != count || len(r.Coverage.Gaps) != 0 {
		t.Errorf("%d objects, gaps %+v", len(r.Objects), r.Coverage.Gaps)
	}
}

// TestSpecialFiles would hang, were a pipe opened.
func TestSpecialFiles(t *testing.T) {
	tree(t, map[string]string{"d/a.yaml": object("a"), "chart/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n"})
	for _, path := range []string{"d/pipe.yaml", "chart/values.yaml", "named"} {
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Skipf("no pipes here: %v", err)
		}
	}
	go func() {
		f, err := os.OpenFile("named", os.O_WRONLY, 0)
		if err == nil {
			_, _ = f.WriteString(object("piped"))
			_ = f.Close()
		}
	}()
	got := found(read(t, FileOptions{Paths: []string{"d", "chart", "named"}}))
	want := []string{"a d/a.yaml", "piped named", "gap render chart", "left out: 1 pipes, devices and sockets"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	if got := found(read(t, FileOptions{Paths: []string{"/dev/null"}})); len(got) != 1 || got[0] != "gap not-object /dev/null" {
		t.Errorf("/dev/null: %v", got)
	}
	if _, err := Files(t.Context(), FileOptions{Paths: []string{"/dev/zero"}}); err == nil || !strings.Contains(err.Error(), "may never end") {
		t.Errorf("/dev/zero: %v", err)
	}
	if err := syscall.Mkfifo("silent", 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openPipe("silent", time.Millisecond); err == nil || !strings.Contains(err.Error(), "nobody opened for writing") {
		t.Errorf("a pipe without a writer: %v", err)
	}
}

// TestKeyFaults demands of what Helm's reader drops in silence that it is told, and of what it takes that it is taken.
func TestKeyFaults(t *testing.T) {
	for _, text := range []string{"a=1", "a.b=1", "a[0]=1", "a[0].b=x", "a[0][1]=x", "a={x,y},b=2", `a\.b=1`, `a\[=1`, "a=[", "a=x[,b=1", "a=", "a=1,", "a={", "a", "a=1,b"} {
		want := text == "a" || text == "a=1,b"
		if fault := keyFault(text); (fault != "") != want {
			t.Errorf("%s: %q", text, fault)
		}
	}
	for _, text := range []string{"a[", "a[0", "a[0]", "a[=1", "b=1,a[", "b={x,y},a[0]", "a.", "=1", ".a=1", "[0]=1", "a..b=1", "", "a=1,b[0].", "a[0].=1"} {
		if keyFault(text) == "" {
			t.Errorf("%q is taken", text)
		}
	}
	err := checkKeys(Release{Set: []string{"a[", "b=1"}, SetString: []string{"c."}})
	if err == nil || !strings.Contains(err.Error(), "--set a[: ") || !strings.Contains(err.Error(), "--set-string c.: ") {
		t.Errorf("all faults at once: %v", err)
	}
}

// FuzzKeyFault demands an answer to every text, and of a text that Helm refuses too no other.
func FuzzKeyFault(f *testing.F) {
	for _, text := range []string{"a[", `a\`, "a={b,c}", "a[0]=1,b[", "="} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		values := map[string]any{}
		if err := strvals.ParseInto(text, values); err == nil && len(values) == 0 && keyFault(text) == "" {
			t.Errorf("%q sets nothing, and is taken", text)
		}
	})
}

func TestUnreadable(t *testing.T) {
	tree(t, map[string]string{"d/a.yaml": object("a"), "d/b.yaml": object("b"), "d/sub/c.yaml": object("c")})
	for _, path := range []string{"d/b.yaml", "d/sub"} {
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = os.Chmod("d/sub", 0o700) }) //nolint:gosec // so that it can be removed
	if _, err := os.ReadFile("d/b.yaml"); err == nil {
		t.Skip("this user may read everything (root)")
	}
	got := found(read(t, FileOptions{Paths: []string{"d"}}))
	if diff := cmp.Diff([]string{"a d/a.yaml", "gap unreadable d/sub", "gap unreadable d/b.yaml"}, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}

func TestUnreadableGap(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want verdict.GapCode
	}{
		"permission": {&os.PathError{Op: "open", Path: "a", Err: syscall.EACCES}, verdict.GapUnreadable},
		"gone":       {&os.PathError{Op: "open", Path: "a", Err: syscall.ENOENT}, verdict.GapMissing},
		"loop":       {&os.PathError{Op: "stat", Path: "a", Err: syscall.ELOOP}, verdict.GapUnreadable},
		"disk":       {&os.PathError{Op: "read", Path: "a", Err: syscall.EIO}, verdict.GapUnreadable},
	} {
		if g := unreadable("a", test.err); g.Code != test.want || g.Remedy == "" || strings.Contains(g.Message, "open a") {
			t.Errorf("%s: %+v", name, g)
		}
	}
}

func TestProgress(t *testing.T) {
	files := map[string]string{}
	for i := range 50 {
		files[fmt.Sprintf("d/%02d.yaml", i)] = object("a")
	}
	tree(t, files)
	var mutex sync.Mutex
	last, calls := 0, 0
	read(t, FileOptions{Paths: []string{"d"}, Progress: func(done, total int) {
		if !mutex.TryLock() {
			t.Error("two calls at a time")
			return
		}
		defer mutex.Unlock()
		if done != last+1 || total != 50 {
			t.Errorf("%d of %d after %d", done, total, last)
		}
		last, calls = done, calls+1
	}})
	if calls != 50 {
		t.Errorf("%d calls", calls)
	}
}

func BenchmarkFiles(b *testing.B) {
	dir := b.TempDir()
	one := strings.Repeat(object("a")+"spec:\n  containers:\n  - name: web\n    image: nginx:1\n    ports: [{containerPort: 80}]\n---\n", 60)
	for i := range 1000 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d.yaml", i)), []byte(one), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(1000 * len(one)))
	for b.Loop() {
		if _, err := Files(b.Context(), FileOptions{Paths: []string{dir}}); err != nil {
			b.Fatal(err)
		}
	}
}
