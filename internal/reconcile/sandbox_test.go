package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/policy"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/apiserver"
)

const (
	home   = "coaming-system"
	keeper = "coaming-gate-test"
)

// cluster is an API server with a reconciler, whose words reach it through a wire that can be cut, and who has the rights of
// rightsOf and no others.
type cluster struct {
	*apiserver.Sandbox
	t      *testing.T
	wire   *wire
	config string // the reconciler's kubeconfig
	folder string // where the ConfigMap's files are mounted

	mu      sync.Mutex
	wanted  *Wanted
	changed chan struct{}
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	s := apiserver.Start(t)
	server, err := url.Parse(s.Server)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{Sandbox: s, t: t, wire: newWire(t, server.Host), config: s.User(t, "--user", keeper), changed: make(chan struct{}, 1), folder: t.TempDir()}
	c.kubectl("", "create", "namespace", home)
	c.kubectl("", "create", "configmap", ConfigName, "-n", home, "--from-literal=plan.yaml=first")
	c.mount("first")
	c.grant(map[string][]string{"validatingwebhookconfigurations": {"coaming-gate"}}, false)
	return c
}

// mount brings the text of a plan into the folder, as a kubelet does.
func (c *cluster) mount(text string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.folder, "plan.yaml"), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) kubectl(stdin string, args ...string) string {
	c.t.Helper()
	out, message, err := c.Kubectl(c.t, stdin, append([]string{"--kubeconfig=" + c.Kubeconfig}, args...)...)
	if err != nil {
		c.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, message)
	}
	return out
}

// try is what kubectl complains of.
func (c *cluster) try(stdin string, args ...string) string {
	_, message, _ := c.Kubectl(c.t, stdin, append([]string{"--kubeconfig=" + c.Kubeconfig}, args...)...)
	return message
}

// grant gives the reconciler's user what rightsOf says.
func (c *cluster) grant(guarded map[string][]string, repair bool) {
	c.t.Helper()
	rights := rightsOf(home, guarded, repair)
	subject := []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: keeper}}
	about := func(kind, namespace string) (metav1.TypeMeta, metav1.ObjectMeta) {
		return metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: kind}, metav1.ObjectMeta{Name: keeper, Namespace: namespace}
	}
	var list []any
	kind, meta := about("ClusterRole", "")
	list = append(list, rbacv1.ClusterRole{TypeMeta: kind, ObjectMeta: meta, Rules: rights.Everywhere})
	kind, meta = about("ClusterRoleBinding", "")
	list = append(list, rbacv1.ClusterRoleBinding{TypeMeta: kind, ObjectMeta: meta, Subjects: subject, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: keeper}})
	for namespace, rules := range rights.In {
		kind, meta = about("Role", namespace)
		list = append(list, rbacv1.Role{TypeMeta: kind, ObjectMeta: meta, Rules: rules})
		kind, meta = about("RoleBinding", namespace)
		list = append(list, rbacv1.RoleBinding{TypeMeta: kind, ObjectMeta: meta, Subjects: subject, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: keeper}})
	}
	for _, o := range list {
		raw, err := json.Marshal(o)
		if err != nil {
			c.t.Fatal(err)
		}
		c.kubectl(string(raw), "apply", "-f", "-")
	}
}

// want changes what is wanted.
func (c *cluster) want(change func(*Wanted)) {
	c.mu.Lock()
	next := *c.wanted
	change(&next)
	c.wanted = &next
	c.mu.Unlock()
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

func plan(t *testing.T, spec string) *enforcement.Plan {
	t.Helper()
	p, err := enforcement.Read("plan.yaml", "apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nmetadata: {name: default}\nspec:\n"+spec)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func rules(t *testing.T, ids ...string) (list []*rule.Rule) {
	t.Helper()
	all, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		for _, id := range ids {
			if r.ID == id {
				list = append(list, r)
			}
		}
	}
	return list
}

// run runs a reconciler until stop.
func (c *cluster) run(identity string, repair bool) (r *Reconciler, stop func()) {
	c.t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", c.config)
	if err != nil {
		c.t.Fatal(err)
	}
	config.Host = "https://" + c.wire.address
	config.Timeout = 10 * time.Second
	r, err = New(Options{
		Config: config, Namespace: home, Identity: identity, Repair: repair, Changed: c.changed, Lead: 3 * time.Second,
		Mounts: []Mount{{ConfigMap: ConfigName, Folder: c.folder}},
		Log:    slog.New(slog.NewTextHandler(c.t.Output(), nil)),
		Wanted: func(context.Context) (*Wanted, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.wanted, nil
		},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(c.t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			c.t.Errorf("run: %v", err)
		}
	}
	c.t.Cleanup(stop)
	return r, stop
}

func (c *cluster) eventually(what string, done func() bool) time.Duration {
	c.t.Helper()
	begun := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		if time.Since(begun) > time.Minute {
			c.t.Fatalf("waited in vain: %s", what)
		}
		<-tick.C
	}
	return time.Since(begun)
}

const (
	hostile = `{apiVersion: v1, kind: Pod, metadata: {name: hostile, namespace: shop}, spec: {hostPID: true, containers: [{name: a, image: a}]}}`
	refusal = "host-pid: "
	enforce = "  mode: enforce\n  onError: fail\n  quotas: [{namespaces: [shop, \"team-*\"], hard: {pods: 20}, limitRange: {default: {cpu: 500m}}}]\n"
)

func (c *cluster) refuses() bool {
	return strings.Contains(c.try(hostile, "create", "--dry-run=server", "-f", "-"), refusal)
}

// policyOf is the name of the policy that a rule is in.
func (c *cluster) policyOf(rule string) string {
	c.t.Helper()
	list, _ := policy.Planned(c.wanted.Rules, c.wanted.Plan, policy.Options{Version: catalog.Newest})
	for _, held := range list {
		if slices.Contains(held.Rules, rule) {
			return held.Name
		}
	}
	c.t.Fatalf("%s is in no policy", rule)
	return ""
}

// TestReconcile keeps a real API server's objects through what happens to them.
func TestReconcile(t *testing.T) {
	c := startCluster(t)
	c.wanted = &Wanted{Rules: rules(t, "host-pid", "privileged-container", "binding-everyone"), Plan: plan(t, enforce), Lifetime: 24 * time.Hour}
	c.kubectl("", "create", "namespace", "shop")
	c.kubectl(`{apiVersion: v1, kind: ResourceQuota, metadata: {name: own, namespace: shop, labels: {app.kubernetes.io/managed-by: coaming}}, spec: {hard: {pods: "9"}}}`, "apply", "-f", "-")
	hostPID, everyone := c.policyOf("host-pid"), c.policyOf("binding-everyone")
	if hostPID != c.policyOf("privileged-container") {
		t.Error("rules that hold alike are in several policies")
	}
	r, stop := c.run("one", false)
	c.eventually("what is wanted is enforced", func() bool { return c.refuses() })
	c.eventually("quotas are there", func() bool {
		return strings.Contains(c.try("", "get", "limitrange", "coaming", "-n", "shop", "-o", "yaml")+c.kubectl("", "get", "resourcequota,limitrange", "-n", "shop", "-o", "yaml"), `pods: "20"`)
	})

	t.Run("deleted", func(t *testing.T) {
		c.kubectl("", "delete", "validatingadmissionpolicybinding", hostPID+"-enforce")
		took := c.eventually("the binding is back", func() bool {
			return !strings.Contains(c.try("", "get", "validatingadmissionpolicybinding", hostPID+"-enforce"), "NotFound")
		})
		t.Logf("restored in %s", took.Round(100*time.Millisecond))
	})
	t.Run("edited", func(t *testing.T) {
		for name, edit := range map[string][]string{
			"a condition that never holds": {"validatingadmissionpolicy", hostPID, `{"spec":{"matchConditions":[{"name":"never","expression":"false"}]}}`},
			"warns only":                   {"validatingadmissionpolicybinding", hostPID + "-enforce", `{"spec":{"validationActions":["Warn"]}}`},
			"its label":                    {"validatingadmissionpolicybinding", hostPID + "-enforce", `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"me","coaming.dev/kept-by":null}}}`},
			"an object selector":           {"validatingadmissionpolicybinding", everyone + "-enforce", `{"spec":{"matchResources":{"objectSelector":{"matchLabels":{"a":"b"}}}}}`},
		} {
			before := r.Counts()
			c.kubectl("", "patch", edit[0], edit[1], "--type=merge", "-p", edit[2])
			took := c.eventually(name+" is restored", func() bool { return total(r.Counts().Restored) > total(before.Restored) })
			t.Logf("%s: restored in %s", name, took.Round(100*time.Millisecond))
		}
		c.kubectl("", "patch", "resourcequota", "coaming", "-n", "shop", "--type=merge", "-p", `{"spec":{"hard":{"pods":"2000"}}}`)
		c.eventually("the quota is restored", func() bool {
			return strings.Contains(c.kubectl("", "get", "resourcequota", "coaming", "-n", "shop", "-o", "yaml"), `pods: "20"`)
		})
		c.eventually("it refuses", c.refuses)
		// What another has added by server-side apply, which our own applying leaves alone.
		c.kubectl(`{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: `+hostPID+`}, spec: {matchConditions: [{name: sneaky, expression: "false"}]}}`,
			"apply", "--server-side", "--field-manager=sneaky", "-f", "-")
		c.eventually("what was added is gone", func() bool {
			return !strings.Contains(c.kubectl("", "get", "validatingadmissionpolicy", hostPID, "-o", "yaml"), `expression: "false"`)
		})
		c.eventually("it refuses", c.refuses)
	})
	t.Run("new namespace", func(t *testing.T) {
		c.kubectl("", "create", "namespace", "team-a")
		c.eventually("it has a quota", func() bool { return c.try("", "get", "resourcequota", "coaming", "-n", "team-a") == "" })
		if message := c.try("", "get", "resourcequota", "coaming", "-n", "default"); !strings.Contains(message, "NotFound") {
			t.Error("a namespace has a quota that the plan has none for")
		}
	})
	t.Run("may not be written", func(t *testing.T) {
		names := func() string {
			return c.kubectl("", "get", "validatingadmissionpolicies,validatingadmissionpolicybindings", "-l", KeptBy+"="+Keeper, "-o", "name")
		}
		before, writable := names(), map[string][]string{"resourcequotas": {"coaming"}, "limitranges": {"coaming"}}
		for line := range strings.Lines(before) {
			resource, name, _ := strings.Cut(strings.TrimSpace(line), "/")
			resource, _, _ = strings.Cut(resource, ".")
			plural := strings.TrimSuffix(strings.TrimSuffix(resource, "y"), "ie") + "ies"
			if strings.HasSuffix(resource, "binding") {
				plural = resource + "s"
			}
			writable[plural] = append(writable[plural], name)
		}
		// Each of these wants policies of other names, which who installed has given no right to write.
		for what, change := range map[string]func(*Wanted){
			"another plan": func(w *Wanted) {
				w.Plan = plan(t, strings.Replace(enforce, "onError: fail", "onError: ignore", 1))
			},
			"an exception": func(w *Wanted) {
				w.Exceptions = []verdict.Exception{{
					Rules: []string{"host-pid"}, Selector: verdict.Selector{Kind: "Pod", Name: "another"}, Namespace: "shop", Owner: "ann", Reason: "known", Expires: time.Now().Add(time.Hour),
				}}
			},
		} {
			first := *c.wanted
			c.want(func(w *Wanted) { w.Writable = writable; change(w) })
			c.eventually(what+": what cannot be done is told", func() bool { return len(r.Counts().Undone) > 0 })
			passed := r.Counts().Passed
			c.want(func(*Wanted) {})
			c.eventually("it was looked at once more", func() bool { return r.Counts().Passed.After(passed) })
			if after := names(); after != before {
				t.Errorf("%s: there was\n%s\nand there is\n%s", what, before, after)
			}
			if !c.refuses() {
				t.Errorf("%s: what was refused is not", what)
			}
			c.want(func(w *Wanted) { *w = first })
			c.eventually("nothing is left to do", func() bool { return len(r.Counts().Undone) == 0 })
		}
	})
	t.Run("files of yesterday", func(t *testing.T) {
		c.kubectl("", "patch", "configmap", ConfigName, "-n", home, "--type=merge", "-p", `{"data":{"plan.yaml":"second"}}`)
		c.kubectl("", "label", "validatingadmissionpolicybinding", hostPID+"-enforce", "of=another-plan", "app.kubernetes.io/managed-by=who-installs", "--overwrite")
		c.want(func(w *Wanted) { w.Plan = plan(t, "  mode: \"off\"\n") })
		time.Sleep(3 * retry / 2) //nolint:forbidigo // nothing is waited for: nothing may happen
		if text := c.kubectl("", "get", "validatingadmissionpolicybinding", hostPID+"-enforce", "-o", "yaml"); !strings.Contains(text, "managed-by: who-installs") {
			t.Errorf("somebody with the files of an earlier plan has taken back what the new one brought:\n%s", text)
		}
		c.want(func(w *Wanted) { w.Plan = plan(t, enforce) })
		c.mount("second")
		c.eventually("it is kept again", func() bool {
			return strings.Contains(c.kubectl("", "get", "validatingadmissionpolicybinding", hostPID+"-enforce", "-o", "yaml"), "managed-by: coaming")
		})
	})
	t.Run("labels that only who installs may write", func(t *testing.T) {
		c.want(func(w *Wanted) {
			w.Plan = plan(t, enforce+"  podSecurity: [{namespaces: [\"team-*\", kube-system], enforce: baseline, warn: restricted, version: latest}]\n")
		})
		says := func(want string) func() bool {
			return func() bool { return strings.Join(r.Counts().Undone, "; ") == want }
		}
		const lacks = " lacks labels of the plan, pod-security.kubernetes.io/enforce-version=latest and pod-security.kubernetes.io/enforce=baseline and " +
			"pod-security.kubernetes.io/warn-version=latest and pod-security.kubernetes.io/warn=restricted"
		c.eventually("it is told of the namespace that is there", says("namespace team-a"+lacks))
		c.kubectl("", "create", "namespace", "team-b")
		c.eventually("it is told of a new one", says("namespace team-a"+lacks+"; namespace team-b"+lacks))
		for _, name := range []string{"team-a", "team-b"} {
			c.kubectl("", "label", "namespace", name, "pod-security.kubernetes.io/enforce=baseline", "pod-security.kubernetes.io/enforce-version=latest",
				"pod-security.kubernetes.io/warn=restricted", "pod-security.kubernetes.io/warn-version=latest")
		}
		c.eventually("nothing is left", says(""))
		c.kubectl("", "label", "--overwrite", "namespace", "team-b", "pod-security.kubernetes.io/enforce=privileged")
		c.eventually("it is told of one that is relabelled", says("namespace team-b lacks labels of the plan, pod-security.kubernetes.io/enforce=baseline"))
		c.eventually("there is an Event of it", func() bool {
			return strings.Contains(c.kubectl("", "get", "events", "-n", home, "-o", "json"), "namespace team-b lacks labels of the plan, pod-security.kubernetes.io/enforce=baseline; run")
		})
		if label := c.kubectl("", "get", "namespace", "team-b", "-o", "yaml"); !strings.Contains(label, "enforce: privileged") {
			t.Error("the gate wrote a namespace")
		}
		c.kubectl("", "delete", "namespace", "team-b", "--wait=false")
		c.eventually("of one that goes nothing is asked", says(""))
	})
	t.Run("no longer wanted", func(t *testing.T) {
		c.want(func(w *Wanted) {
			w.Plan = plan(t, "  mode: enforce\n  onError: fail\n  rules: [{rules: [binding-everyone], mode: \"off\"}, {rules: [privileged-container], mode: warn}]\n")
		})
		c.eventually("what is off is gone", func() bool {
			list := c.kubectl("", "get", "validatingadmissionpolicies,validatingadmissionpolicybindings,resourcequotas,limitranges", "-A", "-o", "name")
			return !strings.Contains(list, everyone) && strings.Contains(list, hostPID+"-enforce") && strings.Contains(list, c.policyOf("privileged-container")+"-warn") &&
				!strings.Contains(list, "/coaming\n") && strings.Contains(list, "resourcequota/own")
		})
	})
	t.Run("an exception ends", func(t *testing.T) {
		end := time.Now().Add(12 * time.Second)
		c.want(func(w *Wanted) {
			w.Exceptions = []verdict.Exception{{
				Rules: []string{"host-pid"}, Selector: verdict.Selector{Kind: "Pod", Name: "hostile"}, Namespace: "shop", Owner: "ann", Reason: "known", Expires: end,
			}}
		})
		c.eventually("it is excused", func() bool { return !c.refuses() })
		c.eventually("its end is in no policy any more", func() bool {
			return !strings.Contains(c.kubectl("", "get", "validatingadmissionpolicies", "-o", "yaml"), "exception-1-until")
		})
		if late := time.Since(end); late < 0 || late > 10*time.Second {
			t.Errorf("it was removed %s after its end", late)
		}
		c.eventually("it is refused", c.refuses)
	})
	t.Run("told of webhooks", func(t *testing.T) {
		hook := webhook(t)
		c.want(func(w *Wanted) { w.Guarded = []*unstructured.Unstructured{hook} })
		c.eventually("it is missing", func() bool {
			return strings.Contains(fmt.Sprint(r.Counts().Drift), "coaming-gate:missing")
		})
		raw, _ := hook.MarshalJSON()
		c.kubectl(string(raw), "apply", "-f", "-")
		c.eventually("it is there", func() bool { return len(r.Counts().Drift) == 0 })
		c.kubectl("", "patch", "validatingwebhookconfiguration", "coaming-gate", "--type=json", "-p", `[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Fail"}]`)
		c.eventually("it is edited", func() bool { return strings.Contains(fmt.Sprint(r.Counts().Drift), "failurePolicy") })
		c.eventually("an Event tells", func() bool {
			return strings.Contains(c.kubectl("", "get", "events", "-n", home, "-o", "yaml"), "reason: Drift")
		})
	})
	t.Run("the server goes away", func(t *testing.T) {
		c.wire.cut()
		c.kubectl("", "delete", "validatingadmissionpolicybinding", hostPID+"-enforce")
		c.eventually("it notices", func() bool { return !r.Counts().Leading })
		c.wire.mend()
		took := c.eventually("the binding is back", func() bool {
			return !strings.Contains(c.try("", "get", "validatingadmissionpolicybinding", hostPID+"-enforce"), "NotFound")
		})
		t.Logf("restored %s after the server was back", took.Round(100*time.Millisecond))
	})
	t.Run("at rest", func(t *testing.T) {
		before := c.versions()
		time.Sleep(5 * time.Second) //nolint:forbidigo // nothing is waited for: nothing may happen
		if after := c.versions(); after != before {
			t.Errorf("objects are written though nothing happens:\n%s\n%s", before, after)
		}
	})
	t.Run("another takes over, and nobody", func(t *testing.T) {
		two, stopTwo := c.run("two", true)
		c.grant(map[string][]string{"validatingwebhookconfigurations": {"coaming-gate"}}, true)
		stop()
		c.eventually("the other leads", func() bool { return two.Counts().Leading })
		c.eventually("the webhook is restored by who may", func() bool {
			return strings.Contains(c.kubectl("", "get", "validatingwebhookconfiguration", "coaming-gate", "-o", "yaml"), "failurePolicy: Ignore")
		})
		c.kubectl("", "delete", "validatingwebhookconfiguration", "coaming-gate")
		c.eventually("the webhook is made anew", func() bool {
			return !strings.Contains(c.try("", "get", "validatingwebhookconfiguration", "coaming-gate"), "NotFound")
		})
		stopTwo()
		if !c.refuses() {
			t.Error("without any reconciler nothing is enforced")
		}
	})
}

// versions are the resource versions of what is kept.
func (c *cluster) versions() string {
	return c.kubectl("", "get", "validatingadmissionpolicies,validatingadmissionpolicybindings,resourcequotas,limitranges", "-A", "-l", KeptBy+"="+Keeper,
		"-o", `jsonpath={range .items[*]}{.metadata.name}={.metadata.resourceVersion}{"\n"}{end}`)
}

func total(m map[string]uint64) (n uint64) {
	for _, v := range m {
		n += v
	}
	return n
}

func read(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
}

func webhook(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	return read(t, `{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingWebhookConfiguration","metadata":{"name":"coaming-gate"},"webhooks":[{
		"name":"gate.coaming.dev","admissionReviewVersions":["v1"],"sideEffects":"None","failurePolicy":"Ignore","timeoutSeconds":2,
		"clientConfig":{"url":"https://127.0.0.1:9/validate/ignore"},"namespaceSelector":{"matchLabels":{"nowhere":"true"}},
		"rules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE"],"resources":["pods"]}]}]}`)
}

// wire carries connections to a server until it is cut.
type wire struct {
	address string

	mu    sync.Mutex
	whole bool
	open  map[net.Conn]bool
}

func newWire(t *testing.T, server string) *wire {
	t.Helper()
	var l net.ListenConfig
	listener, err := l.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	w := &wire{address: listener.Addr().String(), whole: true, open: map[net.Conn]bool{}}
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			var d net.Dialer
			out, err := d.DialContext(t.Context(), "tcp", server)
			if err != nil || !w.carry(in, out) {
				_ = in.Close()
			}
		}
	}()
	return w
}

func (w *wire) carry(in, out net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.whole {
		_ = out.Close()
		return false
	}
	w.open[in], w.open[out] = true, true
	for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].Close()
		}()
	}
	return true
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.whole = false
	for c := range w.open {
		_ = c.Close()
	}
	w.open = map[net.Conn]bool{}
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.whole = true
}
