package rbac

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// Role is a Role or a ClusterRole, with its rules as they are in effect.
type Role struct {
	Object *fact.Object
	// Shipped is set of those that come with Kubernetes and are not in what was read.
	Shipped bool

	variants  []*fact.Object // others of the same name that differ
	resolved  atomic.Bool
	rules     []Rule
	doubts    []string
	aggregate bool
	onCircle  int8 // whether it draws from itself: 0 not known, 1 yes, -1 no
	selected  []*Role
	known     bool // selected is made
}

// roleKey is what roles are told apart by; namespace is "" of a cluster role.
type roleKey struct{ namespace, name string }

// aggregationBudget bounds how many comparisons of labels and steps from role to role all aggregation
// of one model may take: some seconds. Real clusters take thousands.
const aggregationBudget = 20_000_000

func (m *Model) listRoles() {
	add := func(o *fact.Object, shipped bool) {
		key := roleKey{name: o.Name}
		if o.Kind == "Role" {
			key.namespace = fact.Place(o.Namespace)
		}
		if known := m.roles[key]; known != nil {
			if !shipped {
				known.variants = append(known.variants, o)
			}
			return
		}
		m.roles[key] = &Role{Object: o, Shipped: shipped}
	}
	for _, kind := range []string{ClusterRoleKind, RoleKind} {
		for _, o := range m.inventory.OfKind(kind) {
			add(o, false)
		}
	}
	for _, o := range m.shipped {
		if o.Kind == "Role" || o.Kind == "ClusterRole" {
			add(o, true)
		}
	}
	for key, r := range m.roles {
		r.aggregate = !m.inventory.Live && r.Object.Root.Get("aggregationRule").Kind() > document.Null
		if key.namespace == "" {
			m.wide = append(m.wide, r)
		}
	}
	slices.SortFunc(m.wide, func(a, b *Role) int { return cmp.Compare(a.Object.Name, b.Object.Name) })
}

// ClusterRole is the cluster role of that name; nil when there is none.
func (m *Model) ClusterRole(name string) *Role { return m.roles[roleKey{name: name}] }

// Role is the role of that name in a namespace; nil when there is none.
func (m *Model) Role(namespace, name string) *Role {
	return m.roles[roleKey{fact.Place(namespace), name}]
}

// RulesOf is a role's rules in effect, and what of them is doubtful: each entry says why more or less
// may be in effect. In a live cluster they are those stored there. In files the rules of a role that
// aggregates are those of the roles that it selects, by name, each once; what is written in it itself
// is overwritten (k8s.io/kubernetes pkg/controller/clusterroleaggregation).
func (m *Model) RulesOf(r *Role) (rules []Rule, doubts []string) {
	if !r.resolved.Load() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if !r.resolved.Load() {
			m.resolve(r)
			r.resolved.Store(true)
		}
	}
	return r.rules, r.doubts
}

func (m *Model) resolve(r *Role) {
	if len(r.variants) > 0 {
		r.doubt("there are %d different %s in what was read", len(r.variants)+1, name(r.Object))
	}
	if r.Object.Doubt != "" {
		r.doubt("%s: %s", name(r.Object), r.Object.Doubt)
	}
	if !r.aggregate {
		r.take(r.Object)
		for _, variant := range r.variants {
			r.take(variant)
		}
		return
	}
	if reason := m.gaps.Missed(ClusterRoleKind, ""); reason != "" {
		r.doubt("%s aggregates cluster roles: %s", name(r.Object), reason)
	}
	seen := map[string]int{}
	m.draw(r, r, map[*Role]bool{r: true}, seen)
	if m.budget < 0 {
		r.doubt("%s aggregates more roles than can be looked at", name(r.Object))
	}
}

// draw gives a role the rules of all that another one aggregates. Roles that aggregate each other
// keep what any of them held at first: which, depends on which the controller came to first.
func (m *Model) draw(r, from *Role, visited map[*Role]bool, seen map[string]int) {
	if from.Object.Root.Get("rules").Len() > 0 && m.circular(from) {
		r.doubt("%s and a role that it aggregates aggregate each other: what is written in it may stay or go", name(from.Object))
		r.takeOnce(from, seen)
	}
	if m.malformed(from) {
		r.doubt("the aggregationRule of %s is one that the API server refuses", name(from.Object))
		r.takeOnce(from, seen)
	}
	for _, s := range m.selectedBy(from) {
		if m.budget--; m.budget < 0 {
			return
		}
		switch {
		case visited[s]:
		case s.aggregate:
			visited[s] = true
			m.draw(r, s, visited, seen)
		default:
			visited[s] = true
			if s.Object.Doubt != "" || len(s.variants) > 0 {
				r.doubt("%s, which it aggregates, was read more than once or in doubt", name(s.Object))
			}
			r.takeOnce(s, seen)
			for _, variant := range s.variants {
				r.take(variant)
			}
		}
	}
}

func (m *Model) malformed(r *Role) bool {
	selectors := r.Object.Root.At("aggregationRule", "clusterRoleSelectors")
	if selectors.Kind() != document.List || selectors.Len() == 0 {
		return true
	}
	for _, s := range selectors.Items() {
		if k := s.Kind(); k != document.Map && k != document.Null {
			return true
		}
	}
	return false
}

// selectedBy is the cluster roles that a role aggregates, selector by selector and by name, itself never.
func (m *Model) selectedBy(r *Role) []*Role {
	if r.known {
		return r.selected
	}
	r.known = true
	has := map[*Role]bool{r: true}
	for _, selector := range r.Object.Root.At("aggregationRule", "clusterRoleSelectors").Items() {
		for _, s := range m.wide {
			if m.budget--; m.budget < 0 {
				return r.selected
			}
			// A null among selectors is an empty one, which selects everything.
			if !has[s] && (selector.Kind() == document.Null || fact.Selects(selector, s.Object.Labels())) {
				has[s] = true
				r.selected = append(r.selected, s)
			}
		}
	}
	return r.selected
}

// circular says whether a role draws from itself by way of others.
func (m *Model) circular(r *Role) bool {
	if r.onCircle == 0 {
		r.onCircle = -1
		if m.reaches(r, r, map[*Role]bool{}) {
			r.onCircle = 1
		}
	}
	return r.onCircle > 0
}

func (m *Model) reaches(from, to *Role, visited map[*Role]bool) bool {
	for _, s := range m.selectedBy(from) {
		if m.budget--; m.budget < 0 {
			return true
		}
		if s == to {
			return true
		}
		if s.aggregate && !visited[s] {
			visited[s] = true
			if m.reaches(s, to, visited) {
				return true
			}
		}
	}
	return false
}

// take adds the rules as they stand in an object.
func (r *Role) take(o *fact.Object) {
	for _, v := range r.listed(o) {
		r.add(Rule{Value: v, Object: o})
	}
}

// takeOnce adds a role's rules that are not there yet.
func (r *Role) takeOnce(from *Role, seen map[string]int) {
	for _, v := range r.listed(from.Object) {
		content := string(v.AppendSorted(nil))
		at, again := seen[content]
		switch {
		case !again:
			seen[content] = len(r.rules)
			r.add(Rule{Value: v, Object: from.Object})
		case at < len(r.rules):
			r.rules[at].Elsewhere = true
		}
	}
}

// listed yields the rules that an object lists.
func (r *Role) listed(o *fact.Object) iter.Seq2[int, document.Value] {
	list := o.Root.Get("rules")
	if k := list.Kind(); k > document.Null && k != document.List {
		r.doubt("%s: its rules are a %s and no list", name(o), k)
	}
	return list.Items()
}

func (r *Role) add(rule Rule) {
	if flaw := rule.Flaw(); flaw != "" {
		r.doubt("%s: %s", name(rule.Object), flaw)
		return
	}
	r.rules = append(r.rules, rule)
}

// mostDoubts is how many reasons to doubt a role are told; one is enough to doubt it.
const mostDoubts = 10

func (r *Role) doubt(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); len(r.doubts) < mostDoubts && !slices.Contains(r.doubts, text) {
		r.doubts = append(r.doubts, text)
	}
}

// name is an object as a sentence names it: "Role shop/reader".
func name(o *fact.Object) string {
	if o.Namespace == "" || fact.ClusterScoped(o.GroupKind()) {
		return o.Kind + " " + o.Name
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}
