package fix

import (
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/rule"
)

// claim is what one fix wants at one path.
type claim struct {
	*item
	op     rule.FixOp
	values []document.Value
}

// ledger holds the claims on every path, so that the second of two that cannot both be met is left.
type ledger struct {
	at    map[string][]claim
	below map[string][]string // the claimed paths that stand below one
}

func newLedger() *ledger { return &ledger{map[string][]claim{}, map[string][]string{}} }

// pathKeys are the path of a change and, before it, those of all that it stands in.
func pathKeys(e *Edit, steps []document.Step) []string {
	start := 0
	if e.Place.Doc != nil {
		start, _ = e.Place.Doc.Span()
	}
	key := e.Place.File + "\x00" + strconv.Itoa(start)
	keys := []string{key}
	for _, s := range append(slices.Clip(e.Place.Begin), steps...) {
		key += "\x00" + s.Key + "\x01" + strconv.Itoa(s.Index)
		keys = append(keys, key)
	}
	return keys
}

// clash is the earlier fix that a fix cannot be made together with; nil for none.
func (l *ledger) clash(it *item) *item {
	for _, e := range it.edits() {
		for _, c := range e.Changes {
			mine := claim{it, plainOp(c.Op), it.values(&c)}
			if other := l.other(mine, addKeys(&e, &c, mine)); other != nil {
				return other
			}
		}
	}
	return nil
}

// addKeys are the paths of a change; a new object's is its identity.
func addKeys(e *Edit, c *rule.Change, mine claim) []string {
	if c.Op == rule.FixAdd && len(mine.values) > 0 {
		v := mine.values[0]
		return []string{strings.Join([]string{"add", v.Get("kind").Str(), v.At("metadata", "namespace").Str(), v.At("metadata", "name").Str()}, "\x00")}
	}
	return pathKeys(e, c.Steps)
}

func plainOp(op rule.FixOp) rule.FixOp {
	if op == rule.FixChoose {
		return rule.FixSet
	}
	return op
}

func (l *ledger) other(mine claim, keys []string) *item {
	last := len(keys) - 1
	for i, key := range keys {
		for _, c := range l.at[key] {
			switch {
			case c.item == mine.item:
			case i == last && !sameWish(c, mine):
				return c.item
			case i < last && (c.op == rule.FixRemove && mine.op != rule.FixRemove && mine.op != rule.FixTake || c.op == rule.FixSet && mine.op != rule.FixAdd):
				return c.item
			}
		}
	}
	if mine.op != rule.FixRemove && mine.op != rule.FixSet {
		return nil
	}
	for _, key := range l.below[keys[last]] {
		for _, c := range l.at[key] {
			if c.item != mine.item && (mine.op == rule.FixSet || c.op != rule.FixRemove && c.op != rule.FixTake) {
				return c.item
			}
		}
	}
	return nil
}

// sameWish says whether two claims on one path can both be met.
func sameWish(a, b claim) bool {
	switch {
	case a.op != b.op:
		return a.op == rule.FixSet && b.op == rule.FixAppend && holdsAll(a.values, b.values) ||
			a.op == rule.FixRemove && b.op == rule.FixTake || a.op == rule.FixTake && b.op == rule.FixRemove
	case a.op == rule.FixSet || a.op == rule.FixAdd:
		return slices.EqualFunc(a.values, b.values, equal)
	default:
		return true
	}
}

// holdsAll says whether the list that is set holds the items that are appended.
func holdsAll(set, items []document.Value) bool {
	for _, item := range items {
		found := false
		for _, v := range set[0].Items() {
			found = found || equal(v, item)
		}
		if !found {
			return false
		}
	}
	return len(set) == 1
}

func equal(a, b document.Value) bool { return document.Equal(a, b) }

func sorted(v document.Value) string { return string(v.AppendSorted(nil)) }

// enter notes the claims of a fix that is made.
func (l *ledger) enter(it *item) {
	for _, e := range it.edits() {
		for _, c := range e.Changes {
			mine := claim{it, plainOp(c.Op), it.values(&c)}
			keys := addKeys(&e, &c, mine)
			last := keys[len(keys)-1]
			if l.at[last] == nil {
				for _, above := range keys[:len(keys)-1] {
					l.below[above] = append(l.below[above], last)
				}
			}
			l.at[last] = append(l.at[last], mine)
		}
	}
}
