package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

const mutatingPlan = `
apiVersion: coaming.dev/v1alpha1
kind: Enforcement
spec:
  mode: off
  rules:
  - {rules: [seccomp-missing, capabilities-not-dropped, memory-limit-missing], namespaces: [shop], mode: enforce}
  mutations:
    defaults: [{rules: [seccomp-missing, privilege-escalation, capabilities-not-dropped, service-account-token-unused], namespaces: [shop, corpus]}]
    resources: [{requests: {cpu: 50m, memory: 64Mi}, limits: {memory: 256Mi}, namespaces: [shop, corpus]}]
    sidecars:
    - {template: audit-forwarder, values: {image: "registry.example.com/fluent-bit:4"}, namespaces: [shop, corpus]}
    - {template: falco-agent, values: {image: "registry.example.com/falco:1"}, namespaces: [shop, corpus]}
`

// workloads are what carries pods, as a webhook's rules name it.
const workloads = `
  - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods, replicationcontrollers, podtemplates]}
  - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments, replicasets, statefulsets, daemonsets]}
  - {apiGroups: [batch], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [jobs, cronjobs]}`

// registerMutating has the API server ask the gate first what is to be changed and then what it thinks of that. It asks
// again where somebody else has changed the object since.
func (g *runningGate) registerMutating(t *testing.T, s *sandbox) {
	t.Helper()
	bundle := base64.StdEncoding.EncodeToString(g.bundle)
	for kind, path := range map[string]string{"Mutating": "mutate", "Validating": "validate"} {
		again := ""
		if kind == "Mutating" {
			again = "  reinvocationPolicy: IfNeeded\n"
		}
		s.apply(t, fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: %[1]sWebhookConfiguration
metadata: {name: coaming-gate}
webhooks:
- name: %[2]s.coaming.dev
  clientConfig: {url: "https://%[3]s/%[2]s", caBundle: %[4]s}
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 10
%[5]s  rules:%[6]s
`, kind, path, g.address, bundle, again, workloads))
	}
}

// dry asks the API server what it would store of an object.
func (s *sandbox) dry(t *testing.T, object string) (string, error) {
	t.Helper()
	out, message, err := s.Kubectl(t, object, "--kubeconfig="+s.Kubeconfig, "create", "--dry-run=server", "-o", "json", "-f", "-")
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, message)
	}
	return out, nil
}

// TestGateMutates has the real API server ask the gate what to change, stores it, and looks at what is there.
func TestGateMutates(t *testing.T) {
	s := startSandbox(t)
	for _, namespace := range []string{"shop", "elsewhere"} {
		s.apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: "+namespace+"}}")
		s.apply(t, "{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: "+namespace+"}}")
	}
	g := startGate(t, s, mutatingPlan)
	g.registerMutating(t, s)
	pod := func(namespace, annotations string) string {
		return `{apiVersion: v1, kind: Pod, metadata: {name: app, namespace: ` + namespace + `, annotations: {` + annotations + `}}, spec: ` + plainPod + `}`
	}
	eventually(t, "the API server asks the gate", func() bool {
		made, err := s.dry(t, pod("shop", ""))
		return err == nil && strings.Contains(made, "falco-agent@")
	})
	// A policy of somebody else's, behind which the gate is asked again: that changes nothing more.
	s.apply(t, `
apiVersion: v1
kind: List
items:
- apiVersion: admissionregistration.k8s.io/v1
  kind: MutatingAdmissionPolicy
  metadata: {name: somebody}
  spec:
    matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}
    reinvocationPolicy: IfNeeded
    mutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: "Object{metadata: Object.metadata{labels: {'somebody': 'was here'}}}"}}]
- apiVersion: admissionregistration.k8s.io/v1
  kind: MutatingAdmissionPolicyBinding
  metadata: {name: somebody}
  spec: {policyName: somebody}
`)
	eventually(t, "somebody else changes pods, too", func() bool {
		made, err := s.dry(t, pod("elsewhere", ""))
		return err == nil && strings.Contains(made, "was here")
	})
	s.wantMade(t, "a pod", pod("shop", ""), true)
	s.wantMade(t, "elsewhere", pod("elsewhere", ""), false)
	if made, err := s.dry(t, pod("shop", `coaming.dev/mutate: "off"`)); err == nil || !strings.Contains(err.Error(), "seccomp-missing") {
		t.Errorf("who refuses to be changed is not judged: %v %s", err, made)
	}
	// What is stored is what was judged, and sending it once more changes nothing.
	s.apply(t, pod("shop", ""))
	stored := s.kubectl(t, "-n", "shop", "get", "pod", "app", "-o", "json")
	for _, want := range []string{"audit-forwarder@", `"RuntimeDefault"`, `"memory": "256Mi"`, "rule seccomp-missing: ", `"was here"`} {
		if !strings.Contains(stored, want) {
			t.Errorf("there is no %s in %s", want, stored)
		}
	}
	// A deployment's template gets what is its own, and its ReplicaSet is left as its controller made it.
	s.apply(t, deployment("shop", "app", plainPod))
	if made := s.kubectl(t, "-n", "shop", "get", "deployment", "app", "-o", "json"); !strings.Contains(made, "RuntimeDefault") || strings.Contains(made, "falco-agent@") {
		t.Errorf("the deployment is %s", made)
	}
	// Somebody changes a sidecar that runs: the gate tells.
	message, err := s.try(t, "", "-n", "shop", "set", "image", "pod/app", "audit-forwarder=registry.example.com/fluent-bit:3")
	if err != nil || !strings.Contains(message, "has drifted") {
		t.Errorf("a changed sidecar: %v %s", err, message)
	}
}

// wantMade demands that the API server stores a pod with every mutation once, or with none.
func (s *sandbox) wantMade(t *testing.T, name, object string, changed bool) {
	t.Helper()
	made, err := s.dry(t, object)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	for _, part := range []string{`"name": "audit-forwarder"`, `"name": "falco-agent"`, `"RuntimeDefault"`, `"coaming.dev/mutations"`} {
		if n := strings.Count(made, part); (n > 0) != changed || n > 1 && strings.Contains(part, "name") {
			t.Errorf("%s: %d times %s in %s", name, n, part, made)
		}
	}
}

// TestMutationsKeepObjectsValid sends everything of the corpus that carries pods to the real API server, as it is and past the gate: what
// it takes without the gate it takes with it.
func TestMutationsKeepObjectsValid(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("no corpus of manifests: ", err)
	}
	s := startSandbox(t)
	for _, namespace := range []string{"plain", "corpus"} {
		s.apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: "+namespace+"}}")
		s.apply(t, "{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: "+namespace+"}}")
	}
	g := startGate(t, s, mutatingPlan)
	g.registerMutating(t, s)
	eventually(t, "the API server asks the gate", func() bool {
		made, err := s.dry(t, `{apiVersion: v1, kind: Pod, metadata: {name: app, namespace: corpus}, spec: `+plainPod+`}`)
		return err == nil && strings.Contains(made, "falco-agent@")
	})
	client := s.client(t).RESTClient()
	taken, changed := 0, 0
	for _, one := range corpusWorkloads(t) {
		send := func(namespace string, body []byte) ([]byte, error) {
			return client.Post().AbsPath(one.path(namespace)).Param("dryRun", "All").SetHeader("Content-Type", "application/json").Body(body).DoRaw(t.Context())
		}
		if _, err := send("plain", one.in("plain")); err != nil {
			continue // a fault of its own
		}
		taken++
		made, err := send("corpus", one.in("corpus"))
		if err != nil {
			t.Errorf("%s: taken as it is, and refused past the gate: %s", one.file, made)
			continue
		}
		if strings.Contains(string(made), `"coaming.dev/mutations"`) {
			changed++
		}
	}
	t.Logf("%d taken, %d of them changed", taken, changed)
	if taken < 100 || changed < 80 {
		t.Errorf("too little was tried: %d taken, %d changed", taken, changed)
	}
}

// carrier is an object of the corpus that carries pods.
type carrier struct {
	file     string
	resource string
	object   map[string]any
}

func (c *carrier) path(namespace string) string {
	version, _ := c.object["apiVersion"].(string)
	root := "/apis/" + version
	if version == "v1" {
		root = "/api/v1"
	}
	return root + "/namespaces/" + namespace + "/" + c.resource
}

// in is the object in a namespace, with the account that is there.
func (c *carrier) in(namespace string) []byte {
	metadata, _ := c.object["metadata"].(map[string]any)
	metadata["namespace"] = namespace
	text, err := json.Marshal(c.object)
	if err != nil {
		panic(err) // it was read of JSON
	}
	return text
}

var carriers = map[string]string{
	"Pod": "pods", "ReplicationController": "replicationcontrollers", "Deployment.apps": "deployments", "ReplicaSet.apps": "replicasets",
	"StatefulSet.apps": "statefulsets", "DaemonSet.apps": "daemonsets", "Job.batch": "jobs", "CronJob.batch": "cronjobs",
}

// corpusWorkloads reads them, and makes a pod of each template, too.
func corpusWorkloads(t *testing.T) []*carrier {
	t.Helper()
	var list []*carrier
	err := filepath.WalkDir(corpus, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		docs, _ := document.Read(document.NewText(string(text)), 1) // templates of Helm are no YAML
		for _, doc := range docs {
			o := fact.NewObject(doc.Root(), &fact.Origin{})
			resource := carriers[o.GroupKind()]
			if resource == "" {
				continue
			}
			whole := &carrier{file: path, resource: resource}
			if json.Unmarshal(o.Root.AppendJSON(nil), &whole.object) != nil || whole.object["metadata"] == nil {
				continue
			}
			list = append(list, whole)
			for _, w := range fact.NewInventory([]*fact.Object{o}, "", false).Workloads {
				metadata, spec := map[string]any{}, map[string]any{}
				if o.Kind == "Pod" || json.Unmarshal(w.Template.Get("spec").AppendJSON(nil), &spec) != nil {
					continue
				}
				if m := w.Template.Get("metadata"); m.Kind() == document.Map && json.Unmarshal(m.AppendJSON(nil), &metadata) != nil {
					continue
				}
				metadata["name"] = "pod"
				delete(spec, "serviceAccountName") // an account that is not here
				delete(spec, "serviceAccount")
				list = append(list, &carrier{file: path + " (its pod)", resource: "pods", object: map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
