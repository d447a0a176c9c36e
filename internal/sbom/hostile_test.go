package sbom

import (
	"bytes"
	"io"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// repeated is a text that is made as it is read: a head, a part many times, and a tail.
type repeated struct {
	head, part, tail string
	times, n         int
	rest             string
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.rest == "" {
		switch {
		case r.n == 0:
			r.rest = r.head
		case r.n <= r.times:
			r.rest = strings.ReplaceAll(r.part, "%", strconv.Itoa(r.n))
		case r.n == r.times+1:
			r.rest = r.tail
		default:
			return 0, io.EOF
		}
		r.n++
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

const cdxHead = `{"bomFormat":"CycloneDX","specVersion":"1.6",`

func TestHostileBills(t *testing.T) {
	for name, tt := range map[string]struct {
		text *repeated
		want string // in the error, "" where there is none
		gap  string // in one of the gaps
	}{
		"components in components": {&repeated{head: cdxHead + `"components":[`, part: `{"components":[`, times: 100_000}, "more than 200 deep", ""},
		"lists in lists, left out": {&repeated{head: `{"other":`, part: `[`, times: 10_000_000}, "more than 200 deep", ""},
		"two million packages":     {&repeated{head: cdxHead + `"components":[{"name":"a"}`, part: `,{"name":"a%","purl":"pkg:npm/a@%"}`, tail: `]}`, times: 2_000_000}, "", "more parts than the 250000"},
		"a text without an end":    {&repeated{head: cdxHead + `"components":[{"name":"`, part: strings.Repeat("x", 4096), times: 140_000}, "a text has more than 16777216 bytes", ""},
		"a number without an end":  {&repeated{head: cdxHead + `"version":`, part: strings.Repeat("1", 4096), times: 140_000}, "a text has more than", ""},
		"escapes without an end":   {&repeated{head: `{"name":"`, part: strings.Repeat(`\"`, 4096), times: 140_000}, "a text has more than", ""},
		"a line without an end":    {&repeated{head: "SPDXVersion: SPDX-2.3\nPackageName: ", part: strings.Repeat("x", 4096), times: 140_000}, "line 2: ", ""},
		"a text of many lines":     {&repeated{head: "SPDXVersion: SPDX-2.3\nPackageComment: <text>", part: "xxxxxxxxxxxxxxxxxxxxxxxxxxxx\n", times: 1_000_000}, "line 2: a text has more than", ""},
		"elements in elements":     {&repeated{head: `<bom xmlns="http://cyclonedx.org/schema/bom/1.6">`, part: `<components><component>`, times: 100_000}, "more than 200 deep", ""},
		"an attribute without end": {&repeated{head: `<bom xmlns="http://cyclonedx.org/schema/bom/1.6" a="`, part: strings.Repeat("x", 4096), times: 140_000}, "a text has more than", ""},
		"bills in bills":           {&repeated{head: `{`, part: `"sbom":{`, times: 50}, "stands in a bill", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() {
				t.Skip("half a minute of hostile input")
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			_, c, err := Read("bill", tt.text, Limits{})
			runtime.ReadMemStats(&after)
			if grown := int64(after.Sys) - int64(before.Sys); grown > 512<<20 {
				t.Errorf("it took %d MiB more of the system", grown>>20)
			}
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want one with %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range c.Gaps {
				if strings.Contains(g.Message, tt.gap) {
					return
				}
			}
			t.Errorf("no gap with %q among %v", tt.gap, c.Gaps)
		})
	}
}

func TestWrongBills(t *testing.T) {
	for name, tt := range map[string]struct{ text, want, gap string }{
		"not JSON":                 {cdxHead + `"components":[{"name":x}]}`, "byte 67 in components[0].name", ""},
		"cut off":                  {cdxHead + `"components":[{"name":"x"`, "in components[0]", ""},
		"something behind":         {cdxHead + `"components":[]} x`, "something follows", ""},
		"no bill":                  {`{"a":1}`, "no bill of materials", ""},
		"two at once":              {cdxHead + `"spdxVersion":"SPDX-2.3"}`, "sbom-cyclonedx-1.6 and sbom-spdx-2.3 at once", ""},
		"a version to come":        {`{"bomFormat":"CycloneDX","specVersion":"2.0"}`, `"2.0" is not read`, ""},
		"SPDX to come":             {`{"spdxVersion":"SPDX-9"}`, `"SPDX-9" is not read`, ""},
		"SPDX 3 to come":           {`{"@context":"https://spdx.org/rdf/3.9.0/spdx-context.jsonld"}`, `"3.9.0"`, ""},
		"a version of wrong type":  {`{"bomFormat":"CycloneDX","specVersion":1.6}`, `"" is not read`, ""},
		"XML of another kind":      {`<x a="http://cyclonedx.org/schema/bom/1.6"/>`, "no bill of materials", ""},
		"XML that is not closed":   {`<bom xmlns="http://cyclonedx.org/schema/bom/1.6"><components>`, "ends too early, in bom/components", ""},
		"XML closed wrongly":       {`<bom xmlns="http://cyclonedx.org/schema/bom/1.6"></x>`, "closes what is not open", ""},
		"tags without a value":     {"SPDXVersion: SPDX-2.3\nnonsense\n", "line 2", ""},
		"a text that is not ended": {"SPDXVersion: SPDX-2.3\nPackageComment: <text>x\n", "line 2: the text has no </text>", ""},
		"a list that is a text":    {cdxHead + `"components":"none"}`, "", "components: it is not a list"},
		"a name that is a number":  {cdxHead + `"components":[{"name":7,"version":{"a":[1]}}]}`, "", "components[0].name: it is no text"},
		"no package URL":           {cdxHead + `"components":[{"name":"x","version":"1"}]}`, "", `components[0]: "x" has no package URL`},
		"no version":               {cdxHead + `"components":[{"name":"x","purl":"pkg:npm/x"}]}`, "", `components[0]: "x" has no version`},
		"a broken package URL":     {cdxHead + `"components":[{"name":"x","version":"1","purl":"pkg:npm"}]}`, "", `components[0]: "pkg:npm" is no package URL`},
		"one reference twice":      {cdxHead + `"components":[{"bom-ref":"r","name":"x","version":"1","purl":"pkg:npm/x@1"},{"bom-ref":"r","name":"y","version":"1","purl":"pkg:npm/y@1"}]}`, "", `components[1]: its reference "r" is that of components[0] too`},
		"incomplete":               {cdxHead + `"compositions":[{"aggregate":"incomplete_third_party_only"}]}`, "", ": the bill says that it is incomplete (incomplete_third_party_only)"},
		"SPDX that says more":      {`{"spdxVersion":"SPDX-2.3","relationships":[{"spdxElementId":"SPDXRef-A","relationshipType":"DEPENDS_ON","relatedSpdxElement":"NOASSERTION"}]}`, "", ": the bill says that SPDXRef-A depends on more than it tells"},
		"SPDX 3 that is open":      {`{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[{"type":"Relationship","from":"a","to":["a"],"relationshipType":"contains","completeness":"incomplete"}]}`, "", ": the bill says that what a contains is incomplete"},
		"cycles":                   {`{"spdxVersion":"SPDX-2.3","packages":[{"SPDXID":"a","name":"a"},{"SPDXID":"b","name":"b"}],"relationships":[{"spdxElementId":"a","relationshipType":"CONTAINS","relatedSpdxElement":"b"},{"spdxElementId":"b","relationshipType":"CONTAINS","relatedSpdxElement":"a"},{"spdxElementId":"a","relationshipType":"CONTAINS","relatedSpdxElement":"a"}]}`, "", `packages[0]: "a" has no package URL`},
		"what is about nothing":    {`{"spdxVersion":"SPDX-2.3","documentDescribes":["a"],"packages":[{"SPDXID":"a","name":"nginx","versionInfo":"1.21.1"}]}`, "", `packages[0]: "a" has no package URL`},
	} {
		t.Run(name, func(t *testing.T) {
			_, c, err := Read("bill", strings.NewReader(tt.text), Limits{})
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want one with %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range c.Gaps {
				if g.Location.File+": "+g.Message == tt.gap || strings.HasPrefix(g.Location.File+": "+g.Message, tt.gap) {
					return
				}
			}
			t.Errorf("no gap %q among %v", tt.gap, c.Gaps)
		})
	}
}

func TestTooManyRelations(t *testing.T) {
	l := DefaultLimits
	l.Relations = 1000
	text := &repeated{head: `{"spdxVersion":"SPDX-2.3","relationships":[{}`, part: `,{"spdxElementId":"a","relationshipType":"CONTAINS","relatedSpdxElement":"b%"}`, tail: `]}`, times: 1100}
	_, c, err := Read("bill", text, l)
	if err != nil || len(c.Gaps) != 1 || !strings.Contains(c.Gaps[0].Message, "100 more relations") {
		t.Errorf("error %v, gaps %v", err, c)
	}
}

func TestTooLong(t *testing.T) {
	l := DefaultLimits
	l.Bytes = 1000
	_, _, err := Read("bill", &repeated{head: cdxHead + `"components":[{}`, part: `,{}`, tail: `]}`, times: 1000}, l)
	if err == nil || !strings.Contains(err.Error(), "more than 1000 bytes") {
		t.Errorf("error %v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, format := range Formats {
		f.Add([]byte(written(f, format, sample())))
	}
	f.Add([]byte(`<bom xmlns="http://cyclonedx.org/schema/bom/1.6"><components><component type="library"><name>x</name></component></components></bom>`))
	f.Add([]byte(`{"artifacts":[{"id":"1","name":"x","locations":[{"path":"/a"}]}],"distro":{"id":"debian"},"schema":{"url":"https://x/anchore/syft/"}}`))
	limits := Limits{Bytes: 1 << 20, Text: 1 << 16, Depth: 50, Packages: 100, Relations: 100, Gaps: 10}
	f.Fuzz(func(t *testing.T, text []byte) {
		img, c, err := Read("bill", bytes.NewReader(text), limits)
		if err != nil {
			return
		}
		if len(img.Packages) > limits.Packages || len(c.Gaps) > limits.Gaps+1 || img.Form == "" {
			t.Errorf("%d packages, %d gaps, form %q", len(img.Packages), len(c.Gaps), img.Form)
		}
		// Whatever was read can be written, and read again.
		for _, format := range Formats {
			var out bytes.Buffer
			if err := Write(&out, format, &Bill{Image: img, Coverage: c, Created: made}); err != nil {
				t.Fatal(err)
			}
			back, _, err := Read("bill", &out, Limits{})
			if err != nil {
				t.Fatalf("%s is not read back: %v", format, err)
			}
			if len(back.Packages) != len(img.Packages) {
				t.Fatalf("%s: %d packages were written and %d read", format, len(img.Packages), len(back.Packages))
			}
		}
	})
}
