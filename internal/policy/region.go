package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/rule"
)

// nameLabel is the label that the API server gives every namespace, with its name.
const nameLabel = "kubernetes.io/metadata.name"

// mostRegions bounds into how many parts a plan may cut the namespaces for one rule.
const mostRegions = 64

// ErrParts is of a plan that cuts the namespaces into too many parts for one rule.
var ErrParts = fmt.Errorf("the plan cuts the namespaces into more than %d parts: let its entries overlap less", mostRegions)

// region is some namespaces: of these names, or of none of those, as the patterns say, with these labels.
type region struct {
	among    []string // one of these; nil for any name
	but      []string // none of these; where among is nil
	patterns []pattern
	labels   []labels.Requirement
}

// pattern is a list of globs, of which a name must match one, or none.
type pattern struct {
	list  []string
	match bool
}

// holding is how a rule holds in one region, whatever the namespace.
type holding struct {
	region
	enforcement.Setting
}

// holdings cuts all namespaces into regions in each of which a rule holds in one way; each namespace is in exactly one
// region, and those where the rule is off are left out. It is Plan.Of for all places at once.
func holdings(plan *enforcement.Plan, r *rule.Rule) ([]holding, error) {
	c := &cutter{plan: plan, rule: r}
	outside := []region{{}}
	if len(plan.Excluded) > 0 {
		var err error
		if _, outside, err = (region{}).cut(enforcement.Selection{Names: plan.Excluded}); err != nil {
			return nil, err
		}
	}
	for _, o := range outside {
		if err := c.settle(o, len(plan.Entries)-1, nil, nil); err != nil {
			return nil, err
		}
	}
	return merge(c.found), nil
}

// cutter walks the entries of a plan from the last, which outranks those before it, to the first.
type cutter struct {
	plan  *enforcement.Plan
	rule  *rule.Rule
	found []holding
}

// settle cuts a region by the entries up to at, as far as they say what none behind them has said.
func (c *cutter) settle(r region, at int, mode *enforcement.Mode, fail *bool) error {
	for ; at >= 0; at-- {
		e := &c.plan.Entries[at]
		if mode != nil && fail != nil || mode != nil && *mode == enforcement.Off {
			break
		}
		if !c.plan.Chooses(at, c.rule) || (e.Mode == nil || mode != nil) && (e.Fail == nil || fail != nil) {
			continue
		}
		inside, outside, err := r.cut(e.Where)
		if err != nil {
			return fmt.Errorf("line %d of the plan: %w", e.At.Line, err)
		}
		innerMode, innerFail := mode, fail
		if innerMode == nil {
			innerMode = e.Mode
		}
		if innerFail == nil {
			innerFail = e.Fail
		}
		for _, i := range inside {
			if err := c.settle(i, at-1, innerMode, innerFail); err != nil {
				return err
			}
		}
		for _, o := range outside {
			if err := c.settle(o, at-1, mode, fail); err != nil {
				return err
			}
		}
		return nil
	}
	h := holding{r, c.plan.Default}
	if mode != nil {
		h.Mode = *mode
	}
	if fail != nil {
		h.Fail = *fail
	}
	if h.Mode == enforcement.Off {
		return nil
	}
	if len(c.found) == mostRegions {
		return ErrParts
	}
	c.found = append(c.found, h)
	return nil
}

// cut is the part of a region that is selected, and the rest of it, each as disjoint regions.
func (r region) cut(s enforcement.Selection) (inside, outside []region, err error) {
	inside = []region{r}
	if len(s.Names) > 0 {
		inside, outside = r.cutNames(s.Names)
	}
	if s.Selector == nil {
		return inside, outside, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(s.Selector)
	if err != nil {
		return nil, nil, fmt.Errorf("namespaceSelector: %w", err)
	}
	requirements, selectable := selector.Requirements()
	if !selectable {
		return nil, append(outside, inside...), nil
	}
	for _, q := range requirements {
		var kept []region
		for _, one := range inside {
			with, without, err := one.cutLabel(q)
			if err != nil {
				return nil, nil, err
			}
			kept, outside = append(kept, with...), append(outside, without...)
		}
		inside = kept
	}
	return inside, outside, nil
}

// cutNames cuts by a list of names and globs: names become names of the parts, globs patterns.
func (r region) cutNames(list []string) (inside, outside []region) {
	if r.among != nil {
		yes, no := split(r.among, list)
		return r.named(yes), r.named(no)
	}
	var exact, globs []string
	for _, name := range list {
		switch {
		case strings.Contains(name, "*"):
			globs = append(globs, name)
		case !slices.Contains(r.but, name) && !slices.Contains(exact, name) && r.lets(name):
			exact = append(exact, name)
		}
	}
	inside = r.named(exact)
	rest := r
	rest.but = append(slices.Clone(r.but), exact...)
	if len(globs) == 0 {
		return inside, []region{rest}
	}
	for _, p := range r.patterns {
		if slices.Equal(p.list, globs) && p.match {
			return append(inside, rest), nil
		} else if slices.Equal(p.list, globs) {
			return inside, []region{rest}
		}
	}
	return append(inside, rest.with(pattern{globs, true})), []region{rest.with(pattern{globs, false})}
}

// named is the region of those names in it, none where there are none.
func (r region) named(names []string) []region {
	if len(names) == 0 {
		return nil
	}
	return []region{{among: names, labels: r.labels}}
}

func (r region) with(p pattern) region {
	r.patterns = append(slices.Clone(r.patterns), p)
	return r
}

// lets says whether the region's patterns let a name in.
func (r region) lets(name string) bool {
	return !slices.ContainsFunc(r.patterns, func(p pattern) bool { return matchesAny(p.list, name) != p.match })
}

func matchesAny(list []string, name string) bool {
	return slices.ContainsFunc(list, func(p string) bool { return enforcement.Matches(p, name) })
}

// split is those of names that match the list, and the others.
func split(names, list []string) (yes, no []string) {
	for _, name := range names {
		if matchesAny(list, name) {
			yes = append(yes, name)
		} else {
			no = append(no, name)
		}
	}
	return yes, no
}

// cutLabel cuts by one requirement of a selector.
func (r region) cutLabel(q labels.Requirement) (with, without []region, err error) {
	if q.Key() == nameLabel {
		return r.cutNameLabel(q)
	}
	opposite, err := negated(q)
	if err != nil {
		return nil, nil, err
	}
	for _, known := range r.labels {
		if known.Equal(q) {
			return []region{r}, nil, nil
		}
		if known.Equal(opposite) {
			return nil, []region{r}, nil
		}
	}
	yes, no := r, r
	yes.labels, no.labels = append(slices.Clone(r.labels), q), append(slices.Clone(r.labels), opposite)
	return []region{yes}, []region{no}, nil
}

// cutNameLabel cuts by a requirement on the label that is the namespace's name.
func (r region) cutNameLabel(q labels.Requirement) (with, without []region, err error) {
	switch names := q.ValuesUnsorted(); selectorWords[q.Operator()] {
	case metav1.LabelSelectorOpExists:
		return []region{r}, nil, nil
	case metav1.LabelSelectorOpDoesNotExist:
		return nil, []region{r}, nil
	case metav1.LabelSelectorOpIn:
		with, without = r.cutNames(names)
	case metav1.LabelSelectorOpNotIn:
		without, with = r.cutNames(names)
	default:
		return nil, nil, fmt.Errorf("operator %s is none of In, NotIn, Exists, DoesNotExist", q.Operator())
	}
	return with, without, nil
}

// selectorWords are the operators of label selectors, by those of requirements.
var selectorWords = map[selection.Operator]metav1.LabelSelectorOperator{
	selection.In: metav1.LabelSelectorOpIn, selection.Equals: metav1.LabelSelectorOpIn, selection.DoubleEquals: metav1.LabelSelectorOpIn,
	selection.NotIn: metav1.LabelSelectorOpNotIn, selection.NotEquals: metav1.LabelSelectorOpNotIn,
	selection.Exists: metav1.LabelSelectorOpExists, selection.DoesNotExist: metav1.LabelSelectorOpDoesNotExist,
}

// negated holds where a requirement does not.
func negated(q labels.Requirement) (labels.Requirement, error) {
	opposite := map[metav1.LabelSelectorOperator]selection.Operator{
		metav1.LabelSelectorOpIn: selection.NotIn, metav1.LabelSelectorOpNotIn: selection.In,
		metav1.LabelSelectorOpExists: selection.DoesNotExist, metav1.LabelSelectorOpDoesNotExist: selection.Exists,
	}[selectorWords[q.Operator()]]
	n, err := labels.NewRequirement(q.Key(), opposite, q.ValuesUnsorted())
	if err != nil {
		return labels.Requirement{}, fmt.Errorf("the opposite of %s: %w", q.String(), err)
	}
	return *n, nil
}

// merge joins regions of names that are alike in all else.
func merge(list []holding) []holding {
	var out []holding
	at := map[string]int{}
	for _, h := range list {
		if h.among == nil {
			out = append(out, h)
			continue
		}
		key := fmt.Sprint(h.Setting, h.labels)
		if i, found := at[key]; found {
			out[i].among = append(slices.Clone(out[i].among), h.among...)
			continue
		}
		at[key] = len(out)
		out = append(out, h)
	}
	return out
}

// selector is the region as the JSON of a label selector of namespaces; nil where it is all but for patterns.
func (r region) selector() (json.RawMessage, error) {
	var s metav1.LabelSelector
	add := func(key string, operator metav1.LabelSelectorOperator, values []string) {
		values = slices.Sorted(slices.Values(values))
		s.MatchExpressions = append(s.MatchExpressions, metav1.LabelSelectorRequirement{Key: key, Operator: operator, Values: values})
	}
	switch {
	case r.among != nil:
		add(nameLabel, metav1.LabelSelectorOpIn, r.among)
	case len(r.but) > 0:
		add(nameLabel, metav1.LabelSelectorOpNotIn, r.but)
	}
	for _, q := range r.labels {
		if selectorWords[q.Operator()] == "" {
			return nil, fmt.Errorf("operator %s of a namespaceSelector is not one that the API server takes", q.Operator())
		}
		add(q.Key(), selectorWords[q.Operator()], q.ValuesUnsorted())
	}
	if len(s.MatchExpressions) == 0 {
		return nil, nil
	}
	return json.Marshal(s)
}

// placeText is the namespace that an object is in, or is.
const placeText = `(object.kind == "Namespace" && object.apiVersion == "v1" ? object.metadata.name : object.metadata.?namespace.orValue(""))`

// condition is a pattern as an expression on a namespace's name.
func (p pattern) condition(name string) Condition {
	parts := make([]string, 0, len(p.list))
	for _, glob := range p.list {
		parts = append(parts, expressionOf(glob))
	}
	written := placeText + `.matches(` + quotedText("^("+strings.Join(parts, "|")+")$") + `)`
	if !p.match {
		written = "!" + written
	}
	return Condition{name, written}
}

// expressionOf is a glob as a regular expression (RE2).
func expressionOf(glob string) string {
	var out strings.Builder
	for _, c := range glob {
		switch {
		case c == '*':
			out.WriteString(".*")
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-':
			out.WriteRune(c)
		default:
			out.WriteByte('\\')
			out.WriteRune(c)
		}
	}
	return out.String()
}
