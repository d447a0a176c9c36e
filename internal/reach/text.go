package reach

import "strings"

// selectorKeys are the words of a selector that is written as an expression; among them are the keys
// of labels that it reads.
func selectorKeys(selector string) []string {
	return strings.FieldsFunc(selector, func(r rune) bool {
		return r != '-' && r != '_' && r != '.' && r != '/' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}
