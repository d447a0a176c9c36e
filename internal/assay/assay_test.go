package assay_test

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/assay"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/threshold"
	"github.com/coaming/coaming/internal/verdict"
)

const today = "2026-11-22"

// record is an advisory about one package: affected up to the version in which it is fixed, "" for never.
func record(t *testing.T, id, ecosystem, name, fixed, vector string) *advisory.Record {
	t.Helper()
	kind, severity := "ECOSYSTEM", ""
	if ecosystem == "npm" {
		kind = "SEMVER"
	}
	if vector != "" {
		severity = fmt.Sprintf(`"severity": [{"type": "CVSS_V3", "score": %q}],`, vector)
	}
	events := `{"introduced": "0"}`
	if fixed != "" {
		events += fmt.Sprintf(`, {"fixed": %q}`, fixed)
	}
	r, err := advisory.ParseRecord(fmt.Appendf(nil, `{"id": "A-%s", "aliases": ["CVE-2026-%s"], "modified": "2026-01-01T00:00:00Z", %s
		"affected": [{"package": {"ecosystem": %q, "name": %q}, "ranges": [{"type": %q, "events": [%s]}]}]}`, id, id, severity, ecosystem, name, kind, events))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const (
	critical = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" // 9.8
	high     = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" // 7.5
)

// index is a small real one, of npm and Debian 12.
func index(t *testing.T) *advisory.Index {
	t.Helper()
	b := advisory.NewBuilder()
	b.Add(advisory.Source{Name: "npm"}, []*advisory.Record{
		record(t, "1001", "npm", "left", "2.0.0", critical), record(t, "1002", "npm", "left", "3.0.0", high), record(t, "1003", "npm", "left", "", high),
	})
	b.Add(advisory.Source{Name: "Debian"}, []*advisory.Record{
		record(t, "2001", "Debian:12", "openssl", "3.0.2-1", critical), record(t, "2002", "Debian:12", "openssl", "3.0.4-1", high),
		record(t, "2003", "Debian:12", "zlib", "1.3-1", ""), record(t, "2004", "Debian:12", "curl", "8.1-1", high),
	})
	if err := b.JoinKEV(strings.NewReader(`{"vulnerabilities": [{"cveID": "CVE-2026-1001"}]}`)); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := b.Write(&file, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), 1); err != nil {
		t.Fatal(err)
	}
	x, err := advisory.Open(file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func npm(version, place string, since int) fact.Package {
	return fact.Package{Ecosystem: "npm", Name: "left", Version: version, Place: place, Layer: since, Since: since}
}

func deb(name, source, version string, since int) fact.Package {
	return fact.Package{
		Ecosystem: "Debian:12", Name: name, Source: source, SourceVersion: version, Version: version, Architecture: "amd64", Place: "var/lib/dpkg/status",
		Layer: since, Since: since,
	}
}

func subject(digest string, packages ...fact.Package) *assay.Subject {
	return &assay.Subject{Name: "ghcr.io/shop/web", Image: &fact.Image{
		Name: "ghcr.io/shop/web:" + digest, Digest: "sha256:" + digest, System: &fact.System{ID: "debian", Version: "12"},
		Layers: []fact.Layer{{DiffID: "sha256:base"}, {DiffID: "sha256:app" + digest}}, Packages: packages,
	}}
}

func try(t *testing.T, b *assay.Bench, s *assay.Subject) *assay.Tried {
	t.Helper()
	tried, err := b.Try(s)
	if err != nil {
		t.Fatal(err)
	}
	return tried
}

// of are the fingerprints by vulnerability and place.
func of(tried *assay.Tried) map[string]string {
	list := map[string]string{}
	for _, f := range tried.Findings {
		if f.Vulnerability != nil {
			list[f.Vulnerability.ID+" "+f.Vulnerability.Package] = f.Fingerprint
		}
	}
	return list
}

// TestFingerprintsLast demands that a finding keeps its fingerprint while it is not mended: in another build, in another version, in another
// layer, and where a package manager has the version in its paths; and that findings never share one.
func TestFingerprintsLast(t *testing.T) {
	bench := assay.NewBench(index(t), today, nil)
	before := of(try(t, bench, subject("1", npm("1.0.0", "srv/.pnpm/left@1.0.0/package.json", 0), deb("libssl3", "openssl", "3.0.1-1", 0))))
	if len(before) != 5 {
		t.Fatalf("%v, want 5 findings", before)
	}
	for name, s := range map[string]*assay.Subject{
		"a rebuild":     subject("2", npm("1.0.0", "srv/.pnpm/left@1.0.0/package.json", 1), deb("libssl3", "openssl", "3.0.1-1", 1)),
		"a new version": subject("3", npm("1.5.0", "srv/.pnpm/left@1.5.0/package.json", 0), deb("libssl3", "openssl", "3.0.1-2", 0)),
		"one more part": subject("4", npm("1.0.0", "srv/.pnpm/left@1.0.0/package.json", 0), deb("libssl3", "openssl", "3.0.1-1", 0), deb("openssl", "openssl", "3.0.1-1", 1)),
	} {
		if after := of(try(t, bench, s)); !reflect.DeepEqual(before, after) {
			t.Errorf("after %s: %v, was %v", name, after, before)
		}
	}
	mended := of(try(t, bench, subject("5", npm("2.0.0", "srv/.pnpm/left@2.0.0/package.json", 0), deb("libssl3", "openssl", "3.0.2-1", 0))))
	for k, v := range mended {
		if before[k] != v {
			t.Errorf("%s: %s, was %s", k, v, before[k])
		}
	}
	if len(mended) != 3 {
		t.Errorf("%v, want the 3 that are not mended", mended)
	}
	seen := map[string]bool{}
	for _, f := range try(t, bench, subject("6", npm("1.0.0", "a/package.json", 0), npm("1.0.0", "b/package.json", 0), deb("zlib1g", "zlib", "1.2-1", 0))).Findings {
		if seen[f.Fingerprint] {
			t.Errorf("%s has the fingerprint of another finding", f.Path)
		}
		seen[f.Fingerprint] = true
	}
}

// TestOrigin demands that the layers of a known base are told from the application's, and that none is guessed.
func TestOrigin(t *testing.T) {
	bench := assay.NewBench(index(t), today, nil)
	base := &fact.Image{Name: "debian:12", Layers: []fact.Layer{{DiffID: "sha256:base"}}}
	other := &fact.Image{Name: "debian:11", Layers: []fact.Layer{{DiffID: "sha256:other"}}}
	for _, c := range []struct {
		name        string
		given       *fact.Image
		known       []*fact.Image
		inZero, one verdict.Origin
		refused     bool
	}{
		{"nothing is known", nil, nil, verdict.OriginUnknown, verdict.OriginUnknown, false},
		{"known", nil, []*fact.Image{other, base}, verdict.OriginBase, verdict.OriginApplication, false},
		{"another is known", nil, []*fact.Image{other}, verdict.OriginUnknown, verdict.OriginUnknown, false},
		{"given", base, nil, verdict.OriginBase, verdict.OriginApplication, false},
		{"a wrong one is given", other, nil, "", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := subject("1", deb("zlib1g", "zlib", "1.2-1", 0), deb("curl", "curl", "8.0-1", 1))
			if err := assay.SettleBase(s.Image, c.given, c.known); (err != nil) != c.refused {
				t.Fatalf("SettleBase: %v, refused is to be %v", err, c.refused)
			} else if err != nil {
				return
			}
			for _, f := range try(t, bench, s).Findings {
				want := c.inZero
				if f.Vulnerability.Package == "curl" {
					want = c.one
				}
				if f.Vulnerability.Origin != want {
					t.Errorf("%s is of %q, want %q", f.Vulnerability.Package, f.Vulnerability.Origin, want)
				}
			}
		})
	}
}

// failing counts what fails by vulnerability, package and place.
func failing(tried *assay.Tried) map[string]bool {
	list := map[string]bool{}
	for _, f := range tried.Findings {
		if v := f.Vulnerability; v != nil && f.Verdict == verdict.Fail {
			list[v.ID+" "+v.Package+" "+v.Place] = true
		}
	}
	return list
}

// TestAdvice does what is advised and judges again: exactly so many are cleared and left.
func TestAdvice(t *testing.T) {
	bench := assay.NewBench(index(t), today, nil)
	s := subject("1", npm("1.0.0", "a/package.json", 1), npm("1.0.0", "b/package.json", 1), deb("libssl3", "openssl", "3.0.1-1", 0), deb("zlib1g", "zlib", "1.2-1", 0))
	tried := try(t, bench, s)
	before := failing(tried)
	advice, err := bench.Advise(s, tried)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, a := range advice {
		kinds[a.Kind]++
		if a.Kind != "upgrade" {
			continue
		}
		mended := subject("2", slices.Clone(s.Image.Packages)...)
		for i := range mended.Image.Packages {
			if p := &mended.Image.Packages[i]; p.Name == a.Package || p.Source == a.Package {
				p.Version = a.To
				if p.Source != "" {
					p.SourceVersion = a.To
				}
			}
		}
		cleared := len(before) - len(failing(try(t, bench, mended)))
		if cleared != a.Clears-a.Brings || a.Clears == 0 {
			t.Errorf("%s: %d fewer, and %d clears %d brings were told", a.Do, cleared, a.Clears, a.Brings)
		}
	}
	if kinds["upgrade"] != 3 || kinds["refresh"] != 1 {
		t.Errorf("%v, want 3 upgrades and 1 refresh", kinds)
	}
	if a := advice[0]; a.Package != "left" || a.To != "3.0.0" || a.Clears != 4 || a.Leaves != 2 || a.Gravest != verdict.Critical {
		t.Errorf("first %+v, want left 3.0.0, which clears 4 and leaves 2", a)
	}
	for _, a := range advice {
		if a.Kind == "refresh" && (a.Clears != 3 || a.Leaves != 0 || *a.Layer != 0) {
			t.Errorf("%+v, want one that clears 3 of layer 0", a)
		}
	}
}

// TestRebase demands of the advice on bases what becomes of the image on them: what it upgraded itself is there once, in the newer version.
func TestRebase(t *testing.T) {
	bench := assay.NewBench(index(t), today, nil)
	system := &fact.System{ID: "debian", Version: "12"}
	onBase := func(name, layer string, packages ...fact.Package) *fact.Image {
		return &fact.Image{Name: name, Digest: "sha256:" + name, System: system, Layers: []fact.Layer{{DiffID: layer}}, Packages: packages}
	}
	old := onBase("old", "sha256:base", deb("libssl3", "openssl", "3.0.1-1", 0), deb("zlib1g", "zlib", "1.2-1", 0))
	for _, c := range []struct {
		name                   string
		own                    []fact.Package // of the image, on the old base
		next                   *fact.Image
		clears, leaves, brings int // clears 0: no advice
	}{
		{
			"all is mended",
			[]fact.Package{deb("libssl3", "openssl", "3.0.1-1", 0), deb("zlib1g", "zlib", "1.2-1", 0)},
			onBase("next", "sha256:next", deb("libssl3", "openssl", "3.0.4-1", 0), deb("zlib1g", "zlib", "1.3-1", 0)), 3, 0, 0,
		},
		{
			"the image's own is newer than both bases'",
			[]fact.Package{deb("libssl3", "openssl", "3.0.4-1", 1), deb("zlib1g", "zlib", "1.2-1", 0)},
			onBase("next", "sha256:next", deb("libssl3", "openssl", "3.0.2-1", 0), deb("zlib1g", "zlib", "1.3-1", 0)), 1, 0, 0,
		},
		{
			"the base's is newer than the image's own",
			[]fact.Package{deb("libssl3", "openssl", "3.0.2-1", 1), deb("zlib1g", "zlib", "1.2-1", 0)},
			onBase("next", "sha256:next", deb("libssl3", "openssl", "3.0.4-1", 0), deb("zlib1g", "zlib", "1.3-1", 0)), 2, 0, 0,
		},
		{
			"what the image adds stays",
			[]fact.Package{deb("libssl3", "openssl", "3.0.1-1", 0), deb("zlib1g", "zlib", "1.2-1", 0), deb("curl", "curl", "8.0-1", 1)},
			onBase("next", "sha256:next", deb("libssl3", "openssl", "3.0.4-1", 0), deb("zlib1g", "zlib", "1.3-1", 0)), 3, 1, 0,
		},
		{
			"it brings as many as it clears",
			[]fact.Package{deb("zlib1g", "zlib", "1.2-1", 0)},
			onBase("next", "sha256:next", deb("curl", "curl", "8.0-1", 0)), 0, 0, 0,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := subject("1", c.own...)
			known := []*fact.Image{old, c.next}
			if err := assay.SettleBase(s.Image, nil, known); err != nil {
				t.Fatal(err)
			}
			advice, err := bench.Rebase(s, try(t, bench, s), known)
			if err != nil {
				t.Fatal(err)
			}
			if c.clears == 0 {
				if len(advice) > 0 {
					t.Errorf("%+v, want none", advice)
				}
				return
			}
			if len(advice) != 1 || advice[0].Clears != c.clears || advice[0].Leaves != c.leaves || advice[0].Brings != c.brings || advice[0].To != "next" {
				t.Errorf("%+v, want clears %d, leaves %d, brings %d", advice, c.clears, c.leaves, c.brings)
			}
		})
	}
}

// TestStatements demands that a statement exempts what it names, in the image that it names.
func TestStatements(t *testing.T) {
	for _, c := range []struct {
		name   string
		within []string
		exempt int
	}{{"wherever it is", nil, 1}, {"in this image", []string{"sha256:1"}, 1}, {"in another image", []string{"sha256:2"}, 0}} {
		t.Run(c.name, func(t *testing.T) {
			bench := assay.NewBench(index(t), today, []advisory.Statement{{
				Source: "a.vex", Vulnerabilities: []string{"CVE-2026-1002"}, Package: "pkg:npm/left", Within: c.within, Status: advisory.NotAffected, Reason: "never called",
			}})
			tried := try(t, bench, subject("1", npm("1.0.0", "a/package.json", 0)))
			exempt := 0
			for _, f := range tried.Findings {
				if f.Verdict == verdict.Exempt {
					exempt++
					if f.Vulnerability.ID != "CVE-2026-1002" || f.Exemption == nil || f.Exemption.Grant != verdict.GrantVEX || !strings.Contains(f.Reason, "never called") {
						t.Errorf("%+v is exempt", f)
					}
				}
			}
			if exempt != c.exempt || len(tried.Findings) != 3 {
				t.Errorf("%d of %d are exempt, want %d of 3", exempt, len(tried.Findings), c.exempt)
			}
		})
	}
}

// TestCount demands the same of counting and of building findings, and the same exit code of either.
func TestCount(t *testing.T) {
	ssl := deb("libssl3", "openssl", "3.0.1-1", 0)
	owned := npm("1.0.0", "usr/share/left/package.json", 0)
	owned.Owner = "node-left"
	odd := deb("odd", "odd", "1.0", 0)
	odd.Ecosystem = "Debian:99"
	vex := []advisory.Statement{{Source: "a.vex", Vulnerabilities: []string{"CVE-2026-1002"}, Package: "pkg:npm/left", Status: advisory.NotAffected}}
	for name, s := range map[string]*assay.Subject{
		"nothing":     subject("0"),
		"clean":       subject("1", deb("zlib1g", "zlib", "1.3-1", 0)),
		"unrated":     subject("2", deb("zlib1g", "zlib", "1.2-1", 0)),
		"two of one":  subject("3", ssl, deb("openssl", "openssl", "3.0.1-1", 0), npm("1.0.0", "a", 0), npm("1.0.0", "b", 0)),
		"not covered": subject("4", odd, deb("odder", "odd", "not a version", 0)),
		"owned":       subject("5", owned, deb("zlib1g", "zlib", "1.3-1", 0)),
	} {
		for kind, bench := range map[string]*assay.Bench{
			"": assay.NewBench(index(t), today, nil), " with statements": assay.NewBench(index(t), today, vex), " without an index": assay.NewBench(nil, today, nil),
			" by an old index": stale(t),
		} {
			tried := try(t, bench, s)
			count, err := bench.Count(s)
			if err != nil {
				t.Fatal(err)
			}
			if want := tried.Count(); *want != *count {
				t.Errorf("%s%s: counted %+v, found %+v", name, kind, *count, *want)
			}
			for gate := verdict.Low; gate <= verdict.Critical; gate++ {
				found, outlined := verdict.Result{Findings: tried.Findings}, verdict.Result{Findings: count.Outline()}
				found.Coverage.Evaluations, outlined.Coverage.Evaluations = 1, 1
				if a, b := found.Exit(gate, false), outlined.Exit(gate, false); a != b {
					t.Errorf("%s%s at %s: exit %d of the findings, %d of their outline", name, kind, gate, a, b)
				}
			}
		}
	}
}

func stale(t *testing.T) *assay.Bench {
	b := assay.NewBench(index(t), today, nil)
	b.Standing = &verdict.Advisories{Stale: "the index is old"}
	return b
}

// TestStale asks that by an index that is too old what is found is found, what would pass is unknown, and advice stays the same.
func TestStale(t *testing.T) {
	s := subject("1", npm("1.0.0", "a", 0), deb("zlib1g", "zlib", "1.3-1", 0), deb("bare", "bare", "1", 0))
	fresh, old := assay.NewBench(index(t), today, nil), stale(t)
	before, after := try(t, fresh, s), try(t, old, s)
	if before.Passed != 2 || after.Passed != 0 || len(after.Findings) != len(before.Findings)+1 {
		t.Fatalf("%d passed of the fresh one, %d of the old one; %d findings and %d", before.Passed, after.Passed, len(before.Findings), len(after.Findings))
	}
	at := slices.IndexFunc(after.Findings, func(f verdict.Finding) bool { return f.Verdict == verdict.Unknown })
	if at < 0 || after.Findings[at].Reason != old.Stale() || !strings.Contains(after.Findings[at].Message, "bare, zlib") {
		t.Errorf("%+v", after.Findings)
	}
	a, err := fresh.Advise(s, before)
	if err != nil {
		t.Fatal(err)
	}
	b, err := old.Advise(s, after)
	if err != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("advice %+v, by the old one %+v, %v", a, b, err)
	}
}

// TestThresholds demands exit codes of expressions over what was found.
func TestThresholds(t *testing.T) {
	tried := try(t, assay.NewBench(index(t), today, nil), subject("1", npm("1.0.0", "a/package.json", 1), deb("zlib1g", "zlib", "1.2-1", 0)))
	res := verdict.Result{Findings: tried.Findings}
	for text, want := range map[string]int{
		"critical": verdict.ExitFindings, "exploited && fixed": verdict.ExitFindings, "exploited && !fixed": verdict.ExitClean,
		"severity >= high && ecosystem.startsWith('Debian')": verdict.ExitUnknown, // nobody rated zlib's
		"severity >= low && ecosystem.startsWith('Debian')":  verdict.ExitFindings,
		"layer == 1 && id == 'CVE-2026-1003' && !fixed":      verdict.ExitFindings,
		"likelihood > 0.5": verdict.ExitUnknown, "pkg == 'left' && score > 9.9": verdict.ExitClean, "origin == 'base'": verdict.ExitUnknown, "origin == 'base' && layer > 7": verdict.ExitClean,
		"exposed != 'no' && fixed": verdict.ExitFindings, "exposed == 'yes'": verdict.ExitUnknown,
	} {
		gate, err := threshold.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if code := res.Exit(gate, false); code != want {
			t.Errorf("%s: exit %d, want %d", text, code, want)
		}
	}
}
