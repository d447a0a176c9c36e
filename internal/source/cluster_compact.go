package source

import (
	"strconv"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// lastApplied is a copy of the whole object, a Secret's values included, that kubectl keeps in an annotation.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// statusKinds are the kinds whose status is kept: what a node runs stands nowhere else.
var statusKinds = map[string]bool{"Node": true}

// compactor makes objects of the items of a list: each of a text of its own, so that a page is not
// kept for the sake of one object, and without the bookkeeping, which is half of it.
type compactor struct {
	head   string // items of a list lack apiVersion and kind
	drop   func(depth int, key string, entry document.Value) bool
	buffer []byte
}

func newCompactor(l *list) *compactor {
	return &compactor{
		head: `{"apiVersion":` + strconv.Quote(l.apiVersion()) + `,"kind":` + strconv.Quote(l.kind),
		drop: bookkeeping(l.groupKind()),
	}
}

func (c *compactor) object(item document.Value) (*fact.Object, *document.Error) {
	c.buffer = append(c.buffer[:0], c.head...)
	body := len(c.buffer)
	c.buffer = item.AppendJSONWithout(c.buffer, c.drop)
	if string(c.buffer[body:]) == "{}" {
		c.buffer = append(c.buffer[:body], '}')
	} else {
		c.buffer[body] = ',' // instead of the brace that opens the item: head has opened it
	}
	doc, fault := document.ParseJSON(string(c.buffer))
	if fault != nil {
		return nil, fault
	}
	return fact.NewObject(doc.Root(), nil), nil
}

// bookkeeping names what of an object of a kind is not kept.
func bookkeeping(kind string) func(depth int, key string, entry document.Value) bool {
	var top, second string // the entries that the one looked at stands in
	return func(depth int, key string, entry document.Value) bool {
		switch depth {
		case 1:
			top = key
			if key == "apiVersion" || key == "kind" || key == "status" && !statusKinds[kind] {
				return true
			}
		case 2:
			second = key
			if top == "metadata" && key == "managedFields" {
				return true
			}
		case 3:
			if top == "metadata" && second == "annotations" && key == lastApplied {
				return true
			}
		case 4:
			// A definition's schema is larger than most clusters' workloads, and no rule reads it.
			if kind == definitionKind && top == "spec" && second == "versions" && key == "schema" {
				return true
			}
		}
		return secretValue(key, entry)
	}
}

// secretValue says whether an entry holds a Secret's values: of the object itself, or of a Secret
// that another object embeds (a template, a bundle for another cluster).
func secretValue(key string, entry document.Value) bool {
	if key != "data" && key != "stringData" {
		return false
	}
	root, steps := entry.Doc().Root(), entry.Steps()
	return root.Follow(steps[:len(steps)-1]).Get("kind").Str() == "Secret" || root.Get("kind").Str() == "SecretList"
}
