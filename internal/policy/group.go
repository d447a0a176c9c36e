package policy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/rule"
)

// What a policy costs is mostly not its expressions: of each request the API server makes each policy's variables anew, the whole object
// among them, for its match conditions, its validations, its messages and its audit annotations (k8s.io/apiserver
// pkg/admission/plugin/cel/activation.go newActivation, pkg/admission/plugin/policy/validating/validator.go Validate). Rules that hold
// alike are therefore validations of one policy. Its evaluator treats each validation's error for itself; what they share is the budget:
// 10 million units a policy (pkg/apis/cel/config.go RuntimeCELCostBudget), of which one expression may take a tenth.
const (
	// mostOfWorkloads and mostOfOthers bound how many rules a group has: those of pod templates, whose size smallText bounds,
	// and those of other objects.
	mostOfWorkloads, mostOfOthers = 64, 4
	// policyBudget is what one policy may cost, in units: what the rules of a group may take must come to less.
	policyBudget = 10_000_000
	// mostText bounds what a group's expressions come to, in bytes: etcd takes objects of 1.5 MiB, and 'kubectl apply' without --server-side
	// keeps a copy in an annotation of at most 256 KiB.
	mostText = 160 << 10
)

// groups sorts rules into policies.
type groups struct {
	options Options
	keys    []string // of byKey, in the order of the rules
	byKey   map[string]*group
}

// group is the rules that hold alike: about the same objects, with the same bindings.
type group struct {
	name   string
	bounds []bounded
	pieces []piece
}

// piece is one rule of a group.
type piece struct {
	*compiled
	validation validation // over the variables of compiled
	// own is the policy of a rule of which something is excused; nil of others. The rule still has its place in the group, so that when
	// its exceptions end no policy but these two changes.
	own *policySpec
}

// add compiles a rule and finds its group.
func (g *groups) add(r *rule.Rule, bounds []bounded) error {
	p := piece{}
	var err error
	open := slices.ContainsFunc(bounds, func(b bounded) bool { return !b.Fail })
	if p.compiled, err = compileFor(r, g.options, purpose{grouped: true, open: open}); err != nil {
		return err
	}
	if p.validation, err = p.among(); err != nil {
		return err
	}
	name, err := p.groupName(bounds)
	if err != nil {
		return err
	}
	if len(g.options.Exempted.of(r.ID)) > 0 {
		alone, err := compileFor(r, g.options, purpose{open: open})
		if err != nil {
			return err
		}
		spec, err := alone.spec()
		if err != nil {
			return err
		}
		p.own = &spec
	}
	if g.byKey[name] == nil {
		g.keys = append(g.keys, name)
		g.byKey[name] = &group{name: name, bounds: bounds}
	}
	g.byKey[name].pieces = append(g.byKey[name].pieces, p)
	return nil
}

// groupName follows from what the rules of a group have in common and from nothing else, so that no rule that comes or goes renames
// others, and no policy ever comes to mean other places by a change of the plan.
func (p *compiled) groupName(bounds []bounded) (string, error) {
	r := p.rule
	var what []string
	switch r.Match.Fact {
	case "container", "workload":
		what = []string{"workloads"}
		if p.imaged { // whose variables take much to make
			what[0] = "images"
		}
	case "namespace", "object":
		what = []string{r.Match.Fact + "s"}
	default:
		what = slices.Sorted(slices.Values(r.Match.Kinds))
	}
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "%q", what)
	for _, b := range bounds {
		match, err := b.match()
		if err != nil {
			return "", err
		}
		raw, err := json.Marshal(match)
		if err != nil {
			return "", fmt.Errorf("write what a binding matches: %w", err)
		}
		_, _ = fmt.Fprintf(sum, " %s %s %t %v", raw, b.Mode, b.Fail, b.patterns)
	}
	for i, kind := range what {
		name, _, _ := strings.Cut(kind, ".")
		what[i] = strings.ToLower(name)
	}
	return "coaming-" + strings.Join(what[:min(len(what), 3)], "-") + "." + hex.EncodeToString(sum.Sum(nil)[:4]), nil
}

// members are the groups, each within its bounds.
func (g *groups) members() []*group {
	var list []*group
	for _, key := range g.keys {
		list = append(list, g.byKey[key].split(0)...)
	}
	return list
}

// split halves a group that is too large by a bit of what its rules' ids hash to: a rule that comes or goes moves no other but when its
// group has become too large.
func (g *group) split(bit int) []*group {
	most, text, cost := mostOfOthers, 0, 0
	switch m := g.pieces[0].rule.Match; {
	case isWorkload(m):
		most = mostOfWorkloads
	case slices.Contains(m.Kinds, "PersistentVolume"): // a long path takes a rule's whole budget
		most = 1
	}
	for _, p := range g.pieces {
		text += p.length()
		cost += 2 * p.budget.Cost() // for the verdict, and for the message
	}
	if bit == 8*sha256.Size || len(g.pieces) <= most && (text <= mostText && cost <= policyBudget || len(g.pieces) == 1) {
		return []*group{g}
	}
	halves := [2]group{{name: g.name, bounds: g.bounds}, {name: g.name, bounds: g.bounds}}
	if bit == 0 {
		halves[0].name, halves[1].name = g.name+".", g.name+"."
	}
	halves[0].name, halves[1].name = halves[0].name+"0", halves[1].name+"1"
	for _, p := range g.pieces {
		sum := sha256.Sum256([]byte(p.rule.ID))
		half := &halves[sum[bit/8]>>(7-bit%8)&1]
		half.pieces = append(half.pieces, p)
	}
	var list []*group
	for i := range halves {
		if len(halves[i].pieces) > 0 {
			list = append(list, halves[i].split(bit+1)...)
		}
	}
	return list
}

func isWorkload(m rule.Match) bool { return m.Fact == "container" || m.Fact == "workload" }

// length is how long the rule's own expressions are, in bytes.
func (p *piece) length() int {
	return len(p.validation.Expression) + len(p.validation.Message) + len(p.validation.MessageExpression)
}

func (g *group) ids() []string {
	var list []string
	for _, p := range g.pieces {
		list = append(list, p.rule.ID)
	}
	return list
}

// held are the manifests of the group, and of its rules that have policies of their own.
func (g *group) held(o Options) (list []Held, err error) {
	slices.SortFunc(g.pieces, func(a, b piece) int { return cmp.Compare(a.rule.ID, b.rule.ID) })
	var several []piece
	for _, p := range g.pieces {
		if p.own == nil {
			several = append(several, p)
			continue
		}
		w := planned{options: o, counts: map[string]int{}, about: describe(p.rule), spec: *p.own, excused: o.Exempted.of(p.rule.ID)}
		one := Held{Name: nameOf(p.rule), Rules: []string{p.rule.ID}}
		if one.Manifests, err = w.bind(g.bounds); err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	if len(several) == 0 {
		return list, nil
	}
	rest := group{name: g.name, bounds: g.bounds, pieces: several}
	w := planned{options: o, counts: map[string]int{}, about: rest.describe()}
	if w.spec, err = rest.spec(); err != nil {
		return nil, err
	}
	one := Held{Name: g.name, Rules: rest.ids()}
	if one.Manifests, err = w.bind(g.bounds); err != nil {
		return nil, err
	}
	return append(list, one), nil
}

// RulesOf is the annotation that names the rules of a group's policy; what each asks for is in one more, of this prefix and the rule's id.
const (
	RulesOf      = "coaming.dev/rules"
	remedyPrefix = "remedy.coaming.dev/"
)

// describe is what a group's policy tells of its rules. Its severity is that of the severest, its practice is told where all are of one.
func (g *group) describe() Metadata {
	severest := g.pieces[0].rule.Severity
	practices := map[string]bool{}
	controls := map[string]map[string]bool{}
	m := Metadata{Name: g.name, Annotations: map[string]string{RulesOf: strings.Join(g.ids(), ",")}}
	for _, p := range g.pieces {
		severest = max(severest, p.rule.Severity)
		practices[p.rule.Practice] = true
		m.Annotations[remedyPrefix+p.rule.ID] = oneLine(p.rule.Remedy)
		for framework, ids := range p.rule.Maps {
			if controls[framework] == nil {
				controls[framework] = map[string]bool{}
			}
			for _, id := range ids {
				controls[framework][id] = true
			}
		}
	}
	for framework, ids := range controls {
		m.Annotations["coaming.dev/"+framework] = strings.Join(slices.Sorted(maps.Keys(ids)), ",")
	}
	m.Labels = map[string]string{ManagedBy: "coaming", "coaming.dev/severity": severest.String()}
	if len(practices) == 1 {
		m.Labels["coaming.dev/practice"] = g.pieces[0].rule.Practice
	}
	return m
}
