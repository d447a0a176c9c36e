package advisory

import (
	"strings"
	"testing"
)

const ofFoo = `"affected":[{"package":{"ecosystem":"npm","name":"foo"}`

// TestOpenRecords asks that a package is unknown for what a record leaves open, unless another record closes it.
func TestOpenRecords(t *testing.T) {
	for name, of := range map[string]struct {
		records []string
		version string
		want    string // the reason, "found" or "clean"
	}{
		"commits alone":               {[]string{`{"id":"MAL-2",` + ofFoo + `,"ranges":[{"type":"GIT","repo":"https://example.com/foo","events":[{"introduced":"0"},{"fixed":"abc"}]}]}]}`}, "1.0.0", "MAL-2 names it by ranges of commits alone"},
		"no ranges, no versions":      {[]string{`{"id":"GHSA-5","aliases":["CVE-5"],` + ofFoo + `}]}`}, "1.0.0", "CVE-5 (GHSA-5) names it without saying which versions"},
		"versions that are empty":     {[]string{`{"id":"GHSA-5",` + ofFoo + `,"versions":[""]}]}`}, "1.0.0", "GHSA-5 names it without saying which versions"},
		"bounds that are no versions": {[]string{`{"id":"X-4",` + ofFoo + `,"ranges":[{"type":"SEMVER","events":[{"introduced":"banana"},{"fixed":"zzz"}]}]}]}`}, "1.0.0", "X-4 names it by a range that cannot be compared"},
		"a limit that is none":        {[]string{`{"id":"X-4",` + ofFoo + `,"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"limit":"main"}]}]}]}`}, "1.0.0", "X-4 names it by a range that cannot be compared"},
		"nothing introduced":          {[]string{`{"id":"X-4",` + ofFoo + `,"ranges":[{"type":"SEMVER","events":[{"fixed":"2.0.0"}]}]}]}`}, "1.0.0", "X-4 names it by a range that cannot be compared"},
		"an empty bound":              {[]string{`{"id":"X-4",` + ofFoo + `,"ranges":[{"type":"SEMVER","events":[{"introduced":""}]}]}]}`}, "1.0.0", "X-4 names it by a range that cannot be compared"},
		"a type that is not known":    {[]string{`{"id":"X-4",` + ofFoo + `,"ranges":[{"type":"CALVER","events":[{"introduced":"0"}]}]}]}`}, "1.0.0", "X-4 names it by a range that cannot be compared"},

		"listed beside commits":            {[]string{`{"id":"X-1",` + ofFoo + `,"ranges":[{"type":"GIT","events":[{"introduced":"0"}]}],"versions":["1.0.0"]}]}`}, "1.0.0", "found"},
		"not listed beside commits":        {[]string{`{"id":"X-1",` + ofFoo + `,"ranges":[{"type":"GIT","events":[{"introduced":"0"}]}],"versions":["1.0.0"]}]}`}, "1.0.1", "clean"},
		"listed beside a broken range":     {[]string{`{"id":"X-1",` + ofFoo + `,"ranges":[{"type":"SEMVER","events":[{"introduced":"banana"}]}],"versions":["1.0.0"]}]}`}, "1.0.0", "found"},
		"not listed beside a broken range": {[]string{`{"id":"X-1",` + ofFoo + `,"ranges":[{"type":"SEMVER","events":[{"introduced":"banana"}]}],"versions":["1.0.0"]}]}`}, "1.0.1", "X-1 names it by a range that cannot be compared"},
		"in a range beside a broken one":   {[]string{`{"id":"X-1",` + ofFoo + `,"ranges":[{"type":"SEMVER","events":[{"introduced":"x"}]},{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"2.0.0"}]}]}]}`}, "1.0.1", "found"},

		"closed by another record":    {[]string{`{"id":"A-1","aliases":["CVE-1"],` + ofFoo + `}]}`, `{"id":"B-1","aliases":["CVE-1"],` + ofFoo + `,"versions":["0.9.0"]}]}`}, "1.0.0", "clean"},
		"found by another record":     {[]string{`{"id":"A-1","aliases":["CVE-1"],` + ofFoo + `}]}`, `{"id":"B-1","aliases":["CVE-1"],` + ofFoo + `,"versions":["1.0.0"]}]}`}, "1.0.0", "found"},
		"closed by the same record":   {[]string{`{"id":"A-1",` + ofFoo + `},{"package":{"ecosystem":"npm","name":"foo"},"versions":["0.9.0"]}]}`}, "1.0.0", "clean"},
		"closed for another package":  {[]string{`{"id":"A-1",` + ofFoo + `},{"package":{"ecosystem":"npm","name":"bar"},"versions":["0.9.0"]}]}`}, "1.0.0", "A-1 names it without saying which versions"},
		"closed for one of two":       {[]string{`{"id":"DSA-1","upstream":["CVE-1","CVE-2"],` + ofFoo + `}]}`, `{"id":"B-1","aliases":["CVE-1"],` + ofFoo + `,"versions":["0.9.0"]}]}`}, "1.0.0", "CVE-1 (DSA-1) names it without saying which versions"},
		"withdrawn":                   {[]string{`{"id":"A-1","withdrawn":"2026-01-01T00:00:00Z",` + ofFoo + `}]}`, `{"id":"B-1",` + ofFoo + `,"versions":["0.9.0"]}]}`}, "1.0.0", "clean"},
		"a version below every range": {[]string{`{"id":"A-1",` + ofFoo + `}]}`, `{"id":"B-1",` + ofFoo + `,"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.0.0"}]}]}]}`}, "9.0.0", "A-1 names it without saying which versions"},
	} {
		t.Run(name, func(t *testing.T) {
			a := askOne(t, indexOf(t, of.records...), "npm", "foo", of.version)
			got := "clean"
			switch {
			case len(a.Findings) > 0 && len(a.Unknown) == 0:
				got = "found"
			case len(a.Unknown) > 0 && len(a.Findings) == 0:
				got = a.Unknown[0].Reason
			case len(a.Unknown) > 0:
				got = "both"
			}
			if got != of.want {
				t.Errorf("%s, want %s", got, of.want)
			}
		})
	}
}

// TestOpenRecordsAreTold asks that who makes an index learns of them, and who opens it.
func TestOpenRecordsAreTold(t *testing.T) {
	x := indexOf(t,
		`{"id":"A-1",`+ofFoo+`,"ranges":[{"type":"GIT","events":[{"introduced":"0"}]}]}]}`,
		`{"id":"A-2",`+ofFoo+`,"ranges":[{"type":"GIT","events":[{"introduced":"0"}]}]},{"package":{"ecosystem":"npm","name":"bar"},"ranges":[{"type":"GIT","events":[{"introduced":"0"}]}]}]}`,
		`{"id":"A-3","affected":[{"ranges":[{"type":"GIT","events":[{"introduced":"0"}]}]}]}`,
		`{"id":"A-4",`+ofFoo+`,"versions":["1.0.0"]}]}`)
	want := map[string]string{"naming a package by ranges of commits alone": "A-1 A-2", noPackage: "A-3"}
	if len(x.About.Doubts) != len(want) {
		t.Errorf("%+v", x.About.Doubts)
	}
	for _, d := range x.About.Doubts {
		var ids []string
		for _, first := range d.First {
			id, _, _ := strings.Cut(first, " ")
			ids = append(ids, id)
		}
		if got := strings.Join(ids, " "); len(ids) != d.Records || got != want[d.Why] && got != "A-2 A-1" {
			t.Errorf("%s: %d, %s", d.Why, d.Records, got)
		}
	}
}

// TestStatementsCloseRecords asks that a statement about what a record leaves open counts.
func TestStatementsCloseRecords(t *testing.T) {
	x := indexOf(t, `{"id":"GHSA-5","aliases":["CVE-5"],`+ofFoo+`}]}`)
	vex, err := ParseVEX("vex.json", []byte(`{"@context":"https://openvex.dev/ns/v0.2.0","timestamp":"2026-02-01T00:00:00Z","statements":[{"vulnerability":{"name":"CVE-5"},"products":[{"@id":"pkg:npm/foo"}],"status":"not_affected","justification":"vulnerable_code_not_present"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	a, err := x.Match(&Question{VEX: vex, Packages: []Package{{Ecosystem: "npm", Name: "foo", Version: "1.0.0"}}})
	if err != nil || len(a.Unknown) > 0 || len(a.Findings) != 1 || a.Findings[0].Suppressed == nil {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestNoOrder asks that a range in an ecosystem whose order nobody here knows is unknown, and a listed version is found.
func TestNoOrder(t *testing.T) {
	x := indexOf(t, `{"id":"X-1","affected":[{"package":{"ecosystem":"Android","name":"a"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"12:0"}]}],"versions":["12"]}]}`)
	if a := askOne(t, x, "Android", "a", "12"); len(a.Findings) != 1 {
		t.Errorf("listed: %+v", a)
	}
	if a := askOne(t, x, "Android", "a", "13"); len(a.Findings) != 0 || len(a.Unknown) == 0 {
		t.Errorf("not listed: %+v", a)
	}
}

// TestListedNames asks that what is no version is found where the records list it, and unknown where one does not.
func TestListedNames(t *testing.T) {
	for name, of := range map[string]struct {
		records []string
		want    [2]int // findings and unknowns
	}{
		"listed beside a range": {[]string{`{"id":"A-1",` + ofFoo + `,"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}],"versions":["a3","1.0.0"]}]}`}, [2]int{1, 0}},
		"not listed":            {[]string{`{"id":"A-1",` + ofFoo + `,"versions":["a4"]}]}`}, [2]int{0, 1}},
		"listed by one of two":  {[]string{`{"id":"A-1",` + ofFoo + `,"versions":["a3"]}]}`, `{"id":"A-2",` + ofFoo + `,"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}]}]}`}, [2]int{1, 1}},
	} {
		a := askOne(t, indexOf(t, of.records...), "npm", "foo", "a3")
		if got := [2]int{len(a.Findings), len(a.Unknown)}; got != of.want {
			t.Errorf("%s: %v findings and unknowns, want %v", name, got, of.want)
		}
	}
}

func TestIsVersion(t *testing.T) {
	for ecosystem, of := range map[string]struct{ yes, no string }{
		"npm":       {"1.0.0 v1 1.2.3-rc.1+b", "latest * x ^1.0 >=1.2 1.x||2 ~1.2"},
		"PyPI":      {"1.0 1!2.0 v1.0 1.0.post1 2004d", "latest dev ==1.0 banana"},
		"Debian:12": {"1:1.0~rc1-1+b2 20240203", "latest banana x:1"},
		"Red Hat:9": {"B.02.19.2-6.el8 1:1.0^git1-2", "${version} >=1"},
		"Alpine":    {"1.2.3-r0 0.0_git2024", "latest banana"},
		"Maven":     {"Finchley.SR1 1.0-SNAPSHOT banana", "LATEST RELEASE [1.0,2.0) ${project.version}"},
		"RubyGems":  {"1.0.rc1 3.2.1", ">=1.0 ~>2 banana"},
		"Packagist": {"v1.2 1.0.x-dev", "dev-master ^7.4"},
		"Go":        {"v1.2.3 go1.21.0 v0.0.0-20240101000000-abcdefabcdef", "(devel) master"},
		"NuGet":     {"1.0.0.1 1.0-beta", "1.* [1.0]"},
		"Android":   {"12:0", "* >=1"},
	} {
		for _, v := range strings.Fields(of.yes) {
			if !IsVersion(ecosystem, v) {
				t.Errorf("%s: %s is a version", ecosystem, v)
			}
		}
		for _, v := range append(strings.Fields(of.no), "", "1.0\n2") {
			if IsVersion(ecosystem, v) {
				t.Errorf("%s: %q is no version", ecosystem, v)
			}
		}
	}
}
