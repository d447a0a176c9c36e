package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/source"
)

// accessQueries is how many random questions are put to the API server and to the models of its rights.
const accessQueries = 20_000

// TestAccess asks the API server itself who may do what: SubjectAccessReviews of random subjects, verbs,
// resources, names and namespaces, over generated roles and bindings, those of real projects, and those
// that ship with Kubernetes. Two models answer the same: one of a snapshot of the cluster, and one of the
// manifests with what the product knows to ship.
func TestAccess(t *testing.T) {
	s := startSandbox(t)
	client := s.client(t)
	g := &rights{random: rand.New(rand.NewPCG(20, 36))}
	objects := s.create(t, client, append(g.generate(), corpusRights(t)...))
	files := rbac.New(rbac.Input{Inventory: fact.NewInventory(objects, "1.36", false), Shipped: catalog.Shipped()})
	s.settle(t, client, files)
	live, archive := s.model(t)

	queries := g.questions(files, objects)
	answers := review(t, client, queries)
	counts := map[string]int{}
	for i := range queries {
		q := &queries[i]
		counts[fmt.Sprintf("allowed %t", answers[i])]++
		if got := live.Decide(&q.id, &q.query); got != verdictOf(answers[i]) {
			t.Errorf("snapshot: %s, the API server says allowed %t: %s", got, answers[i], q)
		}
		switch got := files.Decide(&q.id, &q.query); {
		case got == rbac.Unknown:
			counts["unknown in files"]++
			if reasons := files.Can(&q.id, &q.query).Reasons; len(reasons) == 0 || !strings.Contains(reasons[0], "is not in what was read") {
				t.Errorf("files: unknown for another reason than a role that is not there: %q: %s", reasons, q)
			}
		case got != verdictOf(answers[i]):
			t.Errorf("files: %s, the API server says allowed %t: %s", got, answers[i], q)
		}
		if t.Failed() && i > 2000 {
			t.Fatal("and so on")
		}
	}
	t.Logf("%d questions over %d objects: %v", len(queries), len(objects), counts)
	if counts["allowed true"] < accessQueries/6 || counts["allowed false"] < accessQueries/6 || counts["unknown in files"] > accessQueries/10 {
		t.Errorf("the questions are one-sided: %v", counts)
	}
	t.Run("who can", func(t *testing.T) { whoCanAgrees(t, live, queries) })
	t.Run("cluster", s.asksCluster)
	t.Run("command", func(t *testing.T) { canCommandAgrees(t, archive, queries, answers) })
}

func verdictOf(allowed bool) rbac.Verdict {
	if allowed {
		return rbac.Allowed
	}
	return rbac.Denied
}

// question is one to the API server.
type question struct {
	id    rbac.Identity
	query rbac.Query
}

func (q *question) String() string {
	return fmt.Sprintf("%s in %q: %+v", q.id.User, q.id.Groups, q.query)
}

// review is the question as a SubjectAccessReview.
func (q *question) review() []byte {
	spec := map[string]any{"user": q.id.User, "groups": q.id.Groups}
	if a := &q.query; a.URL != "" {
		spec["nonResourceAttributes"] = map[string]any{"verb": a.Verb, "path": a.URL}
	} else {
		spec["resourceAttributes"] = map[string]any{
			"verb": a.Verb, "group": a.Group, "resource": a.Resource, "subresource": a.Subresource, "name": a.Name, "namespace": a.Namespace,
		}
	}
	body, err := json.Marshal(map[string]any{"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec})
	if err != nil {
		panic(err) // it is made of strings
	}
	return body
}

// review puts every question to the API server.
func review(t *testing.T, client *discovery.DiscoveryClient, queries []question) []bool {
	t.Helper()
	answers := make([]bool, len(queries))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(queries) || t.Failed() {
					return
				}
				raw, err := client.RESTClient().Post().AbsPath("/apis/authorization.k8s.io/v1/subjectaccessreviews").
					SetHeader("Content-Type", "application/json").Body(queries[i].review()).Do(t.Context()).Raw()
				var answer struct{ Status struct{ Allowed bool } }
				if err == nil {
					err = json.Unmarshal(raw, &answer)
				}
				if err != nil {
					t.Errorf("%s: %v", &queries[i], err)
				}
				answers[i] = answer.Status.Allowed
			}
		})
	}
	wg.Wait()
	return answers
}

// create makes the objects, and returns those that the API server takes, with the namespaces that they ask for.
func (s *sandbox) create(t *testing.T, client *discovery.DiscoveryClient, objects []*fact.Object) []*fact.Object {
	t.Helper()
	made := map[string]bool{}
	post := func(path string, body []byte) error {
		err := client.RESTClient().Post().AbsPath(path).SetHeader("Content-Type", "application/json").Body(body).Do(t.Context()).Error()
		return err
	}
	var taken []*fact.Object
	for _, o := range objects {
		if o.Namespace != "" && !made[o.Namespace] {
			made[o.Namespace] = true
			body := fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, o.Namespace)
			if err := post("/api/v1/namespaces", body); err != nil && !apierrors.IsAlreadyExists(err) {
				t.Fatal(err)
			}
		}
		path := "/apis/rbac.authorization.k8s.io/v1/" + strings.ToLower(o.Kind) + "s"
		if o.Namespace != "" {
			path = "/apis/rbac.authorization.k8s.io/v1/namespaces/" + o.Namespace + "/" + strings.ToLower(o.Kind) + "s"
		}
		if err := post(path, o.Root.AppendJSON(nil)); err != nil {
			if !apierrors.IsAlreadyExists(err) && !apierrors.IsInvalid(err) {
				t.Fatalf("%s %s/%s: %v", o.Kind, o.Namespace, o.Name, err)
			}
			continue
		}
		taken = append(taken, o)
	}
	if len(taken) < len(objects)*9/10 {
		t.Fatalf("the API server took %d of %d objects", len(taken), len(objects))
	}
	return taken
}

// settle waits until the controller has aggregated all roles, and until the authorizer has seen the last binding.
func (s *sandbox) settle(t *testing.T, client *discovery.DiscoveryClient, files *rbac.Model) {
	t.Helper()
	late := time.Now().Add(patience)
	for tick := time.NewTicker(200 * time.Millisecond); ; <-tick.C {
		var wrong []string
		raw, err := client.RESTClient().Get().AbsPath("/apis/rbac.authorization.k8s.io/v1/clusterroles").Do(t.Context()).Raw()
		if err != nil {
			t.Fatal(err)
		}
		docs, _ := document.Read(document.NewText(string(raw)), 1)
		for _, stored := range docs[0].Root().Get("items").Items() {
			name := stored.At("metadata", "name").Str()
			rules, doubts := files.RulesOf(files.ClusterRole(name))
			var want, got []string
			for _, r := range rules {
				want = append(want, canonicalRule(r.Value))
			}
			for _, r := range stored.Get("rules").Items() {
				got = append(got, canonicalRule(r))
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) || len(doubts) > 0 {
				wrong = append(wrong, fmt.Sprintf("%s: %d rules stored, %d in effect by the manifests, doubts %q", name, len(got), len(want), doubts))
			}
		}
		if len(wrong) == 0 {
			break
		}
		if time.Now().After(late) {
			t.Fatalf("the cluster's roles are not what the manifests say:\n%s", strings.Join(wrong, "\n"))
		}
	}
	canary := question{id: rbac.User("canary"), query: rbac.Query{Verb: "get", Resource: "pods"}}
	s.apply(t, `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: canary},
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: canary}]}`)
	eventually(t, "the authorizer sees the last binding", func() bool { return review(t, client, []question{canary})[0] })
}

// canonicalRule is a rule without what the API server leaves out or fills in.
func canonicalRule(v document.Value) string {
	r := rbac.Rule{Value: v}
	return fmt.Sprintf("%q %q %q %q %q", r.Texts("verbs"), r.Texts("apiGroups"), r.Texts("resources"), r.Texts("resourceNames"), r.Texts("nonResourceURLs"))
}

// model reads the cluster as a person would, into a snapshot.
func (s *sandbox) model(t *testing.T) (model *rbac.Model, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "cluster.coaming")
	wantCode(t, coaming(t, "snapshot", "-o", path, "--kubeconfig", s.Kubeconfig), 0)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	reading, err := source.ReadArchive(file, path, source.ArchiveLimits{Bytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	return rbac.New(rbac.Input{Inventory: fact.NewInventory(reading.Objects, reading.Version, reading.Live), Gaps: reading.Coverage.Gaps}), path
}

// corpusRights is the roles and bindings of real projects, where their manifests are at hand.
func corpusRights(t *testing.T) []*fact.Object {
	t.Helper()
	if _, err := os.Stat(corpus); err != nil {
		t.Log("no manifests of real projects are at hand: generated ones and those that ship alone")
		return nil
	}
	reading, err := source.Files(t.Context(), source.FileOptions{Paths: []string{corpus}, MaxFile: 64 << 20, MaxTotal: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	var list []*fact.Object
	seen := map[string]bool{}
	for _, o := range reading.Objects {
		key := o.GroupKind() + "/" + o.Namespace + "/" + o.Name
		if !slices.Contains(rbac.Kinds, o.GroupKind()) || o.APIVersion != "rbac.authorization.k8s.io/v1" || o.Doubt != "" || seen[key] {
			continue
		}
		if namespaced := o.Kind == "Role" || o.Kind == "RoleBinding"; namespaced != (o.Namespace != "") || bytes.Contains(o.Root.AppendJSON(nil), []byte("{{")) {
			continue // the namespace is left open, or a template
		}
		seen[key] = true
		list = append(list, o)
	}
	t.Logf("%d roles and bindings of real projects", len(list))
	return list
}

// whoCanAgrees holds the list of holders to the answers about each of them.
func whoCanAgrees(t *testing.T, live *rbac.Model, queries []question) {
	holders := 0
	for i := range queries[:2000] {
		q := queries[i].query
		found := live.WhoCan(&q)
		if len(found.Perhaps)+len(found.Reasons) > 0 {
			t.Errorf("%+v: perhaps %d, reasons %q", q, len(found.Perhaps), found.Reasons)
		}
		member := false
		for k := range found.Holders {
			h := &found.Holders[k]
			id := h.Subject.Identity()
			holders++
			if q.Namespace == "" && !h.Everywhere {
				continue // in some namespaces, which the query does not name
			}
			if live.Decide(&id, &q) != rbac.Allowed {
				t.Errorf("%+v: %+v is listed and may not", q, h.Subject)
			}
			asked := &queries[i].id
			member = member || h.Subject.Kind == rbac.GroupKind && slices.Contains(asked.Groups, h.Subject.Name) || h.Subject.Kind != rbac.GroupKind && id.User == asked.User
		}
		if may := live.Decide(&queries[i].id, &q) == rbac.Allowed; may != member && !queries[i].id.IsMaster() {
			t.Errorf("%s: may %t, among the holders %t", &queries[i], may, member)
		}
	}
	t.Logf("%d holders", holders)
}

// canCommandAgrees asks the command itself some of the questions.
func canCommandAgrees(t *testing.T, archive string, queries []question, answers []bool) {
	asked := 0
	for i := range queries {
		q := &queries[i]
		if !strings.HasPrefix(q.query.URL, "/") || q.id.User == "" || asked == 30 {
			continue
		}
		asked++
		args := []string{"can", "user:" + q.id.User, q.query.Verb, q.query.URL, archive}
		for _, group := range q.id.Groups {
			args = append(args, "--group", group)
		}
		want := 1
		if answers[i] {
			want = 0
		}
		if o := coaming(t, args...); o.code != want {
			t.Errorf("coaming %q: exit code %d, want %d\n%s%s", args, o.code, want, o.stdout, o.stderr)
		}
	}
}

// asksCluster asks a live cluster, as one who may read all and as one who may not.
func (s *sandbox) asksCluster(t *testing.T) {
	s.kubectl(t, "create", "clusterrole", "see-roles", "--verb=list", "--resource=roles.rbac.authorization.k8s.io,clusterroles.rbac.authorization.k8s.io,clusterrolebindings.rbac.authorization.k8s.io")
	s.kubectl(t, "create", "clusterrolebinding", "see-roles", "--clusterrole=see-roles", "--user=onlooker")
	onlooker := s.User(t, "--user", "onlooker")
	for name, test := range map[string]struct {
		kubeconfig string
		args       []string
		want       int
	}{
		"yes":                       {s.Kubeconfig, []string{"can", "user:onlooker", "list", "roles"}, 0},
		"no":                        {s.Kubeconfig, []string{"can", "user:onlooker", "list", "rolebindings.rbac.authorization.k8s.io"}, 1},
		"yes, whatever else is":     {onlooker, []string{"can", "user:onlooker", "list", "roles", "-n", "red"}, 0},
		"not known":                 {onlooker, []string{"can", "user:onlooker", "update", "secrets", "-n", "red"}, 3},
		"of no namespace: no":       {onlooker, []string{"can", "user:onlooker", "sign", "signers"}, 1},
		"somebody, all listed":      {s.Kubeconfig, []string{"who-can", "list", "clusterroles"}, 0},
		"somebody, perhaps others":  {onlooker, []string{"who-can", "get", "secrets", "-n", "red"}, 3},
		"an identity":               {s.Kubeconfig, []string{"identity", "user:onlooker"}, 0},
		"an identity, not all seen": {onlooker, []string{"identity", "user:onlooker"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			o := coaming(t, append(test.args, "--cluster", "--kubeconfig", test.kubeconfig)...)
			if o.code != test.want || o.stderr != "" {
				t.Errorf("exit code %d, want %d\n%s%s", o.code, test.want, o.stdout, o.stderr)
			}
		})
	}
}
