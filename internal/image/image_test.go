package image

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLayersHideWhatLiesBelow(t *testing.T) {
	below := gzipped(t, tarOf(t, node("a", "1"), node("b", "1"), node("c", "1"), node("d", "1"), node("@s/e", "1")))
	for name, tt := range map[string]struct {
		above []tar.Header
		want  string
	}{
		"nothing":          {nil, "@s/e 1 @0, a 1 @0, b 1 @0, c 1 @0, d 1 @0"},
		"a newer version":  {[]tar.Header{node("a", "2")}, "@s/e 1 @0, a 2 @1, b 1 @0, c 1 @0, d 1 @0"},
		"a file":           {[]tar.Header{{Name: "app/node_modules/a/.wh.package.json"}}, "@s/e 1 @0, b 1 @0, c 1 @0, d 1 @0"},
		"a directory":      {[]tar.Header{{Name: "./app/node_modules/.wh.@s"}}, "a 1 @0, b 1 @0, c 1 @0, d 1 @0"},
		"all but its own":  {[]tar.Header{{Name: "app/node_modules/.wh..wh..opq"}, node("f", "3")}, "f 3 @1"},
		"the root":         {[]tar.Header{{Name: ".wh..wh..opq"}, node("f", "3")}, "f 3 @1"},
		"a link instead":   {[]tar.Header{{Name: "app/node_modules", Typeflag: tar.TypeSymlink, Linkname: "/x"}}, ""},
		"a directory kept": {[]tar.Header{{Name: "app/node_modules/", Typeflag: tar.TypeDir}}, "@s/e 1 @0, a 1 @0, b 1 @0, c 1 @0, d 1 @0"},
		"aufs' own books":  {[]tar.Header{{Name: ".wh..wh.plnk/1.2"}, {Name: ".wh..wh.aufs"}}, "@s/e 1 @0, a 1 @0, b 1 @0, c 1 @0, d 1 @0"},
	} {
		t.Run(name, func(t *testing.T) {
			img, c := mustRead(t, layout(t, below, zstded(t, tarOf(t, tt.above...))), Options{})
			if got := told(img); got != tt.want || !c.Complete() {
				t.Errorf("got %s, want %s; gaps %v", got, tt.want, c.Gaps)
			}
		})
	}
}

func TestForms(t *testing.T) {
	layer := tarOf(t, node("a", "1"))
	b := blobs{}
	dir := b.layout(t, b.image(t, "amd64", gzipped(t, layer)))
	var members []tar.Header
	for name, text := range b {
		members = append(members, tar.Header{Name: "./" + name, Linkname: string(text)})
	}
	config := `{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":["` + digestOf(layer) + `","` + digestOf(layer) + `"]}}`
	saved := tarOf(t, tar.Header{Name: "x/layer.tar", Linkname: string(layer)},
		tar.Header{Name: "y/layer.tar", Typeflag: tar.TypeSymlink, Linkname: "../x/layer.tar"},
		tar.Header{Name: "c.json", Linkname: config},
		tar.Header{Name: "manifest.json", Linkname: `[{"Config":"c.json","RepoTags":["shop:1"],"Layers":["x/layer.tar","y/layer.tar"]}]`})
	in := files(t, map[string][]byte{"oci.tar": tarOf(t, members...), "saved.tar": saved, "root/app/node_modules/a/package.json": []byte(`{"name":"a","version":"1"}`)})
	for path, want := range map[string]string{
		dir: "a 1 @0", filepath.Join(in, "oci.tar"): "a 1 @0", filepath.Join(in, "saved.tar"): "a 1 @1", filepath.Join(in, "root"): "a 1 @0",
	} {
		img, c := mustRead(t, path, Options{})
		if got := told(img); got != want || !c.Complete() {
			t.Errorf("%s: got %s, want %s; gaps %v", path, got, want, c.Gaps)
		}
	}
}

func TestPlatforms(t *testing.T) {
	b := blobs{}
	inner := b.document(t, indexOrManifest{Manifests: []descriptor{
		b.image(t, "amd64", tarOf(t, node("intel", "1"))), b.image(t, "arm64", tarOf(t, node("arm", "1"))),
		{Digest: "sha256:x", Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest"}},
	}})
	inner.MediaType = "application/vnd.oci.image.index.v1+json"
	dir := b.layout(t, inner)
	for platform, want := range map[string]string{"linux/amd64": "intel 1 @0", "linux/arm64": "arm 1 @0"} {
		if img, _ := mustRead(t, dir, Options{Platform: platform}); told(img) != want || img.Platform != platform {
			t.Errorf("%s: got %s of %s, want %s", platform, told(img), img.Platform, want)
		}
	}
	if _, _, err := Read(t.Context(), dir, Options{Platform: "linux/s390x"}); err == nil || !strings.Contains(err.Error(), "linux/arm64") {
		t.Errorf("a platform that is not there: %v", err)
	}
}

func TestHostileLayers(t *testing.T) {
	good := gzipped(t, tarOf(t, node("a", "1")))
	long := tarOf(t, node("a", "1"), tar.Header{Name: "x", Linkname: strings.Repeat("x", 1<<20)})
	small := DefaultLimits
	small.Entries, small.Bytes, small.Packages, small.Path = 50, 1<<19, 20, 200
	var many, packages []tar.Header
	for i := range 60 {
		many = append(many, tar.Header{Name: strings.Repeat("f", i+1)})
		if i < 30 {
			packages = append(packages, node(strings.Repeat("p", i+1), "1"))
		}
	}
	for name, tt := range map[string]struct {
		layer  []byte
		limits Limits
		want   string // of a gap
		told   string
	}{
		"truncated gzip":      {good[:len(good)-20], Limits{}, "not read whole", "a 1 @0"},
		"truncated zstd":      {zstded(t, long)[:50], Limits{}, "not read whole", ""},
		"truncated tar":       {long[:1600], Limits{}, "not read whole", "a 1 @0"},
		"no tar":              {[]byte(strings.Repeat("no tar at all ", 100)), Limits{}, "not read whole", ""},
		"empty":               {nil, Limits{}, "it is empty", ""},
		"xz":                  {[]byte("\xfd7zXZ\x00..."), Limits{}, "xz", ""},
		"out of the root":     {tarOf(t, tar.Header{Name: "../../etc/os-release", Linkname: "ID=x"}), Limits{}, "out of the image", ""},
		"hard link out":       {tarOf(t, tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "../../../etc/shadow"}), Limits{}, "out of the image", ""},
		"hard link to unread": {tarOf(t, tar.Header{Name: "node_modules/a/package.json", Typeflag: tar.TypeLink, Linkname: "store/x"}), Limits{}, "hard link", ""},
		"links in a circle":   {tarOf(t, tar.Header{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "b"}, tar.Header{Name: "b", Typeflag: tar.TypeSymlink, Linkname: "a"}), Limits{}, "", ""},
		"a bomb":              {gzipped(t, long), small, "more than 524288 bytes", "a 1 @0"},
		"many files":          {tarOf(t, many...), small, "more than 50 entries", ""},
		"many packages":       {tarOf(t, packages...), small, "more than 20 packages", "-"},
		"a long path":         {tarOf(t, tar.Header{Name: strings.Repeat("d/", 150) + "f"}), small, "the path has", ""},
		"a broken package":    {tarOf(t, tar.Header{Name: "node_modules/a/package.json", Linkname: "{"}), Limits{}, "no package.json", ""},
		"a large package":     {tarOf(t, tar.Header{Name: "node_modules/a/package.json", Linkname: strings.Repeat(" ", maxText+1)}), Limits{}, "more than", ""},
		"a cut program":       {tarOf(t, tar.Header{Name: "bin/x", Mode: 0o755, Linkname: "\x7fELF" + strings.Repeat("\x01", 100)}), Limits{}, "program headers", ""},
	} {
		t.Run(name, func(t *testing.T) {
			img, c := mustRead(t, layout(t, tt.layer), Options{Limits: tt.limits})
			if got := told(img); got != tt.told && tt.told != "-" {
				t.Errorf("got packages %q, want %q", got, tt.told)
			}
			if tt.want == "" {
				if !c.Complete() {
					t.Errorf("gaps %v, want none", c.Gaps)
				}
				return
			}
			if len(c.Gaps) != 1 || !strings.Contains(c.Gaps[0].Message, tt.want) {
				t.Errorf("gaps %+v, want one with %q", c.Gaps, tt.want)
			}
		})
	}
}

func TestWrongDigests(t *testing.T) {
	b := blobs{}
	good := tarOf(t, node("a", "1"))
	d := b.image(t, "amd64", good, tarOf(t, node("b", "1")))
	file := blobFile(digestOf(good))
	b[file] = tarOf(t, node("x", "1")) // as long, and another
	img, c := mustRead(t, b.layout(t, d), Options{})
	if told(img) != "b 1 @1" || len(c.Gaps) != 1 || !strings.Contains(c.Gaps[0].Message, "digest") {
		t.Errorf("got %s and gaps %+v: nothing of a layer counts whose digest is wrong", told(img), c.Gaps)
	}
	file = blobFile(d.Digest)
	b[file] = bytes.Replace(b[file], []byte("{"), []byte("{ "), 1)
	if _, _, err := Read(t.Context(), b.layout(t, d), Options{}); err == nil || !strings.Contains(err.Error(), "digest") {
		t.Errorf("a manifest with a wrong digest: %v", err)
	}
}

// TestWrongContent asks that a layer whose content is not the one of the configuration counts as little as one with a wrong digest.
func TestWrongContent(t *testing.T) {
	first, second := tarOf(t, node("a", "1")), tarOf(t, node("b", "1"))
	for title, tt := range map[string]struct {
		ids        []string
		told, want string
	}{
		"right":   {[]string{digestOf(first), digestOf(second)}, "a 1 @0, b 1 @1", ""},
		"wrong":   {[]string{"sha256:" + strings.Repeat("0", 64), digestOf(second)}, "b 1 @1", "diff_ids"},
		"swapped": {[]string{digestOf(second), digestOf(second)}, "b 1 @1", "diff_ids"},
		"too few": {[]string{digestOf(first)}, "a 1 @0, b 1 @1", "names 1 layers (diff_ids), and the manifest 2"},
		"none":    {nil, "a 1 @0, b 1 @1", ""},
	} {
		b := blobs{}
		m := indexOrManifest{
			Config: b.document(t, map[string]any{"os": "linux", "architecture": "amd64", "rootfs": map[string]any{"diff_ids": tt.ids}}),
			Layers: []descriptor{b.add(gzipped(t, first)), b.add(zstded(t, second))},
		}
		dir := b.layout(t, b.document(t, m))
		img, c := mustRead(t, dir, Options{})
		if told(img) != tt.told || (len(c.Gaps) == 1) != (tt.want != "") || tt.want != "" && !strings.Contains(c.Gaps[0].Message, tt.want) {
			t.Errorf("%s: got %s and gaps %+v", title, told(img), c.Gaps)
		}
		var entries []tar.Header
		for name, text := range b {
			entries = append(entries, tar.Header{Name: name, Linkname: string(text)})
		}
		img, c, err := Read(t.Context(), "-", Options{Stdin: bytes.NewReader(tarOf(t, entries...))})
		if err != nil || told(img) != tt.told || (len(c.Gaps) == 1) != (tt.want != "") {
			t.Errorf("%s, as a stream: got %s, gaps %+v, %v", title, told(img), c.Gaps, err)
		}
	}
}

func TestRootDoesNotFollowLinks(t *testing.T) {
	outside := files(t, map[string][]byte{"node_modules/evil/package.json": []byte(`{"name":"evil","version":"1"}`), "os-release": []byte("ID=evil")})
	root := files(t, map[string][]byte{"usr/lib/os-release": []byte("ID=alpine\nVERSION_ID=3.20.3\n")})
	for link, target := range map[string]string{"node_modules": outside + "/node_modules", "loop": "loop", "etc": outside} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	img, c := mustRead(t, root, Options{})
	if len(img.Packages) != 0 || img.System == nil || img.System.ID != "alpine" || len(c.Gaps) != 1 { // the gap: Alpine without its database
		t.Errorf("got %s, %+v, gaps %v", told(img), img.System, c.Gaps)
	}
}

func TestOwnersAndDistributions(t *testing.T) {
	const status = "Package: python3-six\nStatus: install ok installed\nArchitecture: all\nSource: six (1.16.0-4)\nVersion: 1.16.0-4+b1\n\n" +
		"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n"
	dpkgRoot := files(t, map[string][]byte{
		"etc/os-release": []byte("ID=debian\nVERSION_ID=\"12\"\n"), "var/lib/dpkg/status": []byte(status),
		"var/lib/dpkg/info/python3-six.list":                         []byte("/.\n/usr/lib/python3/dist-packages/six.egg-info/PKG-INFO\n"),
		"usr/lib/python3/dist-packages/six.egg-info/PKG-INFO":        []byte("Name: six\nVersion: 1.16.0\n\nName: no\n"),
		"usr/local/lib/python3/dist-packages/x-1.dist-info/METADATA": []byte("Metadata-Version: 2.1\nName: x\nVersion: 1\n"),
		"usr/local/bundle/specifications/rack-2.2.3.gemspec":         []byte("Gem::Specification.new do |s|\n  s.name = \"rack\".freeze\n  s.version = \"2.2.3\"\n"),
		"usr/share/nodejs/a/package.json":                            []byte(`{"name":"a","version":"1"}`),
		"srv/node_modules/a/dist/package.json":                       []byte(`{"name":"inside","version":"1"}`),
		"usr/lib/sysimage/rpm/rpmdb.sqlite":                          []byte("x"),
		"usr/share/java/a.jar":                                       []byte("x"),
		"usr/share/java/b.jar":                                       []byte("x"),
	})
	img, c := mustRead(t, dpkgRoot, Options{})
	if got, want := told(img), "python3-six 1.16.0-4+b1 @0, six 1.16.0 @0, x 1 @0, rack 2.2.3 @0, a 1 @0"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	six := img.Packages[0]
	if six.Ecosystem != "Debian:12" || six.Source != "six" || six.SourceVersion != "1.16.0-4" || img.Packages[1].Owner != "python3-six" || img.Packages[2].Owner != "" {
		t.Errorf("got %+v", img.Packages)
	}
	if len(c.Gaps) != 3 {
		t.Errorf("gaps %+v, want one for rpm and one for each archive of Java", c.Gaps)
	}
}

func TestApk(t *testing.T) {
	const base = "C:Q1x=\nP:libssl3\nV:3.3.2-r0\nA:x86_64\no:openssl\nF:usr/lib\nR:libssl.so.3\na:0:0:755\nR:b\n\nP:musl\nV:1.2.5-r0\no:musl\n"
	img, _ := mustRead(t, files(t, map[string][]byte{"lib/apk/db/installed": []byte(base), "etc/os-release": []byte("ID=alpine\nVERSION_ID=3.20.3\n")}), Options{})
	if got, want := told(img), "libssl3 3.3.2-r0 @0, musl 1.2.5-r0 @0"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	if p := img.Packages[0]; p.Ecosystem != "Alpine:v3.20" || p.Source != "openssl" || strings.Join(p.Files, " ") != "usr/lib/b usr/lib/libssl.so.3" {
		t.Errorf("got %+v", p)
	}
}
