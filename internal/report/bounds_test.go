package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/verdict"
)

func TestJUnitAddsUp(t *testing.T) {
	for _, res := range cases() {
		checkJUnit(t, written(t, "junit", res))
	}
}

// TestMarkdownIsBounded: GitHub refuses a comment of more than 65,536 characters whole.
func TestMarkdownIsBounded(t *testing.T) {
	for name, res := range map[string]*verdict.Result{
		"very many": many(100_000), "of long texts": long(3000), "of many gaps": gapped(50_000), "of many controls": controlled(40, 500),
	} {
		t.Run(name, func(t *testing.T) {
			page := string(written(t, "markdown", res))
			if n := runes(page); n > 65_536 || n < 20_000 {
				t.Errorf("%d characters, want at most 65,536 and most of them used", n)
			}
			if !strings.Contains(page, " more ") || !strings.HasSuffix(page, "</sub>\n") {
				t.Error("the page does not say that there is more, or has no end")
			}
			if open, shut := strings.Count(page, "<details>"), strings.Count(page, "</details>"); open != shut {
				t.Errorf("%d details are opened and %d shut", open, shut)
			}
		})
	}
}

func long(n int) *verdict.Result {
	res := many(n)
	for i := range res.Findings {
		res.Findings[i].Message = strings.Repeat("<@a|b> ", 5000)
		res.Findings[i].Excerpt = &verdict.Excerpt{First: 1, Marked: 1, Lines: []string{strings.Repeat("`", 5000)}}
	}
	return res
}

func gapped(n int) *verdict.Result {
	res := many(n / 10)
	for len(res.Coverage.Gaps) < n {
		res.Coverage.Gaps = append(res.Coverage.Gaps, res.Coverage.Gaps...)
	}
	return res
}

func controlled(frameworks, controls int) *verdict.Result {
	res := many(5000)
	f := compared().Frameworks[0]
	for len(f.Controls) < controls {
		f.Controls = append(f.Controls, f.Controls...)
	}
	for range frameworks {
		res.Frameworks = append(res.Frameworks, f)
	}
	return res
}

// TestPolicyReportsAreBounded: an API server takes no object of more than 1.5 MiB; each of ours is under 1 MiB,
// as JSON, and none of the findings is lost on the way.
func TestPolicyReportsAreBounded(t *testing.T) {
	res := many(20_000)
	for _, format := range []string{"openreports", "policyreport"} {
		total := 0
		names := map[string]bool{}
		page := written(t, format, res)
		for part := range bytes.SplitSeq(page, []byte("---\n")) {
			if len(part) > 1<<20 {
				t.Errorf("%s: an object of %d bytes", format, len(part))
			}
		}
		for _, doc := range policyDocs(t, page) {
			key := doc.Kind + "/" + doc.Metadata.Namespace + "/" + doc.Metadata.Name
			if names[key] {
				t.Errorf("%s: two objects are %s", format, key)
			}
			names[key] = true
			for _, r := range doc.Results {
				if r.Properties["fingerprint"] != "" {
					total++
				}
			}
			s := doc.Summary
			if s.Pass+s.Fail+s.Error+s.Skip != len(doc.Results) {
				t.Errorf("%s: %s sums up %+v of %d results", format, key, s, len(doc.Results))
			}
		}
		if total != len(res.Findings) {
			t.Errorf("%s: %d findings, want %d", format, total, len(res.Findings))
		}
	}
}

// TestFormatsTellDoubt: what is unknown and what was not looked at stands in every format.
func TestFormatsTellDoubt(t *testing.T) {
	res := sample()
	for name, write := range formats {
		var out bytes.Buffer
		if err := write(&out, res); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"mapping values are not allowed here", "namespace payments has a default-deny policy"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s does not tell of %q", name, want)
			}
		}
	}
	for name, write := range formats {
		var out bytes.Buffer
		if err := write(&out, empty()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.ToLower(out.String()), "no kubernetes object was found") && name != "json" && name != "csv" && name != "codequality" {
			t.Errorf("%s of nothing does not say that nothing was judged", name)
		}
	}
}
