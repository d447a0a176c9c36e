// Package chartjudge asks helm's own program, and cert-manager's own definitions, about the chart: what helm installs is what 'coaming
// install' applies, on a real API server. A module of its own, so that their dependencies stay out of the product.
package chartjudge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"sigs.k8s.io/yaml"

	"github.com/coaming/coaming/test/apiserver"
)

const (
	chart     = "../../deploy/chart"
	namespace = "coaming-system"
	digest    = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	image     = "ghcr.io/coaming/coaming@" + digest
)

// helm is the path of helm's program, built from its module.
var helm string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "chartjudge")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		helm = filepath.Join(dir, "helm")
		build := exec.Command("go", "build", "-o", helm, "helm.sh/helm/v4/cmd/helm")
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "build helm:", err)
			return 1
		}
		return m.Run()
	}())
}

// object is an object of a cluster as it is written.
type object map[string]any

func (o object) at(keys ...string) any {
	var v any = map[string]any(o)
	for _, key := range keys {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

func (o object) key() string {
	return fmt.Sprintf("%v %v/%v", o["kind"], o.at("metadata", "namespace"), o.at("metadata", "name"))
}

func program(t *testing.T, name, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+t.TempDir(), "HELM_CONFIG_HOME="+t.TempDir(), "HELM_DATA_HOME="+t.TempDir())
	var out, message bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &message
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(name), strings.Join(args, " "), err, out.String(), message.String())
	}
	return out.String()
}

func coaming(t *testing.T, args ...string) string {
	t.Helper()
	path := os.Getenv("COAMING_BIN")
	if path == "" {
		t.Skip("COAMING_BIN does not name a built coaming (make judge-chart builds one)")
	}
	return program(t, path, "", args...)
}

func parse(t *testing.T, text string) map[string]object {
	t.Helper()
	all := map[string]object{}
	for _, doc := range strings.Split("\n"+text, "\n---") {
		var o object
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		if len(o) > 0 {
			all[o.key()] = plain(o)
		}
	}
	return all
}

// plain is an object without what tells who applied it and what a cluster makes anew for each.
func plain(o object) object {
	text, _ := json.Marshal(o)
	var copied object
	_ = json.Unmarshal(text, &copied)
	delete(copied, "status")
	meta, _ := copied["metadata"].(map[string]any)
	for _, key := range []string{"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"} {
		delete(meta, key)
	}
	for _, place := range [][]string{{"metadata", "labels"}, {"spec", "template", "metadata", "labels"}} {
		if labels, ok := copied.at(place...).(map[string]any); ok {
			delete(labels, "app.kubernetes.io/managed-by")
		}
	}
	if annotations, ok := meta["annotations"].(map[string]any); ok {
		maps.DeleteFunc(annotations, func(key string, _ any) bool {
			return strings.HasPrefix(key, "meta.helm.sh/") || strings.HasPrefix(key, "deployment.kubernetes.io/")
		})
		if len(annotations) == 0 {
			delete(meta, "annotations")
		}
	}
	if spec, ok := copied["spec"].(map[string]any); ok && copied["kind"] == "Service" {
		delete(spec, "clusterIP")
		delete(spec, "clusterIPs")
	}
	if webhooks, ok := copied["webhooks"].([]any); ok {
		for _, w := range webhooks {
			if client, ok := w.(map[string]any)["clientConfig"].(map[string]any); ok {
				delete(client, "caBundle") // each makes an authority of its own
			}
		}
	}
	if copied["kind"] == "ConfigMap" {
		data, _ := copied["data"].(map[string]any)
		if text, ok := data["guarded.yaml"].(string); ok {
			data["guarded.yaml"] = guarded(text)
		}
		for _, key := range []string{"plan.yaml", "rights.yaml"} {
			if text, ok := data[key].(string); ok {
				var v any
				_ = yaml.Unmarshal([]byte(text), &v)
				data[key] = v
			}
		}
	}
	return copied
}

// guarded are the objects in the text that the gate watches over.
func guarded(text string) any {
	var list []any
	for _, doc := range strings.Split("\n"+text, "\n---") {
		var o object
		if yaml.Unmarshal([]byte(doc), &o) == nil && len(o) > 0 {
			list = append(list, map[string]any(plain(o)))
		}
	}
	return list
}

// sets are the values by which both are asked; the files say what neither computes.
var sets = map[string]string{
	"as it is":  "",
	"images":    "images: {enabled: always, authSecret: registry, workers: 2, index: {volume: {persistentVolumeClaim: {claimName: advisories, readOnly: true}}}}\n",
	"fetched":   "images: {enabled: always, vex: {ours: \"{}\"}, index: {from: \"https://mirror.example.com/\", key: \"PEM\"}, trust: {policy: \"signers: {}\", files: {a/b.pub: PEM}}}\n",
	"closed":    "plan: {spec: {mode: audit, onError: fail, timeoutSeconds: 3, excludeNamespaces: [ops]}}\nreplicas: 3\n",
	"excused":   "exceptions: |\n  exceptions:\n  - {rules: [privileged-container], selector: {kind: DaemonSet.apps, name: driver}, owner: storage, reason: it mounts disks, expires: 2027-03-31}\n",
	"extra":     "image: {pullSecrets: [pull]}\ngate: {env: [{name: A, value: b}], tolerations: [{operator: Exists}]}\nnetworkPolicy: {metricsFrom: [{podSelector: {}}]}\n",
	"repairing": "gate: {repair: true}\n",
}

// given is a file of values for helm: those of a set, and what 'coaming install' computes by itself.
func given(t *testing.T, set string, installed map[string]object) string {
	t.Helper()
	rights := map[string][]string{}
	resources := map[string]string{
		"ValidatingAdmissionPolicy": "validatingadmissionpolicies", "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
	}
	for _, key := range slices.Sorted(maps.Keys(installed)) {
		o := installed[key]
		if resource := resources[fmt.Sprint(o["kind"])]; resource != "" {
			rights[resource] = append(rights[resource], fmt.Sprint(o.at("metadata", "name")))
		}
	}
	// In the order in which the installation writes them: that of its own role.
	if role, ok := installed["ClusterRole <nil>/coaming-gate"]; ok {
		for _, item := range role["rules"].([]any) {
			r := item.(map[string]any)
			names, _ := r["resourceNames"].([]any)
			if resource := fmt.Sprint(r["resources"].([]any)[0]); len(rights[resource]) > 0 && len(names) == len(rights[resource]) {
				rights[resource] = nil
				for _, name := range names {
					rights[resource] = append(rights[resource], fmt.Sprint(name))
				}
			}
		}
	}
	text, err := yaml.Marshal(map[string]any{"rights": rights})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, append(text, set...), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func valuesFile(t *testing.T, set string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "given.yaml")
	if err := os.WriteFile(file, []byte(set), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLint(t *testing.T) {
	for name, set := range sets {
		t.Run(name, func(t *testing.T) {
			out := program(t, helm, "", "lint", "--strict", chart, "--namespace", namespace, "--values", valuesFile(t, set))
			if !strings.Contains(out, "0 chart(s) failed") {
				t.Errorf("%s", out)
			}
		})
	}
}

// TestTemplate holds what helm renders to what 'coaming install' would apply.
func TestTemplate(t *testing.T) {
	for name, set := range sets {
		t.Run(name, func(t *testing.T) {
			installed := parse(t, coaming(t, "install", "--image", image, "--values", valuesFile(t, set), "--kubernetes-version", "1.36", "--output", "yaml"))
			rendered := parse(t, program(t, helm, "", "template", "coaming", chart, "--namespace", namespace, "--kube-version", "1.36", "--set", "namespace.create=true",
				"--set", "image.digest="+digest, "--values", given(t, set, installed)))
			compare(t, installed, rendered)
		})
	}
}

// compare holds what helm makes to what 'coaming install' does, which makes besides what the plan comes to natively and what it was told.
func compare(t *testing.T, installed, rendered map[string]object) {
	t.Helper()
	compared := 0
	for _, key := range slices.Sorted(maps.Keys(rendered)) {
		want, found := installed[key]
		if !found {
			t.Errorf("helm alone has %s", key)
			continue
		}
		compared++
		a, _ := json.MarshalIndent(want, "", " ")
		b, _ := json.MarshalIndent(rendered[key], "", " ")
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs: %s", key, firstDifference(string(a), string(b)))
		}
	}
	for key := range installed {
		if _, found := rendered[key]; !found && !strings.HasPrefix(key, "ValidatingAdmissionPolicy") && !strings.Contains(key, "/coaming-installation") {
			t.Errorf("helm lacks %s", key)
		}
	}
	if compared < 12 {
		t.Errorf("%d objects compared, which is too few", compared)
	}
}

func firstDifference(a, b string) string {
	left, right := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(left), len(right)) {
		if left[i] != right[i] {
			return fmt.Sprintf("line %d: install has %s, helm %s", i+1, left[i], right[i])
		}
	}
	return fmt.Sprintf("%d lines and %d", len(left), len(right))
}

// kinds are what an installation has, as kubectl names them.
const kinds = "configmaps,services,serviceaccounts,deployments,networkpolicies,poddisruptionbudgets,roles,rolebindings,clusterroles,clusterrolebindings,validatingwebhookconfigurations"

// live are the objects of the chart that a cluster has.
func live(t *testing.T, s *apiserver.Sandbox) map[string]object {
	t.Helper()
	out, message, err := s.Kubectl(t, "", "--kubeconfig="+s.Kubeconfig, "get", kinds, "-A", "-l", "app.kubernetes.io/name=coaming-gate", "-o", "json")
	if err != nil {
		t.Fatalf("%s", message)
	}
	var list struct{ Items []object }
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	all := map[string]object{}
	for _, o := range list.Items {
		if o.at("metadata", "name") != "coaming-installation" {
			all[o.key()] = plain(o)
		}
	}
	return all
}

// TestInstalled installs with helm and then with coaming into a real API server; what is there is the same.
func TestInstalled(t *testing.T) {
	s := apiserver.Start(t)
	file := valuesFile(t, sets["images"])
	coaming(t, "install", "--kubeconfig", s.Kubeconfig, "--image", image, "--values", file, "--wait=false")
	installed := live(t, s)
	coaming(t, "uninstall", "--kubeconfig", s.Kubeconfig)
	rights := parse(t, coaming(t, "install", "--image", image, "--values", file, "--kubernetes-version", "1.36", "--output", "yaml"))
	var ports []string
	for _, o := range installed {
		if o["kind"] == "NetworkPolicy" && o.at("metadata", "name") == "coaming-gate" {
			for _, p := range o.at("spec", "egress").([]any)[0].(map[string]any)["ports"].([]any) {
				ports = append(ports, fmt.Sprint(p.(map[string]any)["port"]))
			}
		}
	}
	program(t, helm, "", "install", "coaming", chart, "--kubeconfig", s.Kubeconfig, "--namespace", namespace, "--create-namespace", "--set", "image.digest="+digest,
		"--set", "networkPolicy.apiServer.ports={"+strings.Join(ports, ",")+"}", "--values", given(t, sets["images"], rights))
	compare(t, installed, live(t, s))
	// The authority that helm made is kept by an upgrade.
	authority := func() string {
		out, message, err := s.Kubectl(t, "", "--kubeconfig="+s.Kubeconfig, "get", "secret", "coaming-gate-ca", "-n", namespace, "-o", "jsonpath={.metadata.resourceVersion}")
		if err != nil || out == "" {
			t.Fatalf("the authority: %s", message)
		}
		return out
	}
	before := authority()
	program(t, helm, "", "upgrade", "coaming", chart, "--kubeconfig", s.Kubeconfig, "--namespace", namespace, "--reuse-values", "--set", "replicas=3")
	if after := authority(); after != before {
		t.Error("helm upgrade made another authority")
	}
	program(t, helm, "", "uninstall", "coaming", "--kubeconfig", s.Kubeconfig, "--namespace", namespace)
	if left := live(t, s); len(left) > 0 {
		t.Errorf("helm uninstall left %d objects", len(left))
	}
}

// TestCertManager applies our Issuers and Certificates to an API server that has cert-manager's own definitions, and reads them strictly as
// its own types.
func TestCertManager(t *testing.T) {
	crds := filepath.Join(strings.TrimSpace(program(t, "go", "", "list", "-m", "-f", "{{.Dir}}", "github.com/cert-manager/cert-manager")), "deploy", "crds")
	s := apiserver.Start(t)
	for _, name := range []string{"certificates", "issuers"} {
		kubectl(t, s, "apply", "--server-side", "-f", filepath.Join(crds, "cert-manager.io_"+name+".yaml"))
		kubectl(t, s, "wait", "--for=condition=Established", "--timeout=30s", "crd/"+name+".cert-manager.io")
	}
	const on = "certificates.certManager.enabled=true"
	deadline := time.Now().Add(30 * time.Second)
	for !strings.Contains(kubectl(t, s, "api-resources", "--api-group=cert-manager.io"), "issuers") && time.Now().Before(deadline) {
		time.Sleep(time.Second)
	}
	coaming(t, "install", "--kubeconfig", s.Kubeconfig, "--image", image, "--set", on, "--wait=false")
	found := map[string]bool{}
	for _, resource := range []string{"issuers", "certificates"} {
		var list struct{ Items []json.RawMessage }
		if err := json.Unmarshal([]byte(kubectl(t, s, "get", resource+".cert-manager.io", "-n", namespace, "-o", "json")), &list); err != nil {
			t.Fatal(err)
		}
		for _, raw := range list.Items {
			var into any = &certmanager.Issuer{}
			if resource == "certificates" {
				into = &certmanager.Certificate{}
			}
			strict := json.NewDecoder(bytes.NewReader(raw))
			strict.DisallowUnknownFields()
			if err := strict.Decode(into); err != nil {
				t.Errorf("%s: %v", resource, err)
			}
			switch o := into.(type) {
			case *certmanager.Issuer:
				found["Issuer "+o.Name] = o.Spec.SelfSigned != nil || o.Spec.CA != nil
			case *certmanager.Certificate:
				found["Certificate "+o.Name] = o.Spec.SecretName != "" && o.Spec.IssuerRef.Name != ""
			}
		}
	}
	for _, want := range []string{"Issuer coaming-gate-self-signed", "Issuer coaming-gate-ca", "Certificate coaming-gate-ca", "Certificate coaming-gate-tls"} {
		if !found[want] {
			t.Errorf("%s is not there, or says nothing: %v", want, found)
		}
	}
	// What cert-manager writes into the configuration is no edit.
	kubectl(t, s, "patch", "validatingwebhookconfiguration", "coaming-gate", "--type=json", "-p", `[{"op":"add","path":"/webhooks/0/clientConfig/caBundle","value":"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1BPT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="}]`)
	path := os.Getenv("COAMING_BIN")
	out, _ := exec.CommandContext(t.Context(), path, "status", "--kubeconfig", s.Kubeconfig).CombinedOutput() // no replica runs here
	if strings.Contains(string(out), "was edited") {
		t.Errorf("status: %s", out)
	}
	coaming(t, "uninstall", "--kubeconfig", s.Kubeconfig)
	if left := kubectl(t, s, "get", "issuers.cert-manager.io,certificates.cert-manager.io", "-A", "-o", "name"); left != "" {
		t.Errorf("left: %s", left)
	}
}

func kubectl(t *testing.T, s *apiserver.Sandbox, args ...string) string {
	t.Helper()
	out, message, err := s.Kubectl(t, "", append([]string{"--kubeconfig=" + s.Kubeconfig}, args...)...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, message)
	}
	return out
}
