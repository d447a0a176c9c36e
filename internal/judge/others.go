package judge

import (
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
)

// beside is the variable of that name: by kind, the objects of the object's namespace.
func (j *judgement) beside(o *fact.Object) rule.Fact {
	return rule.Lazy(func(kind string) (rule.Fact, error) { return j.inNamespace(kind, o.Namespace) })
}

// everywhere is the variable of that name: by kind, all objects.
func (j *judgement) everywhere() rule.Fact {
	return rule.Lazy(func(kind string) (rule.Fact, error) {
		if err := j.gaps.missed(kind, ""); err != nil {
			return nil, err
		}
		return joined(kind, j.Inventory.OfKind(kind))
	})
}
