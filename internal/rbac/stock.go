package rbac

import (
	"slices"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// isStock says whether a binding that was read is one that Kubernetes itself makes in every cluster, and
// gives no more than that one does: the same role to no further subject, and the role itself no further
// rule. The API server puts back what is taken from them and leaves what was added (plugin/pkg/auth/
// authorizer/rbac/bootstrappolicy), so that the name alone says nothing.
func (m *Model) isStock(b *Binding) bool {
	made := m.stock[stockKey(b.Object)]
	if made == nil || b.Role == nil || !covers(made, b.Object, "subjects") {
		return false
	}
	given, ref := made.Root.Get("roleRef"), b.Object.Root.Get("roleRef")
	if given.Get("kind").Str() != ref.Get("kind").Str() || given.Get("name").Str() != ref.Get("name").Str() {
		return false
	}
	role := m.stock[stockKey(b.Role.Object)]
	return role != nil && covers(role, b.Role.Object, "rules")
}

type stockID struct{ kind, namespace, name string }

func stockKey(o *fact.Object) stockID { return stockID{o.Kind, o.Namespace, o.Name} }

// indexStock is the shipped objects by what tells them apart.
func indexStock(shipped []*fact.Object) map[stockID]*fact.Object {
	stock := make(map[stockID]*fact.Object, len(shipped))
	for _, o := range shipped {
		stock[stockKey(o)] = o
	}
	return stock
}

// covers says whether a list of the one object holds all that the other's holds.
func covers(of, o *fact.Object, list string) bool {
	known := contents(of.Root.Get(list))
	return !slices.ContainsFunc(contents(o.Root.Get(list)), func(item string) bool { return !slices.Contains(known, item) })
}

func contents(list document.Value) []string {
	texts := make([]string, 0, list.Len())
	for _, v := range list.Items() {
		texts = append(texts, string(v.AppendSorted(nil)))
	}
	return texts
}
