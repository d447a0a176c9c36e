package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/coaming/coaming/internal/verdict"
)

func TestReadJSONRoundTrip(t *testing.T) {
	for name, want := range cases() {
		var out bytes.Buffer
		if err := JSON(&out, want, Meta{}); err != nil {
			t.Fatal(err)
		}
		got, err := ReadJSON(bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		// Bytes that are not UTF-8 cannot stand in JSON; each becomes U+FFFD on the way out.
		text := cmp.Transformer("text", func(s string) string { return string([]rune(s)) })
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), text); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestJSONIsInert: looking at the file with cat must not act on the terminal.
func TestJSONIsInert(t *testing.T) {
	for _, name := range []string{"json", "sarif"} {
		var out bytes.Buffer
		if err := formats[name](&out, sample()); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if i := strings.IndexAny(strings.TrimSuffix(line, "\n"), "\x1b\u009b\u202e\u200b\x7f"); i >= 0 {
				t.Errorf("%s acts on the terminal: %q", name, line[max(0, i-20):min(len(line), i+20)])
			}
		}
	}
}

func TestReadJSONRefuses(t *testing.T) {
	var out bytes.Buffer
	if err := JSON(&out, full(), Meta{Version: "0.1.0"}); err != nil {
		t.Fatal(err)
	}
	good := out.String()
	tests := map[string]struct{ text, want string }{
		"nothing":             {"", "unexpected end"},
		"another format":      {`{"runs":[]}`, "unknown field"},
		"another version":     {strings.Replace(good, "result/v1", "result/v2", 1), "schema is"},
		"unknown field":       {strings.Replace(good, `"exit"`, `"exits"`, 1), "unknown field"},
		"another case":        {strings.Replace(good, `"exit"`, `"Exit"`, 1), "unknown field"},
		"field given twice":   {strings.Replace(good, `"exit":`, `"exit":3,"exit":`, 1), "duplicate field"},
		"something after":     {good + "{}", "after top-level"},
		"cut short":           {good[:len(good)/2], "unexpected end"},
		"no findings":         {`{"schema":"coaming.dev/result/v1","tool":{"name":"","version":""},"exit":0,"rules":[],"tally":[],"coverage":{}}`, "findings, rules"},
		"null findings":       {`{"schema":"coaming.dev/result/v1","tool":{"name":"","version":""},"exit":0,"findings":null,"rules":[],"tally":[],"coverage":{}}`, "findings, rules"},
		"no exit":             {`{"schema":"coaming.dev/result/v1","tool":{"name":"","version":""},"findings":[],"rules":[],"tally":[],"coverage":{}}`, "tool or exit"},
		"null finding":        {strings.Replace(good, `"findings":[`, `"findings":[null,`, 1), "findings[0]"},
		"no verdict":          {strings.Replace(good, `"verdict":"exempt",`, ``, 1), "verdict or severity is missing"},
		"null severity":       {strings.Replace(good, `"severity":"medium"`, `"severity":null`, 1), "verdict or severity is missing"},
		"a pass":              {strings.Replace(good, `"verdict":"exempt"`, `"verdict":"pass"`, 1), "verdict is pass"},
		"unknown severity":    {strings.Replace(good, `"severity":"medium"`, `"severity":"grave"`, 1), "grave"},
		"short fingerprint":   {strings.Replace(good, `"0123456789abcdef"`, `"0123"`, 1), "fingerprint"},
		"line before first":   {strings.Replace(good, `"line":7`, `"line":-7`, 1), "location"},
		"mark outside":        {strings.Replace(good, `"marked":1`, `"marked":2`, 1), "excerpt"},
		"mark far outside":    {strings.Replace(good, `"first":1,"marked":1`, `"first":9223372036854775807,"marked":9223372036854775807`, 1), "excerpt"},
		"gap without code":    {strings.Replace(good, `"code":"text",`, ``, 1), "gaps[0]"},
		"rule without id":     {strings.Replace(good, `"id":"text","title":"text","practice"`, `"title":"text","practice"`, 1), "rules[0]"},
		"deep nesting":        {strings.Repeat(`[`, 100_000), ""},
		"number out of range": {strings.Replace(good, `"files":7`, `"files":1e99`, 1), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			res, err := ReadJSON(strings.NewReader(tt.text))
			if !errors.Is(err, ErrNotResult) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one about %q", err, tt.want)
			}
			if _, ok := errors.AsType[*verdict.RemedyError](err); !ok {
				t.Errorf("error %v carries no remedy", err)
			}
			if res != nil {
				t.Error("half a result was returned with the error")
			}
		})
	}
}

// FuzzReadJSON: whatever is read without an error is written and read again to the same bytes, and
// every report can be made of it.
func FuzzReadJSON(f *testing.F) {
	for _, res := range []*verdict.Result{sample(), empty(), full(), compared(), {}} {
		var out bytes.Buffer
		if err := JSON(&out, res, Meta{}); err != nil {
			f.Fatal(err)
		}
		f.Add(out.Bytes())
	}
	f.Add([]byte(`{"schema":"coaming.dev/result/v1"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		res, err := ReadJSON(bytes.NewReader(data))
		if err != nil {
			if res != nil {
				t.Fatal("half a result was returned with the error")
			}
			return
		}
		var first, second bytes.Buffer
		if err := JSON(&first, res, Meta{}); err != nil {
			t.Fatal(err)
		}
		again, err := ReadJSON(bytes.NewReader(first.Bytes()))
		if err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		if err := JSON(&second, again, Meta{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first.String(), second.String()); diff != "" {
			t.Errorf("second time (-first +second):\n%s", diff)
		}
		for name, write := range formats {
			var out bytes.Buffer
			if err := write(&out, res); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if name == "terminal" && strings.Trim(visible(strings.ReplaceAll(out.String(), "\n", "")), "") != strings.ReplaceAll(out.String(), "\n", "") {
				t.Error("the terminal's page acts on the terminal")
			}
			if name == "sarif" && !json.Valid(out.Bytes()) {
				t.Error("the SARIF log is not JSON")
			}
		}
	})
}
