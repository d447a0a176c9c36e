package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/fact"
)

// toldWith are packages as told, with the kind of those that are no plain ones.
func toldWith(img *fact.Image) string {
	var list []string
	for _, p := range img.Packages {
		word := p.Ecosystem + " " + p.Name + " " + p.Version
		if p.Kind != "" {
			word += " " + p.Kind
		}
		if p.Within != "" {
			word += " in " + p.Within
		}
		list = append(list, word)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// locks are lock files as their tools write them, and the packages that each names.
var locks = map[string]struct{ name, text, want string }{
	"npm 1":      {"package-lock.json", `{"lockfileVersion":1,"dependencies":{"a":{"version":"1.0.0","dependencies":{"b":{"version":"2.0.0"}}},"c":{"version":"3.0.0","dev":true},"d":{"version":"file:x"}}}`, "npm a 1.0.0 locked, npm b 2.0.0 locked"},
	"npm 3":      {"package-lock.json", `{"lockfileVersion":3,"packages":{"":{"name":"shop","version":"0.1.0"},"node_modules/@s/a":{"version":"1.0.0"},"node_modules/x/node_modules/b":{"name":"real","version":"2.0.0"},"node_modules/c":{"version":"3.0.0","dev":true},"node_modules/w":{"link":true},"packages/w":{"version":"1.0.0"}}}`, "npm @s/a 1.0.0 locked, npm real 2.0.0 locked"},
	"npm shrunk": {"npm-shrinkwrap.json", `{"dependencies":{"a":{"version":"1.0.0"}}}`, "npm a 1.0.0 locked"},
	"yarn 1":     {"yarn.lock", "# yarn lockfile v1\n\n\n\"@s/a@^1.0.0\", \"@s/a@^1.1.0\":\n  version \"1.1.2\"\n  resolved \"https://x\"\n  dependencies:\n    version \"^9.0.0\"\n\nb@npm:real@^2:\n  version \"2.0.0\"\n", "npm @s/a 1.1.2 locked, npm real 2.0.0 locked"},
	"yarn 4":     {"yarn.lock", "__metadata:\n  version: 8\n\n\"a@npm:^1.0.0, a@npm:^1.1.0\":\n  version: 1.1.2\n  resolution: \"a@npm:1.1.2\"\n\n\"shop@workspace:.\":\n  version: 0.0.0-use.local\n", "npm a 1.1.2 locked"},
	"pnpm 5":     {"pnpm-lock.yaml", "lockfileVersion: 5.4\n\npackages:\n\n  /@s/a/1.0.0:\n    dev: false\n\n  /b/2.0.0_react@17:\n    dev: true\n\n  /c/3.0.0_@s+x@1:\n    engines: {node: '>=6'}\n\n  /string_decoder/1.3.0:\n    x: y\n", "npm @s/a 1.0.0 locked, npm c 3.0.0 locked, npm string_decoder 1.3.0 locked"},
	"pnpm 9":     {"pnpm-lock.yaml", "lockfileVersion: '9.0'\n\npackages:\n\n  '@s/a@1.0.0':\n    resolution: {integrity: sha512-x}\n\n  b@2.0.0(react@17.0.1):\n    x: y\n\n  c@file:../c:\n    dev: true\n\nsnapshots:\n\n  'z@9.0.0': {}\n", "npm @s/a 1.0.0 locked, npm b 2.0.0 locked"},
	"poetry":     {"poetry.lock", "[[package]]\nname = \"Flask\"\nversion = \"2.0.1\"\noptional = false\n\n[package.dependencies]\nversion = \"9\"\n\n[[package]]\nname = \"pytest\"\nversion = \"6.0\"\ncategory = \"dev\"\n\n[metadata]\nname = \"x\"\nversion = \"y\"\n", "PyPI Flask 2.0.1 locked"},
	"uv":         {"uv.lock", "version = 1\n\n[[package]]\nname = \"shop\"\nversion = \"0.1.0\"\nsource = { virtual = \".\" }\n\n[[package]]\nname = \"flask\"\nversion = \"2.0.1\"\nsource = { registry = \"https://pypi.org/simple\" }\n", "PyPI flask 2.0.1 locked"},
	"pipenv":     {"Pipfile.lock", `{"default":{"flask":{"version":"==2.0.1"},"own":{"path":"."}},"develop":{"pytest":{"version":"==6.0"}}}`, "PyPI flask 2.0.1 locked"},
	"cargo":      {"Cargo.lock", "version = 3\n\n[[package]]\nname = \"shop\"\nversion = \"0.1.0\"\ndependencies = [\n \"serde\",\n]\n\n[[package]]\nname = \"serde\"\nversion = \"1.0.1\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n", "crates.io serde 1.0.1 locked"},
	"bundler":    {"Gemfile.lock", "GIT\n  remote: https://x\n  specs:\n    own (1.0)\n\nGEM\n  remote: https://rubygems.org/\n  specs:\n    nokogiri (1.13.0-x86_64-linux)\n      racc (~> 1.4)\n    racc (1.6.0)\n\nPLATFORMS\n  ruby\n", "RubyGems nokogiri 1.13.0 locked, RubyGems racc 1.6.0 locked"},
	"composer":   {"composer.lock", `{"packages":[{"name":"psr/log","version":"v1.0.0"}],"packages-dev":[{"name":"phpunit/phpunit","version":"9.0"}]}`, "Packagist psr/log v1.0.0 locked"},
	"go":         {"go.sum", "example.com/a v1.2.0 h1:x=\nexample.com/a v1.10.0 h1:x=\nexample.com/a v1.10.0/go.mod h1:x=\nexample.com/b v0.1.0/go.mod h1:x=\n", "Go example.com/a v1.10.0 locked"},
}

// TestLocks lists what lock files name where nothing of it is installed.
func TestLocks(t *testing.T) {
	for name, tt := range locks {
		img, c := mustRead(t, layout(t, tarOf(t, written("app/"+tt.name, tt.text), written("app/node_modules/z/"+tt.name, tt.text), written("usr/share/doc/"+tt.name, tt.text))), Options{})
		if got := toldWith(img); got != tt.want || !c.Complete() {
			t.Errorf("%s: got %s, want %s; gaps %v", name, got, tt.want, c.Gaps)
		}
	}
}

// TestLocksOfWhatIsInstalled asks that a lock says nothing where what it names is there, but for other versions of it.
func TestLocksOfWhatIsInstalled(t *testing.T) {
	lock := func(names ...string) tar.Header {
		var parts []string
		for _, n := range names {
			parts = append(parts, fmt.Sprintf(`"node_modules/%s":{"version":"1"}`, n))
		}
		return written("app/package-lock.json", `{"packages":{`+strings.Join(parts, ",")+`}}`)
	}
	for name, tt := range map[string]struct {
		entries []tar.Header
		want    string
	}{
		"all":             {[]tar.Header{lock("a", "b"), node("a", "1"), node("b", "1")}, "npm a 1, npm b 1"},
		"not optional":    {[]tar.Header{lock("a", "b", "c"), node("a", "1")}, "npm a 1"},
		"elsewhere":       {[]tar.Header{lock("a"), written("usr/lib/node_modules/a/package.json", `{"name":"a","version":"1"}`)}, "npm a 1"},
		"other versions":  {[]tar.Header{lock("a"), node("a", "2")}, "npm a 1 locked, npm a 2"},
		"one of many":     {[]tar.Header{lock("a", "b", "c", "d"), node("a", "1")}, "npm a 1, npm b 1 locked, npm c 1 locked, npm d 1 locked"},
		"Python's names":  {[]tar.Header{written("app/poetry.lock", "[[package]]\nname = \"zope.interface\"\nversion = \"5\"\n"), written("usr/lib/python3/dist-packages/z.dist-info/METADATA", "Name: Zope_Interface\nVersion: 5\n\n")}, "PyPI Zope_Interface 5"},
		"hidden again":    {[]tar.Header{lock("a"), {Name: "app/.wh.package-lock.json"}}, "npm a 1 locked"},
		"damaged":         {[]tar.Header{written("app/package-lock.json", "{")}, ""},
		"go.sum, damaged": {[]tar.Header{written("app/go.sum", "a b\n")}, ""},
	} {
		img, c := mustRead(t, layout(t, tarOf(t, tt.entries...)), Options{})
		if got := toldWith(img); got != tt.want || c.Complete() == strings.HasSuffix(name, "damaged") {
			t.Errorf("%s: got %s, want %s; gaps %v", name, got, tt.want, c.Gaps)
		}
	}
}

// TestGoSum asks Go itself which version of each module of go.sum is built with.
func TestGoSum(t *testing.T) {
	// -mod=mod writes what it learns into go.sum, so it is given copies.
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile("../../" + name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-mod=mod", "-modfile="+filepath.Join(dir, "go.mod"), "-json", "all").Output()
	if err != nil {
		t.Skipf("go does not list modules here: %v", err)
	}
	built := map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct{ Path, Version string }
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		built[m.Path] = m.Version
	}
	text, err := os.ReadFile("../../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	list, err := readGoSum(&input{size: int64(len(text)), r: bytes.NewReader(text)})
	if err != nil || len(list) < 50 {
		t.Fatalf("%d modules, %v", len(list), err)
	}
	for _, p := range list {
		if built[p.Name] != p.Version {
			t.Errorf("%s: %s, and go says %q", p.Name, p.Version, built[p.Name])
		}
	}
	t.Logf("%d modules", len(list))
}

// TestLinkedModules reads what links named node_modules lead to, and links in it, each package once.
func TestLinkedModules(t *testing.T) {
	link := func(name, to string) tar.Header {
		return tar.Header{Name: name, Linkname: to, Typeflag: tar.TypeSymlink}
	}
	at := func(dir, name string) tar.Header {
		return written(dir+"/package.json", `{"name":"`+name+`","version":"1"}`)
	}
	for name, tt := range map[string]struct {
		entries []tar.Header
		want    string
	}{
		"the whole":            {[]tar.Header{link("app/node_modules", "/store/nm"), at("store/nm/lodash", "lodash"), at("store/nm/@s/a", "@s/a"), at("store/nm/lodash/dist", "no")}, "npm @s/a 1, npm lodash 1"},
		"before the link":      {[]tar.Header{at("store/nm/lodash", "lodash"), link("app/node_modules", "../store/nm")}, "npm lodash 1"},
		"over two links":       {[]tar.Header{link("app/node_modules", "/a"), link("a", "store/nm"), at("store/nm/lodash", "lodash")}, "npm lodash 1"},
		"two links":            {[]tar.Header{link("app/node_modules", "/s"), link("app2/node_modules", "/s"), at("s/lodash", "lodash")}, "npm lodash 1"},
		"one package":          {[]tar.Header{link("app/node_modules/lodash", "/store/lodash-4"), at("store/lodash-4", "lodash")}, "npm lodash 1"},
		"one of a scope":       {[]tar.Header{link("app/node_modules/@s/a", "../../../store/a"), at("store/a", "@s/a")}, "npm @s/a 1"},
		"a scope":              {[]tar.Header{link("app/node_modules/@s", "/store/s"), at("store/s/a", "@s/a")}, "npm @s/a 1"},
		"pnpm's":               {[]tar.Header{link("app/node_modules/a", ".pnpm/a@1/node_modules/a"), at("app/node_modules/.pnpm/a@1/node_modules/a", "a")}, "npm a 1"},
		"without a link":       {[]tar.Header{at("app", "shop"), at("store/nm/lodash", "lodash"), written("app/package.json.bak", "x")}, ""},
		"in a circle":          {[]tar.Header{link("app/node_modules", "/app/node_modules"), at("store/lodash", "lodash")}, ""},
		"nothing of a package": {[]tar.Header{link("app/node_modules", "/s"), written("s/lodash/package.json", "{")}, ""},
	} {
		img, c := mustRead(t, layout(t, tarOf(t, tt.entries...)), Options{})
		if got := toldWith(img); got != tt.want || !c.Complete() {
			t.Errorf("%s: got %q, want %q; gaps %v", name, got, tt.want, c.Gaps)
		}
	}
}

// TestArchivesByContent reads archives of Java, and what holds some, whatever they are called.
func TestArchivesByContent(t *testing.T) {
	at, text := pom("org.apache.logging.log4j", "log4j-core", "2.14.1")
	log4j := string(zipOf(t, at, text, "META-INF/MANIFEST.MF", "A: b\n"))
	bundle := string(zipOf(t, "readme", "x", "lib/log4j-core-2.14.1.jar", log4j))
	const one = "Maven org.apache.logging.log4j:log4j-core 2.14.1"
	for name, tt := range map[string]struct{ at, text, want string }{
		"a jar without suffix": {"opt/noext", log4j, one},
		"an executable one":    {"opt/bin/app", log4j, one},
		"a version behind it":  {"opt/log4j-core-2.14", log4j, one},
		"as a copy":            {"opt/log4j.jar.bak", log4j, one},
		"a jar called zip":     {"opt/log4j.zip", log4j, one},
		"a zip of jars":        {"opt/app.zip", bundle, one + " in lib/log4j-core-2.14.1.jar"},
		"a zip of zips":        {"opt/all", string(zipOf(t, "app.zip", bundle, "broken.zip", "x")), one + " in app.zip!/lib/log4j-core-2.14.1.jar"},
		"a zip of texts":       {"opt/data.zip", string(zipOf(t, "a.txt", "x", "b/c.class", "")), ""},
		"no zip":               {"opt/data.zip", "x", ""},
		"a broken one":         {"opt/data.zip", log4j[:len(log4j)-30], ""},
		"a text":               {"opt/README", "PK is no archive", ""},
		"a short one":          {"opt/x", "PK", ""},
	} {
		mode := int64(0o644)
		if strings.Contains(tt.at, "/bin/") {
			mode = 0o755
		}
		for form, path := range map[string]string{
			"layer": layout(t, tarOf(t, tar.Header{Name: tt.at, Linkname: tt.text, Mode: mode})),
			"root":  files(t, map[string][]byte{tt.at: []byte(tt.text)}),
		} {
			img, c := mustRead(t, path, Options{})
			if got := toldWith(img); got != tt.want || !c.Complete() {
				t.Errorf("%s, %s: got %q, want %q; gaps %v", name, form, got, tt.want, c.Gaps)
			}
		}
	}
}

// FuzzLocks reads anything as each of the lock files.
func FuzzLocks(f *testing.F) {
	for _, l := range locks {
		f.Add(l.name, []byte(l.text))
	}
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		choose := named[name]
		if choose == nil {
			return
		}
		read := choose("app/" + name)
		if read == nil {
			return
		}
		found, _ := read(&input{path: "app/" + name, size: int64(len(text)), r: bytes.NewReader(text)})
		if found != nil {
			for _, p := range found.locked {
				if p.Ecosystem == "" {
					t.Errorf("a package of no ecosystem: %+v", p)
				}
			}
		}
	})
}
