package report

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	ghtml "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html"
	"sigs.k8s.io/yaml"

	"github.com/coaming/coaming/internal/verdict"
)

// hostile are names and messages that try to be more than text.
var hostile = []string{
	"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "'; DROP TABLE", "=cmd|' /C calc'!A0", "+1", "-1+2", "@SUM(A1)", "\t=1", " =1",
	"\uff1d1", "]]>", "<!--", "&lt;", "@octocat please", "see #1 and GH-1", "https://evil.example", "www.evil.example", "[a](javascript:alert(1))",
	"![a](http://evil.example/x.png)", "a|b|c", "`code`", "``` \n# heading", "</details></summary>", "**bold** _it_ ~~x~~", "\\`", "a\\", "<br>",
	"\x00\x01\x1b[31m", "\ufffe\uffff", "\u202eabc", "{{.}}", "${x}", "%0a", "a\r\nb", "---\nkind: Pod", "y", "0x10", "null", "*ref", "&anchor", "$x$",
	"\xff\xfe", "日本語", strings.Repeat("`", 40), "<a href='x'>", "&#8203;", "1. list", "- list", "# head", "> quote", "    code",
}

// poisoned is the sample with that text in every place that comes from the input.
func poisoned(text string) *verdict.Result {
	res := compared()
	poison := func(f *verdict.Finding) {
		f.Message, f.Path, f.Subject.Name, f.Subject.Namespace, f.Subject.Container = text, text, text, text, text
		f.Location.File, f.Location.Source = text, text
		if f.Verdict != verdict.Fail {
			f.Reason = text
		}
		if f.Excerpt != nil {
			f.Excerpt = &verdict.Excerpt{First: 1, Marked: 1, Lines: []string{text, text}}
		}
		f.Also = nil
	}
	for i := range res.Findings {
		poison(&res.Findings[i])
	}
	poison(&res.Diff.Fixed[0])
	poison(&res.Diff.NotLookedAt[0])
	res.Diff.Against = text
	res.Coverage.Gaps = res.Coverage.Gaps[:3]
	for i := range res.Coverage.Gaps {
		g := &res.Coverage.Gaps[i]
		g.Message, g.Remedy, g.Location.File, g.Location.Source = text, text, text, text
	}
	res.Coverage.Sources, res.Coverage.Exclusions = []string{text}, []verdict.Exclusion{{What: text, Reason: text}}
	for i := range res.Frameworks[0].Controls {
		c := &res.Frameworks[0].Controls[i]
		c.Title = text
		if c.Reason != "" {
			c.Reason = text
		}
		if c.Manual != "" {
			c.Manual = text
		}
	}
	return res
}

// FuzzEscapes: whatever a name or a message is, a page has the same structure as with a harmless one, and
// readers of the format find the text in it, made visible.
func FuzzEscapes(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 200 {
			text = text[:200] // longer ones are cut, which TestHTMLIsBounded and TestMarkdownIsBounded judge
		}
		checkEscapes(t, text)
	})
}

func checkEscapes(t *testing.T, text string) {
	t.Helper()
	if strings.TrimSpace(text) == "" || len(text) > 200 {
		return // an absent text is left out, with what stands around it
	}
	res := poisoned(text)
	checkHTMLEscapes(t, res, text)
	checkMarkdownEscapes(t, res, text)
	checkCSVEscapes(t, res, text)
	checkJUnitEscapes(t, res, text)
	checkYAMLEscapes(t, res, text)
}

func written(t *testing.T, format string, res *verdict.Result) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := FormatOf(format).Write(&out, res, Meta{Version: "0.1.0"}); err != nil {
		t.Fatal(err)
	}
	if !utf8.Valid(out.Bytes()) {
		t.Errorf("%s is not UTF-8", format)
	}
	return out.Bytes()
}

// shape is a document's elements, in their order, and its texts.
func shape(t *testing.T, page []byte) (elements []string, text string) {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		switch n.Type {
		case html.ElementNode:
			elements = append(elements, n.Data)
		case html.TextNode:
			b.WriteString(n.Data)
		case html.CommentNode:
			elements = append(elements, "<!-- -->")
		default:
		}
		for child := n.FirstChild; child != nil; child = child.NextSibling {
			walk(child)
		}
	}
	walk(root)
	return elements, b.String()
}

const harmless = "harmless"

func checkHTMLEscapes(t *testing.T, res *verdict.Result, text string) {
	t.Helper()
	want, _ := shape(t, written(t, "html", poisoned(harmless)))
	got, shown := shape(t, written(t, "html", res))
	if !slices.Equal(got, want) {
		t.Errorf("html of %q has another structure", text)
	}
	if !strings.Contains(shown, visible(text)) {
		t.Errorf("html does not show %q", visible(text))
	}
}

func checkMarkdownEscapes(t *testing.T, res *verdict.Result, text string) {
	t.Helper()
	render := func(res *verdict.Result) []byte {
		var out bytes.Buffer
		md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(ghtml.WithUnsafe()))
		if err := md.Convert(written(t, "markdown", res), &out); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	withoutCode := func(list []string) []string { // a text that a code span cannot hold stands beside
		return slices.DeleteFunc(list, func(s string) bool { return s == "code" })
	}
	want, _ := shape(t, render(poisoned(harmless)))
	got, shown := shape(t, render(res))
	if !slices.Equal(withoutCode(got), withoutCode(want)) {
		t.Errorf("markdown of %q has another structure", text)
	}
	// What breaks mentions and addresses shows as nothing; blanks fold.
	plain := strings.Join(strings.Fields(strings.ReplaceAll(shown, "\u200b", "")), " ")
	if seen := strings.Join(strings.Fields(visible(text)), " "); !strings.Contains(plain, seen) {
		t.Errorf("markdown does not show %q", seen)
	}
	outside := string(written(t, "markdown", res))
	for line := range strings.SplitSeq(outside, "\n") {
		if strings.HasPrefix(line, "▸") || strings.HasPrefix(line, "  ") {
			continue // within a code block
		}
		for i, part := range strings.Split(line, "@") {
			if i > 0 && !strings.HasPrefix(part, "&#8203;") && !strings.Contains(line, "`") {
				t.Errorf("markdown mentions somebody: %q", line)
			}
		}
	}
}

func checkCSVEscapes(t *testing.T, res *verdict.Result, text string) {
	t.Helper()
	page := written(t, "csv", res)
	rows, err := csv.NewReader(bytes.NewReader(page)).ReadAll()
	if err != nil {
		t.Fatalf("csv of %q: %v", text, err)
	}
	if n := 1 + len(res.Findings) + len(res.Coverage.Gaps) + 2 + len(res.Frameworks[0].Controls); len(rows) != n {
		t.Errorf("csv of %q has %d rows, want %d", text, len(rows), n)
	}
	want := visible(text)
	if isFormula(text) {
		want = "'" + want
	}
	if cell := rows[1][slices.Index(csvColumns, "message")]; cell != want {
		t.Errorf("csv has the cell %q, want %q", cell, want)
	}
	for _, row := range rows {
		for _, cell := range row {
			if first := strings.TrimLeft(cell, " "); first != "" && strings.Contains("=+-@", first[:1]) {
				t.Errorf("csv has the formula %q", cell)
			}
		}
	}
}

func checkJUnitEscapes(t *testing.T, res *verdict.Result, text string) {
	t.Helper()
	var doc junitDoc
	page := written(t, "junit", res)
	if err := xml.Unmarshal(page, &doc); err != nil {
		t.Fatalf("junit of %q: %v", text, err)
	}
	found := false
	for _, s := range doc.Suites {
		for _, c := range s.Cases {
			found = found || c.Failure != nil && c.Failure.Message == visible(text)
		}
	}
	if !found {
		t.Errorf("junit does not hold %q", text)
	}
	checkJUnit(t, page)
}

func checkYAMLEscapes(t *testing.T, res *verdict.Result, text string) {
	t.Helper()
	for _, format := range []string{"openreports", "policyreport"} {
		messages := 0
		for _, doc := range policyDocs(t, written(t, format, res)) {
			for _, r := range doc.Results {
				if r.Message == visible(text) {
					messages++
				}
			}
		}
		if messages != len(res.Findings) {
			t.Errorf("%s tells %q %d times, want %d", format, text, messages, len(res.Findings))
		}
	}
}

// policyDoc is a report object as a reader has it.
type policyDoc struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   policyMeta     `json:"metadata"`
	Source     string         `json:"source"`
	Summary    policySummary  `json:"summary"`
	Results    []policyResult `json:"results"`
}

func policyDocs(t *testing.T, page []byte) []policyDoc {
	t.Helper()
	var list []policyDoc
	for part := range bytes.SplitSeq(page, []byte("---\n")) {
		if len(part) == 0 {
			continue
		}
		var doc policyDoc
		if err := yaml.UnmarshalStrict(part, &doc); err != nil {
			t.Fatalf("%v in\n%s", err, part)
		}
		list = append(list, doc)
	}
	return list
}

// junitDoc is a reader of JUnit's format that is not the writer.
type junitDoc struct {
	XMLName  xml.Name `xml:"testsuites"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	Skipped  int      `xml:"skipped,attr"`
	Suites   []struct {
		Name     string `xml:"name,attr"`
		Tests    int    `xml:"tests,attr"`
		Failures int    `xml:"failures,attr"`
		Errors   int    `xml:"errors,attr"`
		Skipped  int    `xml:"skipped,attr"`
		Cases    []struct {
			Name    string      `xml:"name,attr"`
			Class   string      `xml:"classname,attr"`
			Failure *junitChild `xml:"failure"`
			Error   *junitChild `xml:"error"`
			Skipped *junitChild `xml:"skipped"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

type junitChild struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// junitAttributes are those that the schemas of Jenkins and of the windyroad collection know.
var junitAttributes = map[string][]string{
	"testsuites": {"name", "tests", "failures", "errors", "skipped", "time"},
	"testsuite":  {"name", "tests", "failures", "errors", "skipped", "time"},
	"testcase":   {"classname", "name", "time"},
	"failure":    {"message", "type"}, "error": {"message", "type"}, "skipped": {"message"},
}

// checkJUnit holds a report to the facts of the format: known elements and attributes, numbers that add up,
// at most one outcome a case.
func checkJUnit(t *testing.T, page []byte) {
	t.Helper()
	decoder := xml.NewDecoder(bytes.NewReader(page))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok {
			attributes, known := junitAttributes[start.Name.Local]
			if !known {
				t.Errorf("element %s", start.Name.Local)
			}
			for _, a := range start.Attr {
				if !slices.Contains(attributes, a.Name.Local) {
					t.Errorf("%s has an attribute %s", start.Name.Local, a.Name.Local)
				}
			}
		}
	}
	var doc junitDoc
	if err := xml.Unmarshal(page, &doc); err != nil {
		t.Fatal(err)
	}
	var total [4]int
	for _, s := range doc.Suites {
		got := [4]int{len(s.Cases)}
		for _, c := range s.Cases {
			outcomes := 0
			for i, child := range []*junitChild{c.Failure, c.Error, c.Skipped} {
				if child != nil {
					got[i+1]++
					outcomes++
				}
			}
			if outcomes > 1 || c.Name == "" || c.Class == "" {
				t.Errorf("case %q of %q has %d outcomes", c.Name, c.Class, outcomes)
			}
		}
		if want := [4]int{s.Tests, s.Failures, s.Errors, s.Skipped}; got != want {
			t.Errorf("suite %s says %v and holds %v", s.Name, want, got)
		}
		for i := range total {
			total[i] += got[i]
		}
	}
	if want := [4]int{doc.Tests, doc.Failures, doc.Errors, doc.Skipped}; total != want {
		t.Errorf("the whole says %v and holds %v", want, total)
	}
}
