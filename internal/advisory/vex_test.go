package advisory

import (
	"slices"
	"testing"
)

const twoPackages = `{"id":"GHSA-1","aliases":["CVE-2026-1"],"modified":"2026-01-01T00:00:00Z","affected":[
 {"package":{"ecosystem":"npm","name":"left"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}]},
 {"package":{"ecosystem":"Debian:12","name":"right"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}]}]}`

// TestVEXSuppressesWhatItNames asks about npm left 1.0.0, left 2.0.0 and Debian's right 1-1, all with the one vulnerability.
func TestVEXSuppressesWhatItNames(t *testing.T) {
	openVEX := func(vulnerability, product, status, more string) string {
		return `{"@context":"https://openvex.dev/ns/v0.2.0","timestamp":"2026-02-01T00:00:00Z","statements":[{"vulnerability":{"name":"` + vulnerability +
			`"},"products":[{` + product + `}],"status":"` + status + `"}` + more + `]}`
	}
	csaf := func(tree, status string) string {
		return `{"document":{"csaf_version":"2.0"},"product_tree":{` + tree + `},"vulnerabilities":[{"cve":"CVE-2026-1","product_status":{` + status + `}}]}`
	}
	const branch = `"branches":[{"branches":[{"product":{"product_id":"P","product_identification_helper":{"purl":"pkg:npm/left@1.0.0"}}}]},{"product":{"product_id":"I","name":"image"}}],
		"relationships":[{"product_reference":"P","relates_to_product_reference":"I","full_product_name":{"product_id":"I:P"}}]`
	cyclone := func(affects, state string) string {
		return `{"bomFormat":"CycloneDX","components":[{"bom-ref":"c1","purl":"pkg:npm/left@1.0.0"}],"vulnerabilities":[{"id":"GHSA-1","analysis":{"state":"` + state + `"},"affects":[` + affects + `]}]}`
	}
	const image = `"@id":"pkg:oci/app@sha256:aa"`
	for name, test := range map[string]struct {
		text string
		want []int
	}{
		"every version":                  {openVEX("CVE-2026-1", `"@id":"pkg:npm/left"`, "not_affected", ""), []int{0, 1}},
		"one version":                    {openVEX("CVE-2026-1", `"@id":"pkg:npm/left@2.0.0"`, "fixed", ""), []int{1}},
		"by alias":                       {openVEX("GHSA-1", `"@id":"pkg:npm/left@2.0.0"`, "not_affected", ""), []int{1}},
		"another vulnerability":          {openVEX("CVE-2026-10", `"@id":"pkg:npm/left"`, "not_affected", ""), nil},
		"another package":                {openVEX("CVE-2026-1", `"@id":"pkg:npm/leftover"`, "not_affected", ""), nil},
		"another ecosystem":              {openVEX("CVE-2026-1", `"@id":"pkg:pypi/left"`, "not_affected", ""), nil},
		"affected":                       {openVEX("CVE-2026-1", `"@id":"pkg:npm/left"`, "affected", ""), nil},
		"looked into":                    {openVEX("CVE-2026-1", `"@id":"pkg:npm/left"`, "under_investigation", ""), nil},
		"affected after all":             {openVEX("CVE-2026-1", `"@id":"pkg:npm/left"`, "not_affected", `,{"timestamp":"2026-03-01T00:00:00Z","vulnerability":{"name":"CVE-2026-1"},"products":[{"@id":"pkg:npm/left@1.0.0"}],"status":"affected"}`), []int{1}},
		"any release":                    {openVEX("CVE-2026-1", `"@id":"pkg:deb/debian/right@1-1"`, "not_affected", ""), []int{2}},
		"its release":                    {openVEX("CVE-2026-1", `"@id":"pkg:deb/debian/right?distro=debian-12"`, "not_affected", ""), []int{2}},
		"another release":                {openVEX("CVE-2026-1", `"@id":"pkg:deb/debian/right?distro=debian-11"`, "not_affected", ""), nil},
		"the binary package":             {openVEX("CVE-2026-1", `"@id":"pkg:deb/debian/libright1"`, "not_affected", ""), []int{2}},
		"all in this image":              {openVEX("CVE-2026-1", image, "not_affected", ""), []int{0, 1, 2}},
		"all in another image":           {openVEX("CVE-2026-1", `"@id":"pkg:oci/app@sha256:bb"`, "not_affected", ""), nil},
		"a part of this image":           {openVEX("CVE-2026-1", image+`,"subcomponents":[{"@id":"pkg:npm/left@2.0.0"}]`, "not_affected", ""), []int{1}},
		"a part of another image":        {openVEX("CVE-2026-1", `"@id":"pkg:oci/b","subcomponents":[{"@id":"pkg:npm/left"}]`, "not_affected", ""), nil},
		"a part that cannot be compared": {openVEX("CVE-2026-1", image+`,"subcomponents":[{"@id":"left"}]`, "not_affected", ""), nil},
		"CSAF":                           {csaf(branch, `"known_not_affected":["P"]`), []int{0}},
		"CSAF, affected":                 {csaf(branch, `"known_affected":["P"]`), nil},
		"CSAF, on a platform elsewhere":  {csaf(branch, `"known_not_affected":["I:P"]`), nil},
		"CycloneDX":                      {cyclone(`{"ref":"c1"}`, "not_affected"), []int{0}},
		"CycloneDX, a package URL":       {cyclone(`{"ref":"pkg:npm/left@2.0.0"}`, "resolved"), []int{1}},
		"CycloneDX, a link":              {cyclone(`{"ref":"urn:cdx:x/1#pkg:npm/left%402.0.0"}`, "false_positive"), []int{1}},
		"CycloneDX, versions":            {cyclone(`{"ref":"pkg:npm/left","versions":[{"version":"1.0.0"}]}`, "not_affected"), []int{0}},
		"CycloneDX, exploitable":         {cyclone(`{"ref":"c1"}`, "exploitable"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := ParseRecord([]byte(twoPackages))
			if err != nil {
				t.Fatal(err)
			}
			x, err := Open(writeIndex(t, r))
			if err != nil {
				t.Fatal(err)
			}
			list, err := ParseVEX("vex.json", []byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			a, err := x.Match(&Question{VEX: list, Products: []string{"pkg:oci/app@sha256:aa", "sha256:aa"}, Packages: []Package{
				{Ecosystem: "npm", Name: "left", Version: "1.0.0"},
				{Ecosystem: "npm", Name: "left", Version: "2.0.0"},
				{Ecosystem: "Debian:12", Name: "right", Version: "1-1", Binary: "libright1"},
			}})
			if err != nil || len(a.Findings) != 3 {
				t.Fatal(a, err)
			}
			var got []int
			for _, f := range a.Findings {
				if f.Suppressed != nil {
					got = append(got, f.Package)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("suppresses %v, want %v", got, test.want)
			}
		})
	}
}

func FuzzVEX(f *testing.F) {
	f.Add([]byte(`{"@context":"https://openvex.dev/ns/v0.2.0","statements":[{"vulnerability":{"name":"CVE-1"},"products":[{"@id":"pkg:npm/a"},"pkg:npm/b"],"status":"fixed"}]}`))
	f.Add([]byte(`{"document":{"csaf_version":"2.0"},"product_tree":{"branches":[{"product":{"product_id":"P"}}]},"vulnerabilities":[{"cve":"CVE-1","product_status":{"fixed":["P"]}}]}`))
	f.Add([]byte(`{"bomFormat":"CycloneDX","vulnerabilities":[{"id":"CVE-1","analysis":{"state":"resolved"},"affects":[{"ref":"pkg:npm/a","versions":[{"version":"1"}]}]}]}`))
	f.Fuzz(func(_ *testing.T, text []byte) {
		list, err := ParseVEX("x", text)
		if err == nil {
			indexVEX(list).about(&Package{Ecosystem: "npm", Name: "a", Version: "1"}, &Finding{Vulnerability: "CVE-1"}, nil)
		}
	})
}
