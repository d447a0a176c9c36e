package webhook

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/gate"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// Examples are those of the catalogue's rules, about which a gate and scans are asked.
type Examples struct {
	t     testing.TB
	Rules []*rule.Compiled
	// Counts tell what was compared, and what was not and why.
	Counts map[string]int
	// Sent is told of every object that the gate was asked about; nil for nobody.
	Sent func(c *Case)

	asked   []*rule.Compiled // those that a gate asks
	byID    map[string]*rule.Compiled
	cluster *cluster
	servers map[string]*Server // by version and settings of examples
}

// Case is one object of an example, with what scan and gate say of it.
type Case struct {
	Rule   *rule.Compiled
	Name   string // of the example: "bad 0"
	Object *fact.Object
	// Told is set where the example is judged for another version than the newest, or with settings.
	Told bool
	// Scan and Gate are the verdicts other than pass, by rule.
	Scan, Gate map[string]string
}

// NewExamples takes those of the whole catalogue.
func NewExamples(t testing.TB) *Examples {
	t.Helper()
	all, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	x := &Examples{t: t, byID: map[string]*rule.Compiled{}, cluster: &cluster{ranging: map[string]bool{}}, servers: map[string]*Server{}, Counts: map[string]int{}}
	if x.Rules, err = catalog.Compile(all); err != nil {
		t.Fatal(err)
	}
	for _, r := range x.Rules {
		x.byID[r.ID] = r
		if why := admission.Unjudged(r); why != "" {
			x.Counts["rules that the gate does not ask: "+why]++
			continue
		}
		x.Counts["rules that the gate asks"]++
		x.asked = append(x.asked, r)
		for _, kind := range judge.Everywhere(r) {
			x.cluster.ranging[kind] = true
		}
	}
	return x
}

// Compare sends every object of every example to a gate over TLS, with the example's other objects as its cluster, and demands of every
// rule that is asked the verdict of a scan of the example.
func (x *Examples) Compare() {
	x.t.Helper()
	for _, r := range x.Rules {
		for i, e := range r.Bad {
			x.example(r, fmt.Sprintf("bad %d", i), true, e)
		}
		for i, e := range r.Good {
			x.example(r, fmt.Sprintf("good %d", i), false, e)
		}
	}
}

// Tell logs what was counted.
func (x *Examples) Tell() {
	x.t.Helper()
	for _, what := range slices.Sorted(maps.Keys(x.Counts)) {
		x.t.Logf("%6d %s", x.Counts[what], what)
	}
}

// example sends every object of one example.
func (x *Examples) example(r *rule.Compiled, name string, bad bool, e rule.Example) {
	x.t.Helper()
	if r.Match.Fact == "image" || r.Match.Fact == "cluster" {
		x.Counts["examples that are no objects: "+r.Match.Fact]++
		return
	}
	var objects []*fact.Object
	for _, v := range e {
		objects = append(objects, stored(x.t, v))
	}
	found, meant, sent := false, false, 0
	for _, o := range objects {
		if why := unsendable(o); why != "" {
			x.Counts["objects not sent: "+why]++
			continue
		}
		c := x.ask(r, name, objects, o)
		if system(o) {
			x.Counts["objects that the gate leaves alone: they stand in a namespace of the system"]++
			if len(c.Gate) > 0 {
				x.t.Errorf("%s, %s: the gate judges what is of the system", r.ID, name)
			}
			continue
		}
		sent++
		x.agree(c)
		found = found || c.Gate[r.ID] != "" && admission.Unjudged(r) == ""
		meant = meant || c.Scan[r.ID] != "" && admission.Unjudged(r) == ""
		if x.Sent != nil {
			x.Sent(c)
		}
	}
	switch {
	case admission.Unjudged(r) != "" || sent < len(objects):
	case meant != bad:
		x.Counts["examples that mean a manifest, and say otherwise of an object on a server"]++
	case found != bad:
		x.t.Errorf("%s, %s: the gate finds a fault: %t", r.ID, name, found)
	default:
		x.Counts["examples judged as they are meant"]++
	}
}

// ask asks a scan of all objects and a gate about one of them.
func (x *Examples) ask(r *rule.Compiled, name string, objects []*fact.Object, o *fact.Object) *Case {
	x.t.Helper()
	version := cmp.Or(r.ExampleVersion, catalog.Newest)
	key := fmt.Sprintf("%s %+v", version, r.Settings)
	s := x.servers[key]
	if s == nil {
		s = Serve(x.t, everyRule, admission.Options{Rules: x.Rules, Settings: r.Settings, Version: version, Surroundings: x.cluster}, gate.Limits{})
		x.servers[key] = s
		x.Counts["gates, by version and settings of examples"]++
	}
	x.cluster.objects = slices.DeleteFunc(slices.Clone(objects), func(other *fact.Object) bool { return other == o })
	return &Case{
		Rule: r, Name: name, Object: o, Told: key != fmt.Sprintf("%s %+v", catalog.Newest, rule.Settings{}),
		Scan: x.scan(r, objects, o, version), Gate: s.send(x.t, o),
	}
}

// agree demands that scan and gate say the same of one object.
func (x *Examples) agree(c *Case) {
	x.t.Helper()
	for id := range c.Gate {
		if x.byID[id] == nil {
			x.t.Errorf("%s, %s: the gate notes %q", c.Rule.ID, c.Name, id)
		}
	}
	for _, one := range x.asked {
		ours, theirs := c.Scan[one.ID], c.Gate[one.ID]
		if ours != theirs {
			x.t.Errorf("%s, %s, %s %s: %s: a scan says %q, the gate %q", c.Rule.ID, c.Name, c.Object.Kind, c.Object.Name, one.ID, ours, theirs)
		}
		x.Counts["verdicts of scan and gate that agree"]++
		if ours != "" {
			x.Counts["faults that scan and gate agree on"]++
		}
	}
}

// unsendable is why nobody can ask an API server to make an object; "" where one can.
func unsendable(o *fact.Object) string {
	switch {
	case catalog.Hidden(o.GroupKind()) != "":
		return catalog.Hidden(o.GroupKind())
	case o.Root.At("metadata", "uid").Exists():
		return "the example is as a server holds it, which nobody creates"
	case o.Root.At("metadata", "deletionTimestamp").Exists():
		return "it is being deleted"
	}
	return ""
}

// system says whether nothing holds where an object is.
func system(o *fact.Object) bool {
	name := o.Namespace
	if o.GroupKind() == "Namespace" {
		name = o.Name
	}
	return slices.Contains(enforcement.SystemNamespaces, name)
}

// stored is an object as the API server hands it on: in a namespace where its kind has one.
func stored(t testing.TB, v document.Value) *fact.Object {
	t.Helper()
	o := fact.NewObject(v, &fact.Origin{})
	if o.Namespace != "" || fact.ClusterScoped(o.GroupKind()) {
		return o
	}
	var content map[string]any
	if err := json.Unmarshal(v.AppendJSON(nil), &content); err != nil {
		t.Fatal(err)
	}
	about, _ := content["metadata"].(map[string]any)
	if about == nil {
		about = map[string]any{}
		content["metadata"] = about
	}
	about["namespace"] = "default"
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	doc, bad := document.ParseJSON(string(text))
	if bad != nil {
		t.Fatal(bad.Message)
	}
	return fact.NewObject(doc.Root(), &fact.Origin{})
}

// scan is what a scan of all objects finds of one, by rule: the worst of its verdicts.
func (x *Examples) scan(r *rule.Compiled, objects []*fact.Object, about *fact.Object, version string) map[string]string {
	res := judge.Judge(judge.Input{
		Inventory: fact.NewInventory(objects, version, true), Rules: x.asked, Settings: r.Settings, Now: time.Now(), Terse: true,
		About: func(o *fact.Object) bool { return o == about },
	})
	found := map[string]string{}
	for i := range res.Findings {
		f := &res.Findings[i]
		if found[f.Rule] == "" || f.Verdict == verdict.Fail {
			found[f.Rule] = f.Verdict.String()
		}
	}
	return found
}
