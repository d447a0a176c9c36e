package judge

import (
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
)

// joins are the facts that many objects share, so that a goroutine makes each once.
type joins struct {
	everywhere rule.Fact
	beside     map[string]rule.Fact       // by namespace
	bindings   map[*fact.Object]rule.Fact // the variable binding of each
	roles      map[roleName]roleRules     // what they bind
}

// beside is the variable of that name: by kind, the objects of the object's namespace.
func (w *worker) beside(o *fact.Object) rule.Fact {
	return once(&w.joins.beside, o.Namespace, func() rule.Fact {
		return rule.Lazy(func(kind string) (rule.Fact, error) { return w.inNamespace(kind, o.Namespace) })
	})
}

// everywhere is the variable of that name: by kind, all objects.
func (w *worker) everywhere() rule.Fact {
	if w.joins.everywhere == nil {
		w.joins.everywhere = rule.Lazy(func(kind string) (rule.Fact, error) {
			if err := w.gaps.missed(kind, ""); err != nil {
				return nil, err
			}
			return joined(kind, w.Inventory.OfKind(kind))
		})
	}
	return w.joins.everywhere
}

// once is what a map holds for the key; it is made where it is missing.
func once[K comparable, V any](m *map[K]V, key K, compute func() V) V {
	v, found := (*m)[key]
	if !found {
		v = compute()
		if *m == nil {
			*m = map[K]V{}
		}
		(*m)[key] = v
	}
	return v
}
