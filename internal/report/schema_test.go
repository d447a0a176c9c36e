package report

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/coaming/coaming/internal/verdict"
)

// cases are the results that every machine format must write validly.
func cases() map[string]*verdict.Result {
	return map[string]*verdict.Result{
		"sample": sample(), "empty": empty(), "clean": clean(), "zero": {}, "full": full(), "many": many(500), "compared": compared(),
	}
}

func TestJSONMatchesSchema(t *testing.T) {
	data, err := os.ReadFile("../../docs/schema/result-v1.json")
	if err != nil {
		t.Fatal(err)
	}
	schema := compile(t, "https://coaming.dev/schema/result-v1.json", string(data))
	for name, res := range cases() {
		var out bytes.Buffer
		if err := JSON(&out, res, Meta{Version: "0.1.0"}); err != nil {
			t.Fatal(err)
		}
		validate(t, name, schema, &out)
	}
}

func TestSARIFMatchesSchema(t *testing.T) {
	schema := compile(t, sarifSchema, officialSARIF(t))
	for name, res := range cases() {
		var out bytes.Buffer
		if err := SARIF(&out, res, Meta{Version: "0.1.0"}); err != nil {
			t.Fatal(err)
		}
		if _, err := sarif.FromBytes(out.Bytes()); err != nil {
			t.Errorf("%s: go-sarif does not read it: %v", name, err)
		}
		validate(t, name, schema, &out)
	}
}

func compile(t *testing.T, id, text string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(id, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t *testing.T, name string, schema *jsonschema.Schema, r io.Reader) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(r)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

// officialSARIF is OASIS's schema as go-sarif carries it in a constant of its source: it is read from
// the module cache and not copied here.
func officialSARIF(t *testing.T) string {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}",
		"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif").Output()
	if err != nil {
		t.Skipf("the SARIF schema's module is not at hand: %v", err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "schema.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			part, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			text += part
		}
		return true
	})
	return text
}

// full is a result with every field set, whatever fields there are.
func full() *verdict.Result {
	res := new(verdict.Result)
	fill(reflect.ValueOf(res).Elem())
	for i := range res.Findings {
		f := &res.Findings[i]
		f.Fingerprint, f.Excerpt.First, f.Excerpt.Marked, f.Change = "0123456789abcdef", 1, 1, verdict.New
		f.Verdict, f.Exemption.Grant = verdict.Exempt, verdict.GrantFile
		f.Vulnerability.Exposed, f.Vulnerability.InUse, f.Vulnerability.Origin = verdict.Yes, verdict.NotKnown, verdict.OriginBase
	}
	for i := range res.Ledger.Exceptions {
		e := &res.Ledger.Exceptions[i]
		e.Grant, e.Standing = verdict.GrantFile, verdict.Applied
	}
	res.Ledger.Baseline.Fixed[0].Fingerprint = "0123456789abcdef"
	res.Diff.Fixed, res.Diff.NotLookedAt = res.Findings, res.Findings
	res.Frameworks[0].Controls[0].Status = verdict.ControlManual
	res.Frameworks[0].Controls[0].Findings = []string{"0123456789abcdef"}
	return res
}

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)))
			return
		}
		for of, field := range v.Fields() {
			if of.Tag.Get("json") != "-" {
				fill(field)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		entry := reflect.New(v.Type().Elem()).Elem()
		fill(entry)
		v.SetMapIndex(reflect.ValueOf("key"), entry)
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Uint8:
		v.SetUint(1)
	default:
		panic("fill knows no " + v.Kind().String())
	}
}

// TestJSONCarriesEveryField: a field added to verdict must not be lost between JSON and ReadJSON, nor
// be missing in the schema (TestJSONMatchesSchema validates the same result).
func TestJSONCarriesEveryField(t *testing.T) {
	var out bytes.Buffer
	if err := JSON(&out, full(), Meta{}); err != nil {
		t.Fatal(err)
	}
	got, err := ReadJSON(&out)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full(), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestGapsAreExplained: every code that verdict declares has its words and its SARIF descriptor.
func TestGapsAreExplained(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../verdict/coverage.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []verdict.GapCode
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Gap") {
			code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			declared = append(declared, verdict.GapCode(code))
		}
		return true
	})
	if diff := cmp.Diff(declared, gapOrder[:]); diff != "" {
		t.Errorf("gapOrder (-declared +known):\n%s", diff)
	}
	for _, code := range declared {
		if gapMeaning[code] == "" {
			t.Errorf("gapMeaning lacks %q", code)
		}
	}
}
