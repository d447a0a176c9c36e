package rule

import (
	"maps"
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
)

// Reads is what the rule's conditions read, sorted: "container.securityContext.privileged".
func (c *Compiled) Reads() []string {
	all := map[string]bool{}
	for made := range c.conditions {
		maps.Copy(all, made.reads)
	}
	return slices.Sorted(maps.Keys(all))
}

// ReadsFact says whether the rule reads a variable's field, "workload.services", that field of a list's
// items, "binding.subjects.leadsTo", or when no field is named the variable at all.
func (c *Compiled) ReadsFact(path string) bool {
	for made := range c.conditions {
		for _, reads := range []map[string]bool{made.reads, made.items} {
			for read := range reads {
				if read == path || strings.HasPrefix(read, path+".") || strings.HasPrefix(read, path+"[") {
					return true
				}
			}
		}
	}
	return false
}

// conditions are the rule's conditions that compile.
func (c *Compiled) conditions(yield func(*condition) bool) {
	for _, compile := range []func() (*condition, error){c.when, c.assert} {
		if compile == nil {
			continue
		}
		if made, err := compile(); err == nil && !yield(made) {
			return
		}
	}
}

// collectItems notes what loops read of the items of lists that begin at a variable. Of a filtered list
// the items are those of the whole.
func (c *Compiled) collectItems(e ast.Expr, items map[string]string, reads map[string]bool) {
	if len(items) > 0 {
		if path := c.pathAmong(e, items); path != "" {
			reads[path] = true
			return
		}
	}
	below := func(list ...ast.Expr) {
		for _, child := range list {
			c.collectItems(child, items, reads)
		}
	}
	if e.Kind() != ast.ComprehensionKind {
		below(children(e)...)
		return
	}
	f := e.AsComprehension()
	below(f.IterRange(), f.AccuInit())
	if list := c.listOf(f.IterRange(), items); list != "" {
		items = maps.Clone(items)
		items[f.IterVar()] = list
	}
	below(f.LoopCondition(), f.LoopStep(), f.Result())
}

// listOf is the path of the list that a loop walks; "" where it begins at no variable.
func (c *Compiled) listOf(e ast.Expr, items map[string]string) string {
	switch {
	case e.Kind() == ast.ComprehensionKind:
		return c.listOf(e.AsComprehension().IterRange(), items)
	case e.Kind() == ast.CallKind && e.AsCall().IsMemberFunction() && e.AsCall().FunctionName() == "orValue":
		return c.listOf(e.AsCall().Target(), items)
	}
	return c.pathAmong(e, items)
}
