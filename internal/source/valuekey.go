package source

import (
	"errors"
	"fmt"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// checkKeys refuses what Helm's reader of KEY=VALUE lets drop silently: a value that was meant to be
// set and is not would leave what is judged to chance. All faults are told at once.
func checkKeys(r Release) error {
	var errs []error
	for _, list := range []struct {
		flag  string
		texts []string
	}{{"--set", r.Set}, {"--set-string", r.SetString}, {"--set-file", r.SetFile}} {
		for _, text := range list.texts {
			if fault := keyFault(text); fault != "" {
				errs = append(errs, fmt.Errorf("%s %s: %s", list.flag, text, fault))
			}
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return &verdict.RemedyError{Err: errors.Join(errs...), Remedy: "Write KEY=VALUE as for 'helm template': a.b[0].c=text."}
}

// keyFault is what is wrong with the keys of comma-separated assignments, as far as Helm's own reader
// says nothing; "" for nothing.
func keyFault(text string) string {
	if text == "" {
		return "it sets nothing"
	}
	for text != "" {
		key, rest, assigned := cutAt(text, "=,")
		switch {
		case opens(key):
			return fmt.Sprintf("the [ in %q is not closed", key)
		case assigned && rest[0] == ',':
			return "" // a key without a value, which Helm's reader tells
		case key == "" || key[0] == '.' || key[0] == '[' || strings.HasSuffix(key, ".") || strings.Contains(key, ".."):
			return fmt.Sprintf("a part of the key %q is empty", key)
		case !assigned:
			return fmt.Sprintf("%q has no value", key)
		}
		value := rest[1:]
		if strings.HasPrefix(value, "{") {
			if _, behind, closed := cutAt(value, "}"); closed {
				value = behind
			}
		}
		_, rest, _ = cutAt(value, ",")
		text = strings.TrimPrefix(rest, ",")
	}
	return ""
}

// cutAt cuts a text before the first of the marks that no backslash stands before.
func cutAt(text, marks string) (before, rest string, found bool) {
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' {
			i++
		} else if strings.IndexByte(marks, text[i]) >= 0 {
			return text[:i], text[i:], true
		}
	}
	return text, "", false
}

// opens says whether a key holds a [ that is not closed.
func opens(key string) bool {
	for {
		_, rest, found := cutAt(key, "[")
		if !found {
			return false
		}
		if _, key, found = cutAt(rest, "]"); !found {
			return true
		}
	}
}
