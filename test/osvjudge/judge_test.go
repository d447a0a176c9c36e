// Package osvjudge asks google/osv-scalibr's matcher, which reads the same OSV records, about the same packages
// as our index: a module of its own, so that its dependencies stay out of the product.
package osvjudge

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cpb "github.com/google/osv-scalibr/binary/proto/config_go_proto"
	"github.com/google/osv-scalibr/enricher/vulnmatch/osvlocal"
	"github.com/google/osv-scalibr/extractor"
	apkmeta "github.com/google/osv-scalibr/extractor/filesystem/os/apk/metadata"
	dpkgmeta "github.com/google/osv-scalibr/extractor/filesystem/os/dpkg/metadata"
	rpmmeta "github.com/google/osv-scalibr/extractor/filesystem/os/rpm/metadata"
	"github.com/google/osv-scalibr/inventory"
	"github.com/google/osv-scalibr/plugin/config"
	"github.com/google/osv-scalibr/purl"

	"github.com/coaming/coaming/internal/advisory"
)

const data = "../../../shared/vulndata"

// types are the package types by which the judge knows the ecosystems. It has none for Bitnami.
var types = map[string]string{
	"Go": purl.TypeGolang, "PyPI": purl.TypePyPi, "npm": purl.TypeNPM, "Maven": purl.TypeMaven, "RubyGems": purl.TypeGem, "NuGet": purl.TypeNuget,
	"Packagist": purl.TypeComposer, "crates.io": purl.TypeCargo, "Debian": purl.TypeDebian, "Alpine": purl.TypeApk, "AlmaLinux": purl.TypeRPM,
}

const (
	buckets  = 24 // the judge reads every record for every package: it is asked in portions
	perKind  = 900
	wantAll  = 5_000
	maxTold  = 30
	eventual = "introduced fixed last_affected limit"
)

// record is an OSV record as the test itself reads it.
type record struct {
	ID       string `json:"id"`
	Affected []struct {
		Package struct {
			Ecosystem string `json:"ecosystem"`
			Name      string `json:"name"`
		} `json:"package"`
		Ranges []struct {
			Type     string              `json:"type"`
			Events   []map[string]string `json:"events"`
			Database map[string]any      `json:"database_specific"`
		} `json:"ranges"`
		Versions []string `json:"versions"`
	} `json:"affected"`

	text []byte
	file string
}

// pkg is one package that both are asked about.
type pkg struct{ ecosystem, name, version string }

func TestSameMatchesAsScalibr(t *testing.T) {
	if _, err := os.Stat(data); err != nil {
		t.Skip("no ../shared/vulndata beside this checkout")
	}
	byID := map[string]*record{}
	b := advisory.NewBuilder()
	dirs := map[string][]*zipped{}
	asked := map[int][]pkg{}
	total := 0
	for kind := range types {
		records := readRecords(t, kind)
		var parsed []*advisory.Record
		for _, r := range records {
			byID[r.ID] = r
			p, err := advisory.ParseRecord(r.text)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, p)
		}
		b.Add(advisory.Source{Name: kind}, parsed)
		packages := draw(records)
		total += len(packages)
		for _, p := range packages {
			asked[bucket(p.name)] = append(asked[bucket(p.name)], p)
		}
		dirs[kind] = split(t, records)
	}
	var file bytes.Buffer
	if _, err := b.Write(&file, time.Unix(0, 0), 1); err != nil {
		t.Fatal(err)
	}
	index, err := advisory.Open(file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	matches, explained := 0, map[string]int{}
	var wrong []string
	for i := range buckets {
		packages := asked[i]
		ours := askIndex(t, index, packages)
		theirs := askScalibr(t, dirs, i, packages)
		for n, p := range packages {
			for _, id := range union(ours[n], theirs[n]) {
				we, they := slices.Contains(ours[n], id), slices.Contains(theirs[n], id)
				if we && they {
					matches++
					continue
				}
				if reason := explain(byID[id], p, we); reason != "" {
					explained[reason]++
					continue
				}
				wrong = append(wrong, fmt.Sprintf("%v %s: ours %v, theirs %v", p, id, we, they))
			}
		}
	}
	t.Logf("%d packages, %d same matches, differences that are explained: %v", total, matches, explained)
	if total < wantAll {
		t.Errorf("%d packages, want %d", total, wantAll)
	}
	for _, w := range wrong[:min(len(wrong), maxTold)] {
		t.Error(w)
	}
	if len(wrong) > maxTold {
		t.Errorf("and %d more", len(wrong)-maxTold)
	}
}

// explain gives the reason of a difference that is meant, "" when there is none.
func explain(r *record, p pkg, we bool) string {
	if kind, _, _ := strings.Cut(p.ecosystem, ":"); we && strings.ToLower(p.name) != p.name && (kind == "Go" || kind == "Packagist") {
		return "the judge asks for the name in small letters, and the record has capitals"
	}
	for _, a := range r.Affected {
		if a.Package.Name != p.name {
			if we && p.ecosystem == "Packagist" && strings.EqualFold(a.Package.Name, p.name) {
				return "the record writes the name with capitals, which say nothing in Packagist"
			}
			continue
		}
		for i, g := range a.Ranges {
			for _, e := range g.Events {
				if fixed := e["fixed"]; !we && fixed != "" && strings.HasPrefix(p.ecosystem, "AlmaLinux:") && strings.Contains(fixed, ".module") != strings.Contains(p.version, ".module") {
					return "an advisory for a module stream says nothing of packages outside of one, and the other way round; the judge compares all"
				}
				if over, _ := g.Database["introduced_exclusive"].(bool); over && !we && e["introduced"] == p.version {
					return "the range begins after the version, which only we read"
				}
			}
			if we && g.Type == "GIT" && i < len(a.Ranges)-1 {
				return "the judge stops at a range of commits"
			}
		}
		for _, v := range a.Versions {
			if !we && v != p.version && strings.TrimPrefix(v, "v") == strings.TrimPrefix(p.version, "v") {
				return "the judge takes v1 for 1 in listed versions"
			}
		}
	}
	return ""
}

func readRecords(t *testing.T, kind string) []*record {
	z, err := zip.OpenReader(filepath.Join(data, kind, "all.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }() // it was only read
	var list []*record
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		r := &record{file: f.Name}
		if r.text, err = io.ReadAll(in); err == nil {
			err = json.Unmarshal(r.text, r)
		}
		if err != nil {
			t.Fatal(f.Name, err)
		}
		list = append(list, r)
	}
	return list
}

// draw takes packages out of the records at the versions at which something changes, spread over all of them.
func draw(records []*record) []pkg {
	seen := map[pkg]bool{}
	var all []pkg
	for _, r := range records {
		for _, a := range r.Affected {
			if a.Package.Ecosystem == "Alpine:edge" {
				continue // the judge has no package of it
			}
			versions := slices.Clone(a.Versions[:min(len(a.Versions), 2)])
			for _, g := range a.Ranges {
				if g.Type == "GIT" {
					continue
				}
				for _, e := range g.Events {
					for kind := range strings.FieldsSeq(eventual) {
						if v := e[kind]; v != "" && v != "0" {
							versions = append(versions, v)
						}
					}
				}
			}
			for _, v := range versions {
				p := pkg{a.Package.Ecosystem, a.Package.Name, v}
				if !seen[p] {
					seen[p] = true
					all = append(all, p)
				}
			}
		}
	}
	step := max(len(all)/perKind, 1)
	var some []pkg
	for i := 0; i < len(all); i += step {
		some = append(some, all[i])
	}
	return some
}

func bucket(name string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return int(h.Sum32() % buckets)
}

// zipped is what one portion has of an ecosystem.
type zipped struct {
	raw bytes.Buffer
	z   *zip.Writer
}

// split puts each record into the portions of the packages that it affects.
func split(t *testing.T, records []*record) []*zipped {
	parts := make([]*zipped, buckets)
	for i := range parts {
		parts[i] = &zipped{}
		parts[i].z = zip.NewWriter(&parts[i].raw)
	}
	for _, r := range records {
		in := map[int]bool{}
		for _, a := range r.Affected {
			in[bucket(a.Package.Name)] = true
		}
		for i := range in {
			w, err := parts[i].z.CreateHeader(&zip.FileHeader{Name: r.file, Method: zip.Store})
			if err == nil {
				_, err = w.Write(readable(t, r.text))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, p := range parts {
		if err := p.z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return parts
}

// readable gives a record the form that the judge's reader asks for: it drops a record whole for a date or a field that
// is not in the schema.
func readable(t *testing.T, text []byte) []byte {
	var r map[string]any
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	slim := map[string]any{"id": r["id"], "modified": "2026-01-01T00:00:00Z"}
	if w, ok := r["withdrawn"].(string); ok && w != "" {
		slim["withdrawn"] = "2026-01-01T00:00:00Z"
	}
	var list []any
	affected, _ := r["affected"].([]any)
	for _, a := range affected {
		of, _ := a.(map[string]any)
		named, _ := of["package"].(map[string]any)
		one := map[string]any{"package": map[string]any{"ecosystem": named["ecosystem"], "name": named["name"]}, "versions": of["versions"]}
		var ranges []any
		for _, g := range asList(of["ranges"]) {
			of, _ := g.(map[string]any)
			ranges = append(ranges, map[string]any{"type": of["type"], "repo": of["repo"], "events": of["events"]})
		}
		one["ranges"] = ranges
		list = append(list, one)
	}
	slim["affected"] = list
	out, err := json.Marshal(slim)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

func askIndex(t *testing.T, index *advisory.Index, packages []pkg) [][]string {
	q := &advisory.Question{}
	for _, p := range packages {
		q.Packages = append(q.Packages, advisory.Package{Ecosystem: p.ecosystem, Name: p.name, Version: p.version})
	}
	a, err := index.Match(q)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Unknown) > 0 {
		t.Errorf("unknown: %+v", a.Unknown)
	}
	found := make([][]string, len(packages))
	for _, f := range a.Findings {
		found[f.Package] = append(found[f.Package], f.Advisories...)
	}
	return found
}

func askScalibr(t *testing.T, dirs map[string][]*zipped, i int, packages []pkg) [][]string {
	root := t.TempDir()
	dir := filepath.Join(root, "osv-scalibr") // where the judge looks below the path it is given
	for kind, parts := range dirs {
		if err := os.MkdirAll(filepath.Join(dir, kind), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, kind, "all.zip"), parts[i].raw.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	settings := config.DefaultPluginConfig()
	settings.ProtoConfig = &cpb.PluginConfig{PluginSpecific: []*cpb.PluginSpecificConfig{
		{Config: &cpb.PluginSpecificConfig_Osvlocal{Osvlocal: &cpb.OSVLocalConfig{LocalPath: root}}},
	}}
	judge, err := osvlocal.New(settings)
	if err != nil {
		t.Fatal(err)
	}
	places := map[*extractor.Package]int{}
	inv := &inventory.Inventory{}
	for n, p := range packages {
		e := theirs(p)
		if e.Ecosystem().String() != p.ecosystem {
			t.Fatalf("the judge reads %v as one of %s", p, e.Ecosystem())
		}
		places[e] = n
		inv.Packages = append(inv.Packages, e)
	}
	if err := judge.Enrich(context.Background(), nil, inv); err != nil {
		t.Fatal(err)
	}
	found := make([][]string, len(packages))
	for _, v := range inv.PackageVulns {
		n := places[v.Package]
		found[n] = append(found[n], v.Vulnerability.GetId())
	}
	return found
}

func theirs(p pkg) *extractor.Package {
	kind, release, _ := strings.Cut(p.ecosystem, ":")
	e := &extractor.Package{Name: p.name, Version: p.version, PURLType: types[kind]}
	switch kind {
	case "Debian":
		e.Metadata = &dpkgmeta.Metadata{PackageName: p.name, OSID: "debian", OSVersionID: release}
	case "Alpine":
		e.Metadata = &apkmeta.Metadata{PackageName: p.name, OSID: "alpine", OSVersionID: strings.TrimPrefix(release, "v") + ".0"}
	case "AlmaLinux":
		e.Metadata = &rpmmeta.Metadata{PackageName: p.name, OSID: "almalinux", OSVersionID: release}
	}
	return e
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
