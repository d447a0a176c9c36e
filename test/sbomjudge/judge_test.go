// Package sbomjudge holds our bills of materials to the published schemas, and has upstream's own libraries read them: a
// module of its own, so that its dependencies stay out of the product.
package sbomjudge

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/dlclark/regexp2"
	"github.com/google/go-cmp/cmp"
	"github.com/package-url/packageurl-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdxlib"
	"github.com/spdx/tools-golang/tagvalue"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/image"
	"github.com/coaming/coaming/internal/purl"
	"github.com/coaming/coaming/internal/sbom"
	"github.com/coaming/coaming/internal/verdict"
)

// The modules and the package that hold what others have published: schemas, and bills that others made.
const (
	syft   = "github.com/anchore/syft@v1.57.0"           // the schema of SPDX 2.3 (CC-BY-3.0), bills (Apache-2.0)
	cdxgen = "@cyclonedx/cdxgen@12.8.4"                  // the schema of SPDX 3.0.1
	scalib = "github.com/google/osv-scalibr@v0.5.3"      // bills (Apache-2.0)
	tools  = "github.com/spdx/tools-golang@v0.5.7"       // bills
	cdxgo  = "github.com/CycloneDX/cyclonedx-go@v0.12.0" // the schemas of CycloneDX (Apache-2.0)
)

// module is the folder of a module, fetched when it is not there; the test skips where it cannot be had.
func module(t *testing.T, version string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", version).Output()
	var answer struct{ Dir string }
	if err != nil || json.Unmarshal(out, &answer) != nil {
		t.Skipf("%s cannot be had here: %v", version, err)
	}
	return answer.Dir
}

// schema is a published JSON schema. Others that it refers to stand beside it.
func schema(t *testing.T, file string, beside ...string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.UseRegexpEngine(perl)
	for _, name := range append(beside, file) {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(f)
		_ = f.Close()
		if err != nil {
			t.Fatal(err)
		}
		id := "file:///" + filepath.Base(name)
		if o, ok := doc.(map[string]any); ok {
			if s, ok := o["$id"].(string); ok {
				id = s
			}
		}
		if err := c.AddResource(id, doc); err != nil {
			t.Fatal(err)
		}
		if name == file {
			s, err := c.Compile(id)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	}
	return nil
}

// perl compiles the patterns that look ahead, which Go's own engine has not.
func perl(pattern string) (jsonschema.Regexp, error) {
	re, err := regexp2.Compile(pattern, regexp2.ECMAScript)
	return ahead{re}, err
}

type ahead struct{ *regexp2.Regexp }

func (a ahead) MatchString(s string) bool {
	matched, err := a.Regexp.MatchString(s)
	return err == nil && matched
}

func validate(t *testing.T, name string, s *jsonschema.Schema, text []byte) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%s: %.3000v", name, err)
	}
}

// refuses makes sure that the schema does judge: an altered bill is none.
func refuses(t *testing.T, s *jsonschema.Schema, text []byte, old, altered string) {
	t.Helper()
	text = bytes.Replace(text, []byte(old), []byte(altered), 1)
	if v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text)); err != nil || s.Validate(v) == nil {
		t.Errorf("the schema takes a bill with %s in place of %s", altered, old)
	}
}

// images are real ones: this machine, whose packages dpkg put there, and what the module cache holds of npm's; and made ones.
func images(t *testing.T) map[string]*sbom.Bill {
	t.Helper()
	all := map[string]*sbom.Bill{}
	put := func(name string, img *fact.Image, c *verdict.Coverage) {
		all[name] = &sbom.Bill{Image: img, Coverage: c, Created: time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC), Version: "v1.2.3"}
	}
	root := t.TempDir()
	for _, dir := range []string{"/var/lib/dpkg", "/etc/os-release", "/usr/lib/os-release", "/usr/lib/node_modules", "/usr/local/go/bin", "/usr/share/nodejs"} {
		if _, err := os.Stat(dir); err == nil {
			_ = os.MkdirAll(filepath.Join(root, filepath.Dir(dir)), 0o755)
			_ = exec.CommandContext(t.Context(), "cp", "-rL", dir, filepath.Join(root, dir)).Run()
		}
	}
	img, c, err := image.Read(t.Context(), root, image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	img.Name = "machine"
	put("machine", img, c)
	packages := []fact.Package{
		{Ecosystem: "", Name: "unknown", Version: "1"},
		{Ecosystem: "Go", Name: "github.com/Masterminds/semver/v3", Version: "v3.4.0+incompatible", Place: "bin/a, b"},
		{Ecosystem: "Maven", Name: "org.apache.logging.log4j:log4j-core", Version: "2.14.1", Licence: "The Apache Software License, Version 2.0"},
		{Ecosystem: "PyPI", Name: "Zope.Interface_x", Version: "1!2.0", Licence: "LicenseRef-Odd\n\"text\""},
		{Ecosystem: "npm", Name: "@scope/JSONStream", Version: "1.0.0", Licence: "MIT"},
		{Ecosystem: "npm", Name: "@scope/JSONStream", Version: "1.0.0", Licence: "GPL-2.0-only WITH Classpath-exception-2.0", Place: "x"},
	}
	layers := []fact.Layer{{Digest: "sha256:" + strings.Repeat("ab", 32)}, {Digest: "sha256:" + strings.Repeat("ab", 32)}, {Digest: "odd"}}
	gaps := &verdict.Coverage{Gaps: []verdict.Gap{{Code: verdict.GapSyntax, Message: "no <text>", Remedy: "Mend it.", Location: verdict.Location{Source: "image:x", File: "a"}}}}
	put("made", &fact.Image{Name: "registry.example.com/shop/web:1", Digest: "sha256:" + strings.Repeat("cd", 32), Platform: "linux/arm64", Layers: layers, Packages: packages}, gaps)
	rpm := []fact.Package{{Ecosystem: "Red Hat:9.4", Name: "openssl-libs", Version: "1:3.0.7-24.el9", Source: "openssl", SourceVersion: "3.0.7-24.el9", Architecture: "x86_64", Files: []string{"usr/lib64/a"}}}
	put("rpm", &fact.Image{Name: "rpm", System: &fact.System{ID: "rhel", Version: "9.4", Name: "RHEL", Codename: "Plow"}, Packages: rpm}, nil)
	all["rpm"].Files = true
	put("empty", &fact.Image{Name: "empty", Packages: []fact.Package{}}, nil)
	put("emptygap", &fact.Image{Name: "empty", Packages: []fact.Package{}}, gaps)
	return all
}

func write(t *testing.T, format string, b *sbom.Bill) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := sbom.Write(&out, format, b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestCycloneDXSchema(t *testing.T) {
	dir := filepath.Join(module(t, cdxgo), "schema")
	s := schema(t, filepath.Join(dir, "bom-1.6.schema.json"), filepath.Join(dir, "spdx.schema.json"), filepath.Join(dir, "jsf-0.82.schemax.json"))
	for name, b := range images(t) {
		validate(t, name, s, write(t, "cyclonedx-json", b))
		refuses(t, s, write(t, "cyclonedx-json", b), `"type": "container"`, `"type": "vessel"`)
	}
}

func TestSPDXSchema(t *testing.T) {
	s := schema(t, filepath.Join(module(t, syft), "schema", "spdx-json", "spdx-schema-2.3.json"))
	for name, b := range images(t) {
		validate(t, name, s, write(t, "spdx-json", b))
		refuses(t, s, write(t, "spdx-json", b), `"DESCRIBES"`, `"DRAWS"`)
	}
}

func TestSPDX3Schema(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "npm pack --silent "+cdxgen+" && tar xzf *.tgz package/data/spdx-export.schema.json")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("%s cannot be had here: %v %s", cdxgen, err, out)
	}
	s := schema(t, filepath.Join(dir, "package", "data", "spdx-export.schema.json"))
	for name, b := range images(t) {
		if name == "machine" {
			b.Image.Packages = b.Image.Packages[:min(40, len(b.Image.Packages))] // the schema takes its time
		}
		validate(t, name, s, write(t, "spdx3-json", b))
		if name == "empty" {
			refuses(t, s, write(t, "spdx3-json", b), `"software_Package"`, `"software_Packet"`)
		}
	}
}

// ours are the package URLs with versions of an image.
func ours(b *sbom.Bill) []string {
	var list []string
	for i := range b.Image.Packages {
		u, _ := purl.Of(&b.Image.Packages[i], b.Image.System)
		list = append(list, u.String()+" "+b.Image.Packages[i].Version)
	}
	slices.Sort(list)
	return list
}

func compare(t *testing.T, name string, want, got []string) {
	t.Helper()
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: upstream's library reads another set (-ours +theirs):\n%.3000s", name, diff)
	}
}

func TestCycloneDXLibrary(t *testing.T) {
	for name, b := range images(t) {
		var bom cdx.BOM
		if err := cdx.NewBOMDecoder(bytes.NewReader(write(t, "cyclonedx-json", b)), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got []string
		for _, c := range *bom.Components {
			if c.Type == cdx.ComponentTypeLibrary {
				got = append(got, c.PackageURL+" "+c.Version)
			}
		}
		compare(t, name, ours(b), got)
	}
}

func TestSPDXLibrary(t *testing.T) {
	for name, b := range images(t) {
		fromJSON, err := spdxjson.Read(bytes.NewReader(write(t, "spdx-json", b)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		fromTags, err := tagvalue.Read(bytes.NewReader(write(t, "spdx-tag-value", b)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, doc := range []*spdx.Document{fromJSON, fromTags} {
			// The library takes NOASSERTION, which may stand for what is not known, for the name of a package.
			doc.Relationships = slices.DeleteFunc(doc.Relationships, func(r *spdx.Relationship) bool { return r.RefB.SpecialID == "NOASSERTION" })
			if err := spdxlib.ValidateDocument(doc); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			var got []string
			for _, p := range doc.Packages {
				for _, r := range p.PackageExternalReferences {
					if !strings.HasPrefix(r.Locator, "pkg:oci/") {
						got = append(got, r.Locator+" "+p.PackageVersion)
					}
				}
			}
			compare(t, name, ours(b), got)
		}
	}
}

// TestPackageURLs has upstream's library read ours, and finds the same in them.
func TestPackageURLs(t *testing.T) {
	for name, b := range images(t) {
		for i := range b.Image.Packages {
			u, _ := purl.Of(&b.Image.Packages[i], b.Image.System)
			theirs, err := packageurl.FromString(u.String())
			if err != nil {
				t.Errorf("%s: %s: %v", name, u, err)
				continue
			}
			if theirs.Type != u.Type || theirs.Namespace != u.Namespace || theirs.Name != u.Name || theirs.Version != u.Version {
				t.Errorf("%s: %s is %+v upstream", name, u, theirs)
			}
			for _, q := range theirs.Qualifiers {
				if u.Qualifiers[q.Key] != q.Value {
					t.Errorf("%s: %s: upstream reads %s as %q", name, u, q.Key, q.Value)
				}
			}
			if got := theirs.ToString(); strings.ReplaceAll(got, "%3A", ":") != u.String() {
				t.Errorf("%s: ours %s, upstream's %s", name, u, got)
			}
		}
	}
}

// TestBillsOfOthers reads bills that others' tools and projects made beside upstream's library: the same packages.
func TestBillsOfOthers(t *testing.T) {
	count := map[string]int{}
	for _, version := range []string{syft, scalib, tools, cdxgo} {
		_ = filepath.WalkDir(module(t, version), func(file string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.Contains(file, "invalid") || strings.Contains(file, string(filepath.Separator)+"bad") || !strings.Contains(file, "testdata") && !strings.Contains(file, "sample-docs") {
				return nil
			}
			if info, err := d.Info(); err != nil || info.Size() > 8<<20 || !info.Mode().IsRegular() {
				return nil
			}
			text, err := os.ReadFile(file)
			if err != nil || !sbom.Recognises(text) {
				return nil
			}
			want, form, ok := theirs(text)
			if !ok {
				return nil
			}
			img, c, err := sbom.Read(file, bytes.NewReader(text), sbom.Limits{})
			if err != nil {
				t.Errorf("%s: %v", file, err)
				return nil
			}
			count[form]++
			// Every package URL of theirs is a package of ours, or is told.
			have := map[string]bool{}
			for i := range img.Packages {
				have[strings.ToLower(img.Packages[i].Name+" "+img.Packages[i].Version)] = true
			}
			for _, w := range want {
				u, err := purl.Parse(w)
				p := u.Package()
				if err != nil || u.Type == "oci" || u.Type == "docker" {
					continue
				}
				if !have[strings.ToLower(p.Name+" "+p.Version)] && !(p.Version == "" && len(c.Gaps)+len(img.Packages) > 0) {
					t.Errorf("%s: %s is not among the %d packages", file, w, len(img.Packages))
				}
			}
			return nil
		})
	}
	t.Logf("bills read: %v", count)
	if count["cyclonedx"] < 20 || count["spdx"] < 10 || count["syft"] < 3 {
		t.Errorf("too few bills of others to compare with: %v", count)
	}
}

// theirs are the package URLs that upstream's library finds.
func theirs(text []byte) (list []string, form string, ok bool) {
	if format := cdx.BOMFileFormatJSON; bytes.Contains(text, []byte("CycloneDX")) || bytes.Contains(text, []byte("cyclonedx.org/schema")) {
		if bytes.HasPrefix(bytes.TrimSpace(text), []byte("<")) {
			format = cdx.BOMFileFormatXML
		}
		var bom cdx.BOM
		if cdx.NewBOMDecoder(bytes.NewReader(text), format).Decode(&bom) != nil || bom.SpecVersion == 0 {
			return nil, "", false
		}
		var walk func(*[]cdx.Component)
		walk = func(components *[]cdx.Component) {
			if components == nil {
				return
			}
			for _, c := range *components {
				if c.PackageURL != "" && c.Type != cdx.ComponentTypeFile && c.Type != cdx.ComponentTypeMachineLearningModel && c.Type != cdx.ComponentTypeContainer {
					list = append(list, c.PackageURL)
				}
				walk(c.Components)
			}
		}
		walk(bom.Components)
		return list, "cyclonedx", true
	}
	var bill struct{ Artifacts []struct{ PURL string } }
	if bytes.Contains(text, []byte("anchore/syft/")) && json.Unmarshal(text, &bill) == nil && len(bill.Artifacts) > 0 {
		for _, a := range bill.Artifacts {
			if a.PURL != "" {
				list = append(list, a.PURL)
			}
		}
		return list, "syft", true
	}
	if !bytes.Contains(text, []byte("SPDX-2.")) {
		return nil, "", false
	}
	doc, err := spdxjson.Read(bytes.NewReader(text))
	if err != nil {
		if doc, err = tagvalue.Read(bytes.NewReader(text)); err != nil {
			return nil, "", false
		}
	}
	for _, p := range doc.Packages {
		for _, r := range p.PackageExternalReferences {
			if r.RefType == "purl" && p.PrimaryPackagePurpose != "CONTAINER" {
				list = append(list, r.Locator)
				break
			}
		}
	}
	return list, "spdx", true
}
