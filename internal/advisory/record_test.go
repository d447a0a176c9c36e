package advisory

import "testing"

// FuzzRecord reads what may be anything, and what it read must make an index that opens.
func FuzzRecord(f *testing.F) {
	for _, text := range []string{
		`{"id":"CVE-1","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"a"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.0.0"}]}],"versions":["0.1.0","x"]}]}`,
		`{"id":"DSA-1-1","upstream":["CVE-1","CVE-2"],"affected":[{"package":{"ecosystem":"Debian:12","name":"a"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"last_affected":"1:1.0~rc1-1"}],"database_specific":{"introduced_exclusive":true}}],"ecosystem_specific":{"urgency":"low"}}]}`,
		`{"id":"GHSA-1","aliases":["CVE-3"],"withdrawn":"2026-01-01T00:00:00Z","severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],"database_specific":[1]}`,
		`{"id":"RHSA-1","affected":[{"package":{"ecosystem":"Red Hat:enterprise_linux:","name":"a"},"versions":["1"]},{"package":{"ecosystem":"Alpine:v","name":"a"},"versions":["1"]}]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseRecord(text)
		if err != nil || r.Withdrawn {
			return
		}
		file := writeIndex(t, r)
		x, err := Open(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range r.affected {
			for _, version := range []string{"1.0.0", "0"} {
				if _, err := x.Match(&Question{Packages: []Package{{Ecosystem: a.ecosystem, Name: a.name, Version: version}}}); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
