package document

import (
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
)

// What aliases may blow a document up to: expandFactor bytes for each byte of its text, and
// expandFree more. Text without aliases comes to 21 bytes for each of its own at most (a list of
// empty lists, for instance). The library's own bound is 400,000 values whatever the text's size:
// a stranger's megabyte of small documents would keep a machine busy for hours.
const (
	expandFactor = 32
	expandFree   = 4 << 10
)

func maxExpansion(text string) int { return expandFactor*len(text) + expandFree }

// hasAlias says whether the text may hold an alias: an anchor's sign before a name and an alias's.
func hasAlias(text string) bool { return hasSign(text, '*') && hasSign(text, '&') }

func hasSign(text string, sign byte) bool {
	for at := 0; ; at++ {
		n := strings.IndexByte(text[at:], sign)
		if n < 0 {
			return false
		}
		at += n
		if at+1 < len(text) && nameByte(text[at+1]) && (at == 0 || !nameByte(text[at-1])) {
			return true
		}
	}
}

// nameByte says whether c may stand in an anchor's name (go-yaml's is_alpha).
func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// expandsTooFar says whether a text's aliases expand it beyond the bound, or cannot be counted.
func expandsTooFar(text string) bool {
	if !hasAlias(text) {
		return false
	}
	root := parseNodes(text)
	if root == nil {
		return true
	}
	e := expander{limit: maxExpansion(text), known: map[*yamlv3.Node]int{}}
	return e.cost(root) > e.limit
}

// expander counts what a document takes once its aliases are expanded, without expanding them.
type expander struct {
	limit int
	known map[*yamlv3.Node]int // the cost of nodes with an anchor
}

// cost is in bytes of a tree: at most a little over limit, however large the truth. An anchor that
// contains itself counts once; the library refuses it.
func (e *expander) cost(n *yamlv3.Node) int {
	if n.Kind == yamlv3.AliasNode {
		n = n.Alias
	}
	if n.Anchor != "" {
		if known, found := e.known[n]; found {
			return known
		}
		e.known[n] = 0
	}
	sum := nodeSize + len(n.Value)
	for _, child := range n.Content {
		sum = min(sum+e.cost(child), e.limit+1)
	}
	if n.Anchor != "" {
		e.known[n] = sum
	}
	return sum
}
