package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/verdict"
)

func TestVisible(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"plain":                  {"container app", "container app"},
		"letters of the world":   {"日本語 é ß ж ع 😀", "日本語 é ß ж ع 😀"},
		"combining mark":         {"e\u0301", "e\u0301"},
		"emoji presentation":     {"⚠\ufe0f", "⚠\ufe0f"},
		"colour":                 {"\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`},
		"hyperlink":              {"\x1b]8;;http://x\x07a", `\x1b]8;;http://x\x07a`},
		"one byte control":       {"a\u009b31mb", `a\u009b31mb`},
		"raw C1 byte":            {"a\x9bb", `a\x9bb`},
		"new line and return":    {"a\r\nb\tc", `a\r\nb\tc`},
		"null, backspace, DEL":   {"\x00\b\x7f", `\x00\x08\x7f`},
		"right-to-left override": {"a\u202egnp.exe", `a\u202egnp.exe`},
		"isolates and marks":     {"\u2066\u2069\u200e\u200f\u061c", `\u2066\u2069\u200e\u200f\u061c`},
		"zero width":             {"a\u200bb\u200dc\ufeffd\u2060", `a\u200bb\u200dc\ufeffd\u2060`},
		"line separators":        {"a\u2028b\u2029c\u0085", `a\u2028b\u2029c\u0085`},
		"blank that is no space": {"a\u00a0b\u3000c", `a\u00a0b\u3000c`},
		"fillers":                {"\u3164\u115f\uffa0\u034f", `\u3164\u115f\uffa0\u034f`},
		"tags":                   {"a\U000e0061\U000e007f", `a\U000e0061\U000e007f`},
		"hidden selectors":       {"a\U000e0100", `a\U000e0100`},
		"soft hyphen":            {"a\u00adb", `a\u00adb`},
		"not UTF-8":              {"a\xff\xfe\xe2\x80b", `a\xff\xfe\xe2\x80b`},
		"replacement character":  {"\ufffd", "\ufffd"},
		"private use":            {"\ue000", `\ue000`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := visible(tt.text)
			if got != tt.want {
				t.Errorf("visible(%q) = %q, want %q", tt.text, got, tt.want)
			}
			if again := visible(got); again != got {
				t.Errorf("visible(%q) = %q, want it left alone", got, again)
			}
		})
	}
}

func TestCut(t *testing.T) {
	tests := map[string]struct {
		text  string
		limit int
		want  string
	}{
		"fits":        {"abc", 3, "abc"},
		"one over":    {"abcd", 3, "ab…"},
		"wide fits":   {"日本", 4, "日本"},
		"wide over":   {"日本語", 5, "日本…"},
		"wide halved": {"日本語", 4, "日…"},
		"marks":       {"e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"},
		"no limit":    {"abc", 0, "abc"},
	}
	for name, tt := range tests {
		if got := cut(tt.text, tt.limit); got != tt.want {
			t.Errorf("%s: cut(%q, %d) = %q, want %q", name, tt.text, tt.limit, got, tt.want)
		}
	}
}

func TestWrap(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string
	}{
		"empty":     {"", []string{""}},
		"short":     {"one two", []string{"one two"}},
		"between":   {"one two three four", []string{"one two", "three four"}},
		"long word": {"a sesquipedalian one", []string{"a", "sesquipeda", "lian one"}},
		"wide":      {"日本語日本語", []string{"日本語日本", "語"}},
	}
	for name, tt := range tests {
		if diff := cmp.Diff(tt.want, wrap(tt.text, 10)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if lines := wrap(strings.Repeat("x", 1<<20), 100); len(lines) != maxText/100 {
		t.Errorf("a megabyte of message takes %d lines, want %d", len(lines), maxText/100)
	}
}

func TestExcerpt(t *testing.T) {
	tests := map[string]struct {
		line   string
		column int
		want   string
	}{
		"column unknown":     {"  privileged: true", 0, "    ▸ 1 │   privileged: true\n"},
		"begins the text":    {"  privileged: true", 3, "    ▸ 1 │   privileged: true\n"},
		"begins a list item": {"  - name: a", 5, "    ▸ 1 │   - name: a\n"},
		"value":              {"  privileged: true", 15, "    ▸ 1 │   privileged: true\n        │               ^\n"},
		"behind wide":        {"日本: x", 9, "    ▸ 1 │ 日本: x\n        │       ^\n"},
		"behind a tab":       {"\ta: x", 5, "    ▸ 1 │     a: x\n        │        ^\n"},
		"beyond the line":    {"a: x", 50, "    ▸ 1 │ a: x\n"},
		"far right": {
			strings.Repeat("a", 100) + ":x" + strings.Repeat("b", 100), 102,
			"    ▸ 1 │ …aaaaaaaaaaaaaaaaaaa:xbbbbbbb…\n        │ " + strings.Repeat(" ", 21) + "^\n",
		},
		"not UTF-8":       {"\xff\xfea: x", 6, "    ▸ 1 │ \\xff\\xfea: x\n        │            ^\n"},
		"carriage return": {"a: x\r", 4, "    ▸ 1 │ a: x\n        │    ^\n"},
		"empty":           {"", 1, "    ▸ 1 │\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			p := newPrinter(&out, &verdict.Result{}, TerminalOptions{Width: 40})
			p.excerpt(&verdict.Excerpt{First: 1, Marked: 1, Lines: []string{tt.line}}, tt.column, plain)
			if err := p.out.Flush(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestUTF16Column(t *testing.T) {
	tests := map[string]struct {
		line         string
		column, want int
	}{
		"ascii":           {"a: true", 4, 4},
		"two bytes":       {"é: true", 5, 4},
		"three bytes":     {"日: true", 6, 4},
		"surrogate pair":  {"😀: true", 7, 5},
		"end of line":     {"ab", 3, 3},
		"beyond the line": {"ab", 4, 0},
		"unknown":         {"ab", 0, 0},
		"inside a rune":   {"日: true", 2, 0},
		"not UTF-8":       {"\xff: true", 4, 0},
	}
	for name, tt := range tests {
		if got := utf16Column(tt.line, tt.column); got != tt.want {
			t.Errorf("%s: utf16Column(%q, %d) = %d, want %d", name, tt.line, tt.column, got, tt.want)
		}
	}
}

func TestArtifact(t *testing.T) {
	tests := map[string]struct {
		at   verdict.Location
		want sarifArtifact
	}{
		"relative":    {verdict.Location{Source: "files", File: "base/a.yaml"}, sarifArtifact{"base/a.yaml", sourceRoot}},
		"dotted":      {verdict.Location{Source: "files", File: "./base/../a.yaml"}, sarifArtifact{"a.yaml", sourceRoot}},
		"above":       {verdict.Location{Source: "files", File: "../a.yaml"}, sarifArtifact{"../a.yaml", sourceRoot}},
		"to encode":   {verdict.Location{Source: "files", File: "ä b/100%?#[x].yaml"}, sarifArtifact{"%C3%A4%20b/100%25%3F%23%5Bx%5D.yaml", sourceRoot}},
		"colon":       {verdict.Location{Source: "files", File: "a:b/c.yaml"}, sarifArtifact{"a%3Ab/c.yaml", sourceRoot}},
		"not UTF-8":   {verdict.Location{Source: "files", File: "\xff.yaml"}, sarifArtifact{"%FF.yaml", sourceRoot}},
		"absolute":    {verdict.Location{Source: "files", File: "/srv/a b.yaml"}, sarifArtifact{URI: "file:///srv/a%20b.yaml"}},
		"two slashes": {verdict.Location{Source: "files", File: "//srv/a.yaml"}, sarifArtifact{URI: "file:///srv/a.yaml"}},
		"drive":       {verdict.Location{Source: "files", File: "C:/srv/a.yaml"}, sarifArtifact{URI: "file:///C:/srv/a.yaml"}},
		"chart":       {verdict.Location{Source: "helm:shop", File: "chart/templates/a.yaml"}, sarifArtifact{"chart/templates/a.yaml", sourceRoot}},
		"cluster":     {verdict.Location{Source: "cluster:prod", File: "/api/v1/namespaces/a"}, sarifArtifact{"api/v1/namespaces/a", "cluster:prod"}},
		"archive":     {verdict.Location{Source: "archive:a.tgz", File: "x/y.yaml"}, sarifArtifact{"x/y.yaml", "archive:a.tgz"}},
	}
	for name, tt := range tests {
		if diff := cmp.Diff(tt.want, artifactOf(&tt.at)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestSARIFPlain(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"placeholder": {"{0} of {{ .Values.x }}", "{{0}} of {{{{ .Values.x }}}}"},
		"link":        {"[here](https://evil.example)", "[here] (https://evil.example)"},
		"brackets":    {"containers[app] (init)", "containers[app] (init)"},
		"control":     {"\x1b[2J", `\x1b[2J`},
	}
	for name, tt := range tests {
		if got := sarifPlain(tt.text); got != tt.want {
			t.Errorf("%s: sarifPlain(%q) = %q, want %q", name, tt.text, got, tt.want)
		}
	}
}

func TestTagsStayUnderTheLimit(t *testing.T) {
	r := &verdict.RuleInfo{ID: "a", Practice: "pod", Maps: map[string][]string{}}
	for i := range 50 {
		r.Maps["cis"] = append(r.Maps["cis"], strings.Repeat("1", i+1))
	}
	if n := len(tagsOf(r)); n != githubTags {
		t.Errorf("%d tags, want %d", n, githubTags)
	}
	if n := len(sarifRuleOf(r).Properties.Maps["cis"]); n != 50 {
		t.Errorf("%d controls in the properties, want all 50", n)
	}
}

// TestOverLimit: of a log that GitHub would reject the gravest stay, and it says so.
func TestOverLimit(t *testing.T) {
	res := many(githubResults + 5)
	grave := res.Findings[2] // the only critical one
	for i := range res.Findings {
		res.Findings[i].Verdict, res.Findings[i].Severity = verdict.Fail, verdict.Low
	}
	grave.Fingerprint = "00000000000000cc"
	res.Findings[len(res.Findings)-1] = grave
	var out strings.Builder
	if err := SARIF(&out, res, Meta{}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), `"ruleIndex":`); n != githubResults {
		t.Errorf("%d results, want %d", n, githubResults)
	}
	for _, want := range []string{`{"id":"github-limit"},"level":"warning"`, "25,005 findings", "gravest 25,000", grave.Fingerprint} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log lacks %s", want)
		}
	}
}

// TestOverSize: the limit is of the compressed log, too.
func TestOverSize(t *testing.T) {
	res := many(2500)
	noise := uint64(88172645463325252)
	for i := range res.Findings {
		var b strings.Builder
		for range 6000 {
			noise ^= noise << 13
			noise ^= noise >> 7
			noise ^= noise << 17
			b.WriteByte('!' + byte(noise%90))
		}
		res.Findings[i].Message = b.String()
	}
	kept := sarifKept(res, Meta{})
	if n := sarifGzip(res, Meta{}, kept); n > githubBytes || n < githubBytes/2 {
		t.Errorf("%d of %d findings take %d bytes, want at most %d and not half of it", len(kept), len(res.Findings), n, githubBytes)
	}
	if len(kept) >= len(res.Findings) || len(kept) == 0 {
		t.Errorf("%d findings are kept of %d", len(kept), len(res.Findings))
	}
}
