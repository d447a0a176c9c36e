package attack

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// risk.go says of findings what they matter to attackers. A finding that stands where a step has its
// evidence, or is changed, is a part of that step; one that tells where its subject leads is worth what its
// subject is; any other finding of a container that attackers come to stands beside their paths, and
// matters less.

// wanted are the sinks that risk is about, the gravest first, with what one adds to a score.
var wanted = []struct {
	kind   Kind
	weight int
}{{ClusterAdmin, 20}, {Machine, 15}, {CloudIdentity, 10}, {Data, 5}}

// Scores: what makes up at most 100 of a step, and 15 of what stands beside.
const (
	stepScore, exposedScore, easiestScore, neededScore = 30, 20, 10, 15
	mostWays                                           = 5 // more for many ways in, by their binary logarithm
	besideExposed, besideLeads                         = 10, 5
)

// mostNeeds bounds how many sets of steps are looked at whether a path is left without them.
const mostNeeds = 200

// rater rates the findings of one world.
type rater struct {
	g *Graph
	// front and back are what certain steps reach from the internet, and from where sinks are reached;
	// any are the same with doubtful ones.
	front, frontAny reached
	sinks           []sinkView
	entry           int32
	by              map[objectKey]*places
	names           map[objectKey]Node   // of the workloads
	holders         map[objectKey][]Node // by binding, its subjects; nil before it is asked for
	needs           map[string]bool
	tests           int
	// ancestries are of long documents, of which steps may have evidence everywhere.
	ancestries map[*document.Doc]*document.Ancestry
}

// sinkView is the graph as seen from one kind of sink.
type sinkView struct {
	kind          Kind
	weight        int
	nodes         []int32
	back, backAny reached
	first         map[int32]int32 // by foothold: the easiest first step to it
	ways          []int           // by node: how many ways in pass it on their easiest path
	best          []int32         // the easiest path from the internet
}

// objectKey is what findings and evidence name the same object by.
type objectKey struct{ group, kind, namespace, name string }

func keyOf(apiVersion, kind, namespace, name string) objectKey {
	group, _, found := strings.Cut(apiVersion, "/")
	if !found {
		group = ""
	}
	return objectKey{group, kind, fact.Place(namespace), name}
}

// Rate gives findings their risk by this graph; one that has a higher one already keeps it. Of the rules that
// ofGraph names, findings tell where attackers get on from their subject, wherever in it they stand.
func (g *Graph) Rate(findings []verdict.Finding, ofGraph map[string]bool) {
	entries := g.OfKind(Internet)
	r := &rater{g: g, entry: -1, by: map[objectKey]*places{}, names: map[objectKey]Node{}, needs: map[string]bool{}}
	if len(entries) > 0 {
		r.entry = entries[0]
	}
	r.front = g.search(entries, least, false, nil)
	r.frontAny = g.search(entries, certain, false, nil)
	for _, w := range wanted {
		if nodes := g.OfKind(w.kind); len(nodes) > 0 {
			r.sinks = append(r.sinks, r.view(w.kind, w.weight, nodes))
		}
	}
	r.index(findings)
	for i := range findings {
		f := &findings[i]
		if risk := r.risk(f, ofGraph[f.Rule]); risk != nil && risk.Score > f.RiskScore() {
			f.Risk = risk
		}
	}
}

func (r *rater) view(kind Kind, weight int, nodes []int32) sinkView {
	g := r.g
	v := sinkView{
		kind: kind, weight: weight, nodes: nodes, first: map[int32]int32{}, ways: make([]int, len(g.Nodes)),
		back: g.search(nodes, least, true, nil), backAny: g.search(nodes, certain, true, nil),
	}
	if r.entry < 0 {
		return v
	}
	for _, i := range g.out.of(r.entry) {
		e := &g.Edges[i]
		if e.Doubt != "" || v.back.cost[e.To] == unreached {
			continue
		}
		known, seen := v.first[e.To]
		if !seen {
			for at := e.To; ; at = g.Edges[v.back.by[at]].To {
				v.ways[at]++
				if v.back.by[at] < 0 {
					break
				}
			}
		}
		if !seen || least.of(e) < least.of(&g.Edges[known]) {
			v.first[e.To] = i
		}
	}
	best := int32(-1)
	for _, n := range nodes {
		if r.front.by[n] >= 0 && (best < 0 || r.front.cost[n] < r.front.cost[best]) {
			best = n
		}
	}
	if best >= 0 {
		v.best = g.trail(&r.front, best)
	}
	return v
}

// index lists the places of steps in the objects that have findings.
func (r *rater) index(findings []verdict.Finding) {
	asked := map[objectKey]bool{}
	for i := range findings {
		s := &findings[i].Subject
		asked[keyOf(s.APIVersion, s.Kind, s.Namespace, s.Name)] = true
	}
	keys := map[*fact.Object]objectKey{}
	key := func(o *fact.Object) objectKey {
		k, known := keys[o]
		if !known {
			k = keyOf(o.APIVersion, o.Kind, o.Namespace, o.Name)
			keys[o] = k
		}
		return k
	}
	for i := range r.g.Edges {
		e := &r.g.Edges[i]
		for k := range e.Evidence {
			if o := e.Evidence[k].Object; o != nil && asked[key(o)] {
				r.add(key(o), o, e.Evidence[k].At, nil, int32(i)) //nolint:gosec // as in Graph.node
			}
		}
		for k := range e.Changes {
			c := &e.Changes[k]
			for n := range c.Edits {
				if c.Edits[n].At.Exists() && asked[key(c.Object)] {
					r.add(key(c.Object), c.Object, c.Edits[n].At, c.Edits[n].Below, int32(i)) //nolint:gosec // as above
				}
			}
		}
	}
	for _, p := range r.g.World.Pods {
		if k := key(p.Object); asked[k] {
			r.names[k] = p.Node
			r.identity(k, p)
		}
	}
}

// identity ties what names the account of pods to the steps by which their containers have it: the step's own
// evidence is that a token is mounted.
func (r *rater) identity(k objectKey, p *Pods) {
	account, known := r.g.index[p.Account]
	if !known {
		return
	}
	for _, b := range p.Containers {
		n, known := r.g.index[b.Node]
		if !known {
			continue
		}
		for _, i := range r.g.out.of(n) {
			if r.g.Edges[i].To == account {
				r.add(k, p.Object, p.Spec, []string{"serviceAccountName"}, i)
			}
		}
	}
}

func (r *rater) add(k objectKey, o *fact.Object, at document.Value, below []string, edge int32) {
	path, ok := r.path(o.Root, at, below)
	if !ok {
		return
	}
	list := r.by[k]
	if list == nil {
		list = &places{whole: strings.HasSuffix(o.Kind, "RoleBinding"), at: map[string][]int32{}}
		r.by[k] = list
	}
	list.add(path, edge)
}

// longDocument is from how many values on a document's ancestry costs less than walking to each place.
const longDocument = 500

// path is where a value stands below an object's root, or what is to stand below the value.
func (r *rater) path(root, at document.Value, below []string) (path string, ok bool) {
	if d := at.Doc(); d != nil && d == root.Doc() && d.Root().Nodes() > longDocument {
		if r.ancestries == nil {
			r.ancestries = map[*document.Doc]*document.Ancestry{}
		}
		if r.ancestries[d] == nil {
			r.ancestries[d] = document.NewAncestry(d)
		}
		if path, ok = r.ancestries[d].PathText(root, at); ok {
			for _, key := range below {
				path = string(document.AppendKey([]byte(path), key))
			}
			return path, true
		}
	}
	steps := at.Steps()
	begin := len(root.Steps())
	if len(steps) < begin {
		return "", false
	}
	steps = steps[begin:]
	for _, key := range below {
		steps = append(steps, document.Step{Key: key})
	}
	return root.PathText(steps), true
}

// risk is that of one finding; nil where nothing is known.
func (r *rater) risk(f *verdict.Finding, ofSubject bool) *verdict.Risk {
	s := &f.Subject
	key := keyOf(s.APIVersion, s.Kind, s.Namespace, s.Name)
	if ofSubject {
		if edges := r.leaving(r.nodes(key, s)); len(edges) > 0 {
			return r.ofSteps(edges)
		}
	}
	var edges []int32
	if places := r.by[key]; places != nil {
		edges = places.meet(f.Path)
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	if len(edges) > 0 {
		return r.ofSteps(slices.Compact(edges))
	}
	return r.beside(key, s)
}

// leaving are the steps that begin at one of the nodes and end at none.
func (r *rater) leaving(nodes []int32) []int32 {
	var edges []int32
	for _, n := range nodes {
		for _, i := range r.g.out.of(n) {
			if !slices.Contains(nodes, r.g.Edges[i].To) {
				edges = append(edges, i)
			}
		}
	}
	slices.Sort(edges)
	return slices.Compact(edges)
}

// standing is how a step stands between attackers and what they want.
type standing struct {
	// reached and leads are 2 for certain, 1 for perhaps, 0 for no.
	reached, leads int
	weight         int // of the gravest that it leads to
	ways           int // the easiest paths that take it
	joint          bool
	effort         Effort
}

func (r *rater) standing(i int32) standing {
	e := &r.g.Edges[i]
	sure := boolInt(e.Doubt == "")
	s := standing{joint: e.Joint, effort: e.Effort}
	switch {
	case r.front.cost[e.From] != unreached:
		s.reached = 1 + sure
	case r.frontAny.cost[e.From] != unreached:
		s.reached = 1
	}
	for k := range r.sinks {
		v := &r.sinks[k]
		leads := 0
		switch {
		case v.back.cost[e.To] != unreached:
			leads = 1 + sure
		case v.backAny.cost[e.To] != unreached:
			leads = 1
		}
		if leads > s.leads {
			s.leads, s.weight = leads, v.weight
		}
		s.ways += r.paths(v, []int32{i})
	}
	return s
}

// compare is positive where a step matters more than another one.
func (s standing) compare(o standing) int {
	return cmp.Or(
		cmp.Compare(min(s.reached, s.leads), min(o.reached, o.leads)),
		cmp.Compare(s.reached*exposedScore+s.leads*s.weight, o.reached*exposedScore+o.leads*o.weight),
		cmp.Compare(s.ways, o.ways),
		boolInt(o.joint)-boolInt(s.joint),
		cmp.Compare(o.effort, s.effort),
	)
}

// foremost are those of some steps that stand as the best of them does, which is the one to tell of: what
// attackers come to by one and get from another one is no path.
func (r *rater) foremost(edges []int32) (list []int32, first int32) {
	all := make([]standing, len(edges))
	best := 0
	for k, i := range edges {
		all[k] = r.standing(i)
		if all[k].compare(all[best]) > 0 {
			best = k
		}
	}
	for k, i := range edges {
		if all[k].reached == all[best].reached && all[k].leads == all[best].leads {
			list = append(list, i)
		}
	}
	return list, edges[best]
}

// ofSteps is the risk of what is a part of steps.
func (r *rater) ofSteps(edges []int32) *verdict.Risk {
	g := r.g
	edges, first := r.foremost(edges)
	risk := &verdict.Risk{Score: stepScore, Perhaps: true}
	exposed, perhapsExposed := false, false
	for _, i := range edges {
		e := &g.Edges[i]
		sure := e.Doubt == "" && r.front.cost[e.From] != unreached
		exposed = exposed || sure
		perhapsExposed = perhapsExposed || r.frontAny.cost[e.From] != unreached
		risk.Perhaps = risk.Perhaps && !sure
	}
	for i := range r.sinks {
		v := &r.sinks[i]
		leads, perhaps := false, false
		for _, i := range edges {
			e := &g.Edges[i]
			leads = leads || e.Doubt == "" && v.back.cost[e.To] != unreached
			perhaps = perhaps || v.backAny.cost[e.To] != unreached
		}
		if !leads && (!perhaps || !risk.Perhaps) {
			continue
		}
		if len(risk.LeadsTo) == 0 {
			risk.Score += v.weight
		}
		risk.LeadsTo = append(risk.LeadsTo, v.kind.String())
		if leads && exposed {
			risk.Paths += r.paths(v, edges)
			risk.Needed = risk.Needed || r.needed(v, edges)
		}
	}
	if exposed || perhapsExposed {
		risk.ExposedFrom = []string{Internet.String()}
		risk.Score += exposedScore
	}
	if risk.Paths > 0 {
		risk.Score += easiestScore + min(mostWays, bits.Len(uint(risk.Paths))-1) //nolint:gosec // a count
	}
	if risk.Needed {
		risk.Score += neededScore
	}
	risk.Perhaps = risk.Perhaps && perhapsExposed
	if risk.Perhaps {
		risk.Score /= 2
	}
	if len(risk.ExposedFrom)+len(risk.LeadsTo) == 0 {
		return nil
	}
	risk.Why = r.whyStep(risk, first)
	return risk
}

// paths counts the ways in whose easiest path to a sink takes one of the edges, which are in order.
func (r *rater) paths(v *sinkView, edges []int32) int {
	n := 0
	for _, i := range edges {
		e := &r.g.Edges[i]
		switch {
		case e.Doubt != "" || v.back.cost[e.To] == unreached || r.later(v, e.To, edges):
		case e.From == r.entry && v.first[e.To] == i:
			n++
		case v.back.by[e.From] == i:
			n += v.ways[e.From]
		}
	}
	return n
}

// later says whether the easiest path from a node takes one of the edges: what comes that way is
// counted there.
func (r *rater) later(v *sinkView, from int32, edges []int32) bool {
	for at := from; v.back.by[at] >= 0; at = r.g.Edges[v.back.by[at]].To {
		if _, takes := slices.BinarySearch(edges, v.back.by[at]); takes {
			return true
		}
	}
	return false
}

// needed says whether the internet does not lead to the sink without the edges. Only those of the easiest
// path can be.
func (r *rater) needed(v *sinkView, edges []int32) bool {
	takes := func(i int32) bool { _, found := slices.BinarySearch(edges, i); return found }
	if !slices.ContainsFunc(v.best, takes) {
		return false
	}
	key := fmt.Sprint(v.kind, edges)
	known, seen := r.needs[key]
	if seen {
		return known
	}
	if r.tests++; r.tests > mostNeeds {
		return false
	}
	without := r.g.search([]int32{r.entry}, least, false, func(i int32) bool {
		return v.back.cost[r.g.Edges[i].To] == unreached || takes(i)
	})
	known = !slices.ContainsFunc(v.nodes, func(n int32) bool { return without.cost[n] != unreached })
	r.needs[key] = known
	return known
}

func (r *rater) whyStep(risk *verdict.Risk, first int32) string {
	var b strings.Builder
	b.WriteString("a step of attackers: " + r.g.Edges[first].title())
	if len(risk.ExposedFrom) > 0 {
		b.WriteString("; reached from " + Node{Kind: Internet}.Title())
	} else {
		b.WriteString("; nothing is known to lead there from the internet")
	}
	if len(risk.LeadsTo) > 0 {
		b.WriteString("; leads to " + strings.Join(risk.LeadsTo, ", "))
	}
	if risk.Paths > 0 {
		b.WriteString("; " + count(risk.Paths, "easiest path takes it", "easiest paths take it"))
	}
	if risk.Needed {
		b.WriteString(", and without it there is none from the internet to one of these")
	}
	if risk.Perhaps {
		b.WriteString("; all of that rests on something that was not seen")
	}
	return b.String()
}

// title is the step's, or what a joint is.
func (e *Edge) title() string {
	if e.Step == nil {
		return "a part of something larger"
	}
	return e.Step.Title
}

// beside is the risk of what stands in a container that attackers come to, or from which they get on.
func (r *rater) beside(key objectKey, s *verdict.Subject) *verdict.Risk {
	risk := &verdict.Risk{}
	for _, n := range r.nodes(key, s) {
		if r.front.cost[n] != unreached {
			risk.ExposedFrom = []string{Internet.String()}
		}
		for i := range r.sinks {
			if word := r.sinks[i].kind.String(); r.sinks[i].back.cost[n] != unreached && !slices.Contains(risk.LeadsTo, word) {
				risk.LeadsTo = append(risk.LeadsTo, word)
			}
		}
	}
	var words []string
	if len(risk.ExposedFrom) > 0 {
		risk.Score += besideExposed
		words = append(words, "attackers from the internet come there")
	}
	if len(risk.LeadsTo) > 0 {
		risk.Score += besideLeads
		words = append(words, "from there they come to "+strings.Join(risk.LeadsTo, ", "))
	}
	if len(words) == 0 {
		return nil
	}
	risk.Why = strings.Join(words, "; ")
	return risk
}

// nodes are those that a finding's subject is.
func (r *rater) nodes(key objectKey, s *verdict.Subject) []int32 {
	var list []int32
	add := func(n Node) {
		if i, known := r.g.index[n]; known {
			list = append(list, i)
		}
	}
	if n, isWorkload := r.names[key]; isWorkload {
		if s.Container != "" {
			add(Node{Container, n.Namespace, n.Name, s.Container})
			return list
		}
		add(n)
		for _, p := range r.g.World.named()[n] {
			for _, b := range p.Containers {
				add(b.Node)
			}
		}
		return list
	}
	switch {
	case s.Kind == "ServiceAccount" && key.group == "":
		add(Account(s.Namespace, s.Name))
	case s.Kind == "Secret" && key.group == "":
		add(SecretNode(s.Namespace, s.Name))
	case strings.HasSuffix(s.Kind, "RoleBinding"):
		for _, n := range r.bound(key) {
			add(n)
		}
	}
	return list
}

// bound are the subjects of a binding.
func (r *rater) bound(key objectKey) []Node {
	if r.holders == nil {
		r.holders = map[objectKey][]Node{}
		for _, b := range r.g.World.Rights.Bindings() {
			k := keyOf(b.Object.APIVersion, b.Object.Kind, b.Object.Namespace, b.Object.Name)
			for i := range b.Subjects {
				r.holders[k] = append(r.holders[k], HolderOf(&b.Subjects[i]))
			}
		}
	}
	return r.holders[key]
}
