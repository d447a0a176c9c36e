package source

import (
	"testing"

	"sigs.k8s.io/kustomize/api/provider"
)

// TestBuiltText holds what is written of a resource to what kustomize writes.
func TestBuiltText(t *testing.T) {
	factory := provider.NewDefaultDepProvider().GetResourceFactory()
	plain := 0
	for _, spec := range []string{
		"a: b", "{b: 1, a: 2, a10: x, a9: y}", "a: yes", "a: 'yes'", "a: \"1\"", "a: 1", "a: -1", "a: 0o17", "a: 0x1f", "a: 1.0", "a: 1e3", "a: .inf",
		"a: 9223372036854775807", "a: 18446744073709551615", "a: 99999999999999999999", "a: ~", "a:", "a: []", "a: {}", "a: true", "a: \"true\"",
		"a: 2020-01-02", "a: \"2020-01-02\"", "a: |\n    two\n    lines\n", "a: |+\n    kept\n\n", "a: >-\n    folded\n    text\n", "a: \" spaced \"", "a: \"tab\\tbed\"",
		"a: \"\\u0001\"", "a: \"\\u2028\"", "a: \"\\U0001F600\"", "a: ü", "a: '# no comment'", "a: \"a: b\"", "a: '*x'", "a: <b>&\"", "? 1\n  : x", "'1': x",
		"a: &x {y: z}\n  b: *x", "a: &x {y: z}\n  b:\n    <<: *x\n    w: v", "a: !!str 1", "a: !!binary aGk=", "a: [1, [b, {c: d}]]", "a: 1_000", "a: 12:30:45", "a: \"\"",
		"a: \"line\\r\\nline\"", "a: \"\\x7f\"", "a: nul\\", "a: \"0123\"", "a: 0123", "a: 'null'", "a: '~'", "a: '='", "a: '<<'", "a: 'n'", "y: 'N'",
	} {
		res, err := factory.FromBytes([]byte("apiVersion: v1\nkind: X\nmetadata: {name: x}\nspec:\n  " + spec + "\n"))
		if err != nil {
			continue // what kustomize does not read it does not write
		}
		want, wantErr := res.AsYAML()
		got, err := builtText(res)
		if string(got) != string(want) || (err == nil) != (wantErr == nil) {
			t.Errorf("%s: %q, %v; kustomize writes %q, %v", spec, got, err, want, wantErr)
		}
		if fields, err := res.Map(); err == nil && isPlain(fields) {
			plain++
		}
	}
	if plain < 30 {
		t.Errorf("%d resources were written at once", plain)
	}
}
