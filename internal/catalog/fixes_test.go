package catalog_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	kuberuntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/fix"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// exampleFile is the one file that an example is written into.
const exampleFile = "example.yaml"

// unproved are the bad examples whose fix cannot be proved, by rule and index, each with its reason.
var unproved = map[string]string{
	"role-read-secrets/1": "the rule of the role is about secrets alone: what whoever holds it needs instead, nobody can know",
	"api-deprecated/0":    "Endpoints become several EndpointSlices, which the control plane makes itself",
	"api-deprecated/1":    "the fields of a ResourceClaim changed from version to version",
	"api-removed/0":       "PodSecurityPolicy has no successor",
}

// exampleCourt judges an example as text, by every rule.
type exampleCourt struct {
	rule  *rule.Compiled
	rules []*rule.Compiled
	text  string
}

// objects are those of a text, as a scan of the file reads them.
func (c *exampleCourt) objects(text string) ([]*fact.Object, error) {
	docs, errs := document.Read(document.NewText(text), 1)
	if len(errs) > 0 {
		return nil, errs[0]
	}
	var objects []*fact.Object
	for _, d := range docs {
		objects = append(objects, fact.NewObject(d.Root(), &fact.Origin{Source: "files", File: exampleFile}))
	}
	return objects, nil
}

func (c *exampleCourt) judge(text string) (*verdict.Result, []fix.Proposal, error) {
	objects, err := c.objects(text)
	if err != nil {
		return nil, nil, err
	}
	version := catalog.Newest
	if c.rule.ExampleVersion != "" {
		version = c.rule.ExampleVersion
	}
	var mutex sync.Mutex
	var proposals []fix.Proposal
	res := judge.Judge(judge.Input{
		Inventory: fact.NewInventory(objects, version, false), Rules: c.rules, Settings: c.rule.Settings, Now: now, Width: 1,
		Propose: func(p judge.Proposal) {
			mutex.Lock()
			defer mutex.Unlock()
			proposals = append(proposals, fix.Proposal(p))
		},
	})
	return res, proposals, nil
}

// Judge judges a copy of the example.
func (c *exampleCourt) Judge(_ context.Context, changed fix.Copy) (*verdict.Result, []fix.Proposal, error) {
	text := c.text
	if now, found := changed.Files[exampleFile]; found {
		text = now
	}
	return c.judge(text)
}

// TestFixes demands of every rule with a fix that it is proved on each of the rule's bad examples:
// the finding goes, no rule finds anything new, what the API server's types took before they still
// take, and a second run finds nothing to do. Of a choice every candidate is tried that is offered.
func TestFixes(t *testing.T) {
	rules := compiled(t)
	unused := map[string]bool{}
	for name := range unproved {
		unused[name] = true
	}
	tried := 0
	for _, r := range rules {
		if len(r.Fix) == 0 {
			continue
		}
		t.Run(r.ID, func(t *testing.T) {
			for i, e := range r.Bad {
				var parts []string
				for _, v := range e {
					parts = append(parts, document.YAML(v))
				}
				c := &exampleCourt{rule: r, rules: rules, text: strings.Join(parts, "---\n")}
				name := r.ID + "/" + strconv.Itoa(i)
				tried++
				delete(unused, name)
				if problem := c.prove(t); (problem == "") == (unproved[name] != "") {
					t.Errorf("bad example %d: %s (exception: %q)\n%s", i, problem, unproved[name], c.text)
				}
			}
		})
	}
	for name := range unused {
		t.Errorf("%s is excepted, and no bad example", name)
	}
	if tried < 400 {
		t.Errorf("%d bad examples were fixed: the catalogue holds more", tried)
	}
}

// prove says what is wrong with the fix of the example; "" when nothing is.
func (c *exampleCourt) prove(t *testing.T) string {
	t.Helper()
	before, all, err := c.judge(c.text)
	if err != nil {
		t.Fatal(err)
	}
	own := slices.DeleteFunc(all, func(p fix.Proposal) bool { return p.Finding.Rule != c.rule.ID })
	for n := 0; ; n++ {
		cases := fix.Collect(slices.Clone(own), func(o *fact.Object, changes []rule.Change) ([]fix.Route, string) {
			return []fix.Route{{Edits: []fix.Edit{{Place: fix.PlaceOf(o), Changes: changes}}}}, ""
		})
		res, err := fix.Prove(t.Context(), cases, before, c, fix.Options{Choose: func(_ *fix.Case, list []fix.Candidate) int {
			if n < len(list) && list[n].Proved {
				return n
			}
			return slices.IndexFunc(list, func(c fix.Candidate) bool { return c.Proved })
		}})
		if err != nil {
			t.Fatal(err)
		}
		more := false
		for _, o := range res.Outcomes {
			if o.State != fix.Proved {
				return string(o.State) + ": " + o.Reason
			}
			more = more || n+1 < o.Choices
		}
		if len(res.Files) != 1 {
			return "nothing is changed"
		}
		after := res.Files[0].After
		if problem := c.holds(t, after); problem != "" {
			return problem + ":\n" + after
		}
		if !more {
			return ""
		}
	}
}

// holds says what is wrong with a fixed text; "" when nothing is.
func (c *exampleCourt) holds(t *testing.T, after string) string {
	t.Helper()
	_, proposals, err := c.judge(after)
	if err != nil {
		return err.Error()
	}
	if slices.ContainsFunc(proposals, func(p fix.Proposal) bool { return p.Finding.Rule == c.rule.ID }) {
		return "a second run would fix more"
	}
	was, is := decoded(t, c.text), decoded(t, after)
	for name, err := range is {
		if old, known := was[name]; err != nil && (!known || old == nil) {
			return "its type no longer takes it: " + err.Error()
		}
	}
	return ""
}

// decoded is, by kind and name, what the strict decoder of the API server's types says of the objects of
// a text; of kinds that it does not know it says nothing.
func decoded(t *testing.T, text string) map[string]error {
	t.Helper()
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{Yaml: true, Strict: true})
	said := map[string]error{}
	docs, errs := document.Read(document.NewText(text), 1)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, d := range docs {
		root := d.Root()
		_, _, err := strict.Decode([]byte(document.YAML(root)), nil, nil)
		if kuberuntime.IsNotRegisteredError(err) || kuberuntime.IsMissingKind(err) || kuberuntime.IsMissingVersion(err) {
			continue
		}
		said[root.Get("kind").Str()+" "+root.At("metadata", "namespace").Str()+"/"+root.At("metadata", "name").Str()] = err
	}
	return said
}
