package source

import (
	"fmt"
	"strings"
	"unicode/utf8"

	yamlv2 "go.yaml.in/yaml/v2"
	build "sigs.k8s.io/kustomize/api/resource"
)

// builtText is what kustomize writes of a resource that it has built. Its own way there is YAML, JSON, and YAML again: most of the
// time that a build takes. A resource of plain values is written from them at once, to the same bytes (TestBuiltText).
func builtText(res *build.Resource) ([]byte, error) {
	fields, err := res.Map()
	if err != nil || !isPlain(fields) {
		text, err := res.AsYAML()
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", res.GetName(), err)
		}
		return text, nil
	}
	text, err := yamlv2.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", res.GetName(), err)
	}
	return text, nil
}

// isPlain says whether a value is of nothing that could change on its way through JSON.
func isPlain(v any) bool {
	switch v := v.(type) {
	case nil, bool, int:
		return true
	case string:
		return isPlainText(v)
	case []any:
		for _, item := range v {
			if !isPlain(item) {
				return false
			}
		}
		return true
	case map[string]any:
		for key, entry := range v {
			if !isPlainText(key) || !isPlain(entry) {
				return false
			}
		}
		return true
	}
	return false // floats lose their point, times their form, keys that are no strings are refused
}

// isPlainText says whether a text has no character that JSON or YAML would write otherwise.
func isPlainText(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool {
		switch {
		case r == '\n' || r == '\t':
			return false
		case r < ' ', r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029, r == 0xfeff, r > 0xfffd:
			return true
		}
		return false
	}) < 0
}
