package inject

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/policy"
	"github.com/coaming/coaming/internal/rule"
)

// Policies are a plan's mutations as the API server's own.
type Policies struct {
	// Manifests are MutatingAdmissionPolicies, each with its binding behind it.
	Manifests []policy.Manifest
	// Left are the mutations that no policy can make, with the reason: the webhook's.
	Left []error
}

// YAML are the policies as one stream of documents, "" where there are none.
func (p *Policies) YAML() (string, error) {
	if len(p.Manifests) == 0 {
		return "", nil
	}
	return policy.YAML(p.Manifests...)
}

// Policies are the plan's mutations as the API server's own, for a server of a Kubernetes version: what they make of an object is
// what Patch makes of it. A policy makes no copy that is judged again, as Patch does with the fixes of rules; tests send every one of them to
// a real API server. The error is of a plan that cannot be written down at all.
func (in *Injector) Policies(server string) (*Policies, error) {
	p := &Policies{}
	namespaces, err := in.namespaces()
	if err != nil {
		return nil, err
	}
	for _, r := range in.Rules {
		entries, err := in.entriesOf(r.Rule)
		if len(entries) == 0 && err == nil {
			continue
		}
		n := &natively{in: in}
		options := policy.Options{
			Version: server, Settings: in.Settings, NamespaceSelector: namespaces, Exempted: policy.Exempt(in.Exceptions, in.Now(), in.lifetime()),
			Agreed: true, // those of its entries that are here name it, where it asks
		}
		reach := policy.Reach{Within: n.within(entries), Spared: n.given("container", "variables.template"), Fail: in.Plan.Default.Fail}
		list, wrong := policy.Fixing(r.Rule, options, reach)
		p.take("the fix of "+r.ID, list, cmp.Or(err, wrong, n.err))
	}
	list, err := in.resourcePolicy(server)
	p.take("requests and limits", list, err)
	list, err = in.sidecarPolicy(server)
	p.take("sidecars", list, err)
	return p, nil
}

func (p *Policies) take(what string, list []policy.Manifest, err error) {
	if err != nil {
		p.Left = append(p.Left, fmt.Errorf("%s: %w", what, err))
		return
	}
	p.Manifests = append(p.Manifests, list...)
}

// entriesOf are the selections of the entries that ask for a rule's fix: where the fix asks a person first, of those alone that name the
// rule to the letter, which is the answer. The error is of a fix that asks about some objects, where another entry names the
// rule by a pattern: a policy cannot tell these objects apart by entries.
func (in *Injector) entriesOf(r *rule.Rule) ([]*enforcement.Selection, error) {
	if !slices.Contains(in.fixable, r.ID) {
		return nil, nil
	}
	asking := 0
	for _, f := range r.Fix {
		if f.Ask != "" {
			asking++
		}
	}
	var list []*enforcement.Selection
	for i := range in.Plan.Defaults {
		e := &in.Plan.Defaults[i]
		switch {
		case !slices.ContainsFunc(e.Rules, func(pattern string) bool { return enforcement.Matches(pattern, r.ID) }):
		case asking == 0 || slices.Contains(e.Rules, r.ID):
			list = append(list, &e.Where)
		case asking < len(r.Fix):
			return nil, fmt.Errorf("it asks a person about some objects, and line %d names it by a pattern, which is no answer", e.At.Line)
		}
	}
	return list, nil
}

// within holds in the namespaces of any of the selections that are not excluded.
func (n *natively) within(where []*enforcement.Selection) string {
	var alternatives []string
	for _, w := range where {
		alternatives = append(alternatives, "("+conjunction(n.places(w))+")")
	}
	return conjunction(append(n.notExcluded(), "("+strings.Join(alternatives, " || ")+")"))
}

// given holds for a container of a pod that one of the plan's templates gave it; "" where the plan has no sidecars.
func (n *natively) given(container, template string) string {
	var parts []string
	seen := map[string]bool{}
	for i := range n.in.sidecars {
		s := &n.in.sidecars[i]
		if seen[s.Name] {
			continue
		}
		seen[s.Name] = true
		parts = append(parts, container+`.name in `+n.texts(slices.Concat(names(s.sidecars), names(s.containers)))+
			` && string(`+template+`.?metadata.?annotations[?`+n.literal(InjectedKey)+`].orValue("")).split(",").exists(e, e.trim().startsWith(`+n.literal(s.Name+"@")+`))`)
	}
	return strings.Join(parts, " || ")
}
