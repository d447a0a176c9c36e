package report

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/verdict"
)

// What answers about rights say to machines. The terminal says the same, in words.
type (
	// Access is an answer about rights: one of its parts is set. World names the overlay that it is
	// about, where several that are alternatives to each other were read.
	Access struct {
		World  string      `json:"world,omitempty"`
		Can    *CanView    `json:"can,omitempty"`
		WhoCan *WhoCanView `json:"whoCan,omitempty"`
		Who    *WhoView    `json:"identity,omitempty"`
		// Gaps is how many things were not looked at, whatever they are.
		Gaps int `json:"gaps"`
	}
	// CanView answers whether somebody may do something.
	CanView struct {
		Identity identityView `json:"identity"`
		Query    queryView    `json:"query"`
		Answer   string       `json:"answer"` // allowed, denied, unknown
		Bypass   string       `json:"bypass,omitempty"`
		Reasons  []string     `json:"reasons,omitempty"`
		// Within are the namespaces in which it is allowed, where not everywhere.
		Within []string    `json:"within,omitempty"`
		Chains []chainView `json:"chains"`
	}
	// WhoCanView answers who may do something.
	WhoCanView struct {
		Query   queryView    `json:"query"`
		Holders []holderView `json:"holders"`
		Perhaps []holderView `json:"perhaps,omitempty"`
		Reasons []string     `json:"reasons,omitempty"`
	}
	// WhoView is all that is known of one identity.
	WhoView struct {
		Identity  identityView `json:"identity"`
		Bypass    string       `json:"bypass,omitempty"`
		Unused    string       `json:"unused,omitempty"`
		Reasons   []string     `json:"reasons,omitempty"`
		Account   *refView     `json:"account,omitempty"`
		Workloads []refView    `json:"workloads,omitempty"`
		Links     []linkView   `json:"links,omitempty"`
		Grants    []grantView  `json:"grants"`
	}
	identityView struct {
		Text      string   `json:"text"`
		User      string   `json:"user,omitempty"`
		Groups    []string `json:"groups,omitempty"`
		Namespace string   `json:"namespace,omitempty"`
		Account   string   `json:"account,omitempty"`
		Via       string   `json:"via,omitempty"`
	}
	queryView struct {
		Text      string `json:"text"`
		Verb      string `json:"verb"`
		Group     string `json:"group"`
		Resource  string `json:"resource,omitempty"`
		Sub       string `json:"subresource,omitempty"`
		Name      string `json:"name,omitempty"`
		Namespace string `json:"namespace,omitempty"`
		URL       string `json:"url,omitempty"`
		// Wide is set of what belongs to no namespace.
		Wide bool `json:"clusterScoped,omitempty"`
	}
	refView struct {
		Kind      string            `json:"kind"`
		Namespace string            `json:"namespace,omitempty"`
		Name      string            `json:"name"`
		Shipped   bool              `json:"shipped,omitempty"` // it comes with Kubernetes and was not read
		Location  *verdict.Location `json:"location,omitempty"`
	}
	subjectView struct {
		Kind      string `json:"kind"`
		Namespace string `json:"namespace,omitempty"`
		Name      string `json:"name"`
		From      string `json:"from,omitempty"` // where such a name comes from, as far as its form tells
	}
	ruleView struct {
		Verbs   []string     `json:"verbs"`
		Groups  []string     `json:"apiGroups,omitempty"`
		What    []string     `json:"resources,omitempty"`
		Names   []string     `json:"resourceNames,omitempty"`
		URLs    []string     `json:"nonResourceURLs,omitempty"`
		Written *refView     `json:"written,omitempty"`
		Dangers []dangerView `json:"dangers,omitempty"`
	}
	dangerView struct {
		ID  string `json:"id"`
		Why string `json:"why"`
	}
	chainView struct {
		Binding refView     `json:"binding"`
		Subject subjectView `json:"subject"`
		Role    refView     `json:"role"`
		Rule    *ruleView   `json:"rule,omitempty"`
		Doubt   string      `json:"doubt,omitempty"`
	}
	holderView struct {
		Subject    subjectView `json:"subject"`
		Everywhere bool        `json:"everywhere"`
		Namespaces []string    `json:"namespaces,omitempty"`
		Chains     []chainView `json:"chains"`
	}
	grantView struct {
		Binding   refView     `json:"binding"`
		Subject   subjectView `json:"subject"`
		Role      refView     `json:"role"`
		Namespace string      `json:"in,omitempty"`
		Rules     []ruleView  `json:"rules,omitempty"`
		Nothing   string      `json:"nothing,omitempty"`
		Doubt     string      `json:"doubt,omitempty"`
		Within    *refView    `json:"superfluousBeside,omitempty"`
	}
	linkView struct {
		Provider string  `json:"provider,omitempty"`
		Kind     string  `json:"kind"`
		Into     bool    `json:"intoCluster"`
		Cloud    string  `json:"cloud"`
		Note     string  `json:"note,omitempty"`
		Written  refView `json:"written"`
	}
)

// AccessJSON writes answers about rights for machines.
func AccessJSON(w io.Writer, answers []Access) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]any{"schema": "coaming.access/v1", "answers": answers}); err != nil {
		return fmt.Errorf("write answers: %w", err)
	}
	return nil
}

// NewCan is the view of an answer.
func NewCan(a *rbac.Answer) *CanView {
	v := &CanView{
		Identity: viewIdentity(&a.Identity), Query: viewQuery(&a.Query), Answer: a.Verdict.String(), Bypass: a.Bypass,
		Reasons: a.Reasons, Within: a.Within, Chains: []chainView{},
	}
	for i := range a.Chains {
		v.Chains = append(v.Chains, viewChain(&a.Chains[i]))
	}
	return v
}

// NewWhoCan is the view of an answer.
func NewWhoCan(h *rbac.Holders) *WhoCanView {
	return &WhoCanView{Query: viewQuery(&h.Query), Holders: viewHolders(h.Holders), Perhaps: viewHolders(h.Perhaps), Reasons: h.Reasons}
}

// NewWho is the view of an identity.
func NewWho(p *rbac.Profile) *WhoView {
	v := &WhoView{Identity: viewIdentity(&p.Identity), Bypass: p.Bypass, Unused: p.Unused, Reasons: p.Reasons, Grants: []grantView{}}
	if p.Object != nil {
		ref := viewObject(p.Object, false)
		v.Account = &ref
	}
	for _, w := range p.Workloads {
		v.Workloads = append(v.Workloads, viewObject(w.Object, false))
	}
	for i := range p.Links {
		l := &p.Links[i]
		written := viewObject(l.Object, false)
		place := rbac.Place(l.Object, l.At)
		written.Location = &place
		v.Links = append(v.Links, linkView{l.Provider, l.Kind, l.Into, l.Cloud, l.Note, written})
	}
	for i := range p.Grants {
		v.Grants = append(v.Grants, viewGrant(&p.Grants[i]))
	}
	return v
}

func viewGrant(g *rbac.Grant) grantView {
	v := grantView{
		Binding: viewObject(g.Binding.Object, g.Binding.Shipped), Subject: viewSubject(g.Subject), Role: viewRole(g.Binding),
		Namespace: g.Binding.Namespace, Nothing: g.Nothing, Doubt: g.Doubt,
	}
	for i, r := range g.Rules {
		v.Rules = append(v.Rules, viewRule(r, g.Dangers[i]))
	}
	if g.Within != nil {
		ref := viewObject(g.Within.Object, g.Within.Shipped)
		v.Within = &ref
	}
	return v
}

func viewIdentity(id *rbac.Identity) identityView {
	return identityView{Text: id.String(), User: id.User, Groups: id.Groups, Namespace: id.Namespace, Account: id.Account, Via: id.Via}
}

func viewQuery(q *rbac.Query) queryView {
	text := q.Verb + " " + q.What()
	if q.Name != "" {
		text += " " + q.Name
	}
	return queryView{text, q.Verb, q.Group, q.Resource, q.Subresource, q.Name, q.Namespace, q.URL, q.Wide}
}

func viewObject(o *fact.Object, shipped bool) refView {
	ref := refView{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Shipped: shipped}
	if !shipped {
		place := rbac.Place(o, o.Root)
		ref.Location = &place
	}
	return ref
}

func viewRole(b *rbac.Binding) refView {
	if b.Role != nil {
		return viewObject(b.Role.Object, b.Role.Shipped)
	}
	ref := refView{Kind: b.RoleKind, Name: b.RoleName}
	if b.RoleKind == "Role" {
		ref.Namespace = b.Namespace
	}
	return ref
}

func viewSubject(s *rbac.Subject) subjectView {
	_, from := rbac.Provider(s)
	v := subjectView{Kind: s.Kind, Name: s.Name, From: from}
	if s.Kind == rbac.AccountKind {
		v.Namespace = s.Namespace
	}
	return v
}

func viewRule(r rbac.Rule, dangers []*rbac.Danger) ruleView {
	v := ruleView{Verbs: r.Texts("verbs"), Groups: r.Texts("apiGroups"), What: r.Texts("resources"), Names: r.Texts("resourceNames"), URLs: r.Texts("nonResourceURLs")}
	if r.Object != nil {
		ref := viewObject(r.Object, r.Object.Origin.Source == "kubernetes")
		if ref.Location != nil {
			place := rbac.Place(r.Object, r.Value)
			ref.Location = &place
		}
		v.Written = &ref
	}
	for _, d := range dangers {
		v.Dangers = append(v.Dangers, dangerView{d.ID, d.Why})
	}
	return v
}

func viewChain(c *rbac.Chain) chainView {
	v := chainView{Binding: viewObject(c.Binding.Object, c.Binding.Shipped), Subject: viewSubject(c.Subject), Role: viewRole(c.Binding), Doubt: c.Doubt}
	if c.Rule.Value.Exists() {
		r := viewRule(c.Rule, rbac.DangersOf(c.Rule, c.Binding.Namespace))
		v.Rule = &r
	}
	return v
}

func viewHolders(list []rbac.Holder) []holderView {
	views := []holderView{}
	for i := range list {
		h := &list[i]
		v := holderView{Subject: viewSubject(&h.Subject), Everywhere: h.Everywhere, Namespaces: h.Namespaces}
		for k := range h.Chains {
			v.Chains = append(v.Chains, viewChain(&h.Chains[k]))
		}
		views = append(views, v)
	}
	return views
}
