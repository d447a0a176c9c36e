package e2e

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/certificate"
)

const (
	gateImage = "example.test/coaming:drill"
	gateUser  = "system:serviceaccount:coaming-system:coaming-gate"

	// drillPlan refuses natively (privileged containers) and by the webhook (pods that no network policy covers, which only
	// other objects tell); in one namespace what cannot be judged passes, in the other it is refused.
	drillPlan = `
apiVersion: coaming.dev/v1alpha1
kind: Enforcement
metadata: {name: drill}
spec:
  mode: off
  rules:
  - {rules: [privileged-container, workload-without-network-policy], namespaces: [open], mode: enforce}
  - {rules: [privileged-container, workload-without-network-policy], namespaces: [shut], mode: enforce, onError: fail}
`
)

// drill is a cluster with a node in which the gate was installed.
type drill struct {
	*field
	image string
	count int
}

// TestGateDrills installs the gate on a real node and then breaks everything that it rests on: what is enforced natively must hold
// throughout, the cluster must go on, and what was broken must be told and mended.
func TestGateDrills(t *testing.T) {
	begun := time.Now()
	d := newDrill(t)
	step := func(name string, run func(t *testing.T)) {
		at := time.Now()
		if !t.Run(name, run) {
			t.FailNow() // what follows rests on it
		}
		t.Logf("%s: %s", name, time.Since(at).Round(100*time.Millisecond))
	}
	step("install", d.installed)
	step("judged", d.judged)
	step("edits are told and taken back", d.edited)
	step("native policies are kept", d.restored)
	step("certificates rotate", d.rotated)
	step("least privilege", d.unprivileged)
	step("both replicas are gone", d.killed)
	step("the certificate ends and is not replaced", d.expired)
	step("edits are repaired where that was asked for", d.repaired)
	step("uninstall without pods", d.uninstalled)
	t.Logf("%s in all", time.Since(begun).Round(time.Second))
}

func newDrill(t *testing.T) *drill {
	t.Helper()
	d := &drill{field: &field{sandbox: startSandbox(t, "--node", "--audit")}}
	d.onNode(t, "load", "--dir", d.Dir, "--image", gateImage, coamingBinary(t))
	for line := range strings.Lines(d.onNode(t, "in", "--dir", d.Dir, "ctr", "--namespace=k8s.io", "images", "list", "name=="+gateImage)) {
		for word := range strings.FieldsSeq(line) {
			if strings.HasPrefix(word, "sha256:") {
				d.image = "example.test/coaming@" + word
			}
		}
	}
	if d.image == "" {
		t.Fatal("the node does not tell the digest of the image")
	}
	d.onNode(t, "in", "--dir", d.Dir, "ctr", "--namespace=k8s.io", "images", "tag", gateImage, d.image)
	for _, name := range []string{"open", "shut"} {
		d.kubectl(t, "create", "namespace", name)
	}
	return d
}

// coaming runs the program against the drill's cluster.
func (d *drill) coaming(t *testing.T, command string, args ...string) outcome {
	t.Helper()
	return coaming(t, append([]string{command, "--kubeconfig", d.Kubeconfig}, args...)...)
}

func (d *drill) install(t *testing.T, args ...string) {
	t.Helper()
	wantCode(t, d.coaming(t, "install", append([]string{"--timeout", "90s"}, args...)...), 0)
}

func (d *drill) installed(t *testing.T) {
	d.install(t, "--image", d.image, "--plan", writeFile(t, "plan.yaml", drillPlan), "--set", "certificates.life=30s", "--set", "image.pullPolicy=Never")
	if ready := d.kubectl(t, "get", "deployment", "coaming-gate", "-n", "coaming-system", "-o", "jsonpath={.status.readyReplicas}"); ready != "2" {
		t.Fatalf("%s replicas are ready, want 2", ready)
	}
	d.status(t, 0, "")
	// Once more: nothing changes, the authority least of all.
	before := d.kubectl(t, "get", "secret", "coaming-gate-ca", "-n", "coaming-system", "-o", "jsonpath={.metadata.resourceVersion}")
	d.install(t)
	if after := d.kubectl(t, "get", "secret", "coaming-gate-ca", "-n", "coaming-system", "-o", "jsonpath={.metadata.resourceVersion}"); after != before {
		t.Error("a second installation replaced the authority")
	}
}

// status asks how the gate stands; it must say so.
func (d *drill) status(t *testing.T, code int, says string) {
	t.Helper()
	o := d.coaming(t, "status")
	if o.code != code || !strings.Contains(o.stdout, says) {
		events := d.kubectl(t, "get", "events", "-n", "coaming-system", "--sort-by=.lastTimestamp", "-o", `jsonpath={range .items[*]}{.lastTimestamp} {.reason}: {.message}{"\n"}{end}`)
		t.Errorf("status: exit code %d, want %d and %q\n%s%s\n%s", o.code, code, says, o.stdout, o.stderr, events)
	}
}

// tried is what becomes of a pod: "" when it is created, else who refused it.
func (d *drill) tried(t *testing.T, namespace string, privileged bool) string {
	t.Helper()
	d.count++
	message, err := d.sandbox.try(t, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: p%d, namespace: %s}
spec:
  containers: [{name: a, image: "example.test/none:1", imagePullPolicy: Never, securityContext: {privileged: %t}}]
`, d.count, namespace, privileged), "create", "-f", "-")
	switch {
	case err == nil:
		return ""
	case strings.Contains(message, "ValidatingAdmissionPolicy"):
		return "native"
	case strings.Contains(message, "failed calling webhook"):
		return "no answer: " + message
	case strings.Contains(message, "admission webhook"):
		return "webhook"
	}
	t.Fatalf("kubectl create: %s", message)
	return ""
}

// holds says what must become of pods in the two namespaces, plain ones and privileged ones.
func (d *drill) holds(t *testing.T, openPlain, shutPlain string) {
	t.Helper()
	for _, c := range []struct {
		namespace  string
		privileged bool
		want       string
	}{{"open", false, openPlain}, {"shut", false, shutPlain}, {"open", true, "native"}, {"shut", true, "native"}} {
		got := d.tried(t, c.namespace, c.privileged)
		if c.privileged && got != "" && got != "native" {
			got = "native" // several refuse, and one speaks: that it holds without the webhook is shown when that is gone
		}
		if got != c.want && (c.want != "no answer" || !strings.HasPrefix(got, c.want)) {
			t.Errorf("a pod in %s (privileged %t): refused by %q, want %q", c.namespace, c.privileged, got, c.want)
		}
	}
}

func (d *drill) judged(t *testing.T) { d.holds(t, "webhook", "webhook") }

func (d *drill) edited(t *testing.T) {
	const configuration = "validatingwebhookconfiguration/coaming-gate"
	d.kubectl(t, "patch", configuration, "--type=json", "-p", `[{"op":"add","path":"/webhooks/0/objectSelector/matchLabels","value":{"judge":"me"}}]`)
	d.status(t, 1, "was edited: webhooks[0].objectSelector")
	d.told(t, "Drift")
	d.counted(t, "coaming_keeper_drifting 1")
	d.install(t)
	d.well(t)
	d.kubectl(t, "delete", configuration)
	d.status(t, 1, "ValidatingWebhookConfiguration coaming-gate was deleted")
	d.install(t)
	d.well(t)
	d.holds(t, "webhook", "webhook")
}

// well waits until the replicas, too, have seen that all is as it was installed.
func (d *drill) well(t *testing.T) {
	t.Helper()
	within(t, 30*time.Second, "status finds nothing", func() bool { return d.coaming(t, "status").code == 0 })
}

// repaired edits and deletes the webhook configuration of a gate that was told to repair: it is restored without anybody's doing.
func (d *drill) repaired(t *testing.T) {
	const configuration = "validatingwebhookconfiguration/coaming-gate"
	whole := d.kubectl(t, "get", configuration, "-o", "jsonpath={.webhooks}")
	restored := func(what string) {
		t.Helper()
		begun := time.Now()
		within(t, 30*time.Second, what+" is taken back", func() bool {
			out, _, err := d.Kubectl(t, "", "--kubeconfig="+d.Kubeconfig, "get", configuration, "-o", "jsonpath={.webhooks}")
			return err == nil && out == whole
		})
		t.Logf("%s was taken back within %s", what, time.Since(begun).Round(100*time.Millisecond))
	}
	d.kubectl(t, "patch", configuration, "--type=json", "-p", `[{"op":"add","path":"/webhooks/0/objectSelector/matchLabels","value":{"judge":"me"}}]`)
	restored("an edit")
	d.kubectl(t, "patch", configuration, "--type=json", "-p", `[{"op":"remove","path":"/webhooks/1"}]`)
	restored("the removal of a webhook")
	d.kubectl(t, "delete", configuration)
	restored("the deletion")
	d.told(t, "Restored")
	d.counted(t, `coaming_keeper_restored_total{kind="ValidatingWebhookConfiguration"} `)
	within(t, 60*time.Second, "it is asked again", func() bool { return d.tried(t, "open", false) == "webhook" })
	d.holds(t, "webhook", "webhook")
	d.status(t, 0, "")
	d.may(t, "yes", "update", "validatingwebhookconfigurations/coaming-gate")
	d.may(t, "no", "update", "validatingwebhookconfigurations/others")
	d.may(t, "no", "update", "mutatingwebhookconfigurations/coaming-gate")
}

// counted waits until one of the replicas has a figure.
func (d *drill) counted(t *testing.T, figure string) {
	t.Helper()
	within(t, 30*time.Second, "a replica tells "+figure, func() bool {
		for pod := range strings.FieldsSeq(d.kubectl(t, "get", "pods", "-n", "coaming-system", "-l", "app.kubernetes.io/name=coaming-gate", "-o", "jsonpath={.items[*].metadata.name}")) {
			text, _, err := d.Kubectl(t, "", "--kubeconfig="+d.Kubeconfig, "get", "--raw", "/api/v1/namespaces/coaming-system/pods/"+pod+":8080/proxy/metrics")
			if err == nil && strings.Contains(text, "\n"+figure) {
				return true
			}
		}
		return false
	})
}

// told waits for an Event of that reason.
func (d *drill) told(t *testing.T, reason string) {
	t.Helper()
	within(t, 60*time.Second, "an Event "+reason, func() bool {
		return strings.Contains(d.kubectl(t, "get", "events", "-n", "coaming-system", "--field-selector", "reason="+reason, "-o", "name"), "event/")
	})
}

func (d *drill) restored(t *testing.T) {
	const policy = "validatingadmissionpolicybinding"
	names := strings.Fields(d.kubectl(t, "get", policy, "-l", "app.kubernetes.io/managed-by=coaming", "-o", "name"))
	if len(names) < 2 {
		t.Fatalf("bindings are %q", names)
	}
	for _, name := range names {
		d.kubectl(t, "delete", name)
	}
	within(t, 60*time.Second, "the bindings are there again", func() bool {
		return len(strings.Fields(d.kubectl(t, "get", policy, "-l", "app.kubernetes.io/managed-by=coaming", "-o", "name"))) == len(names)
	})
	d.status(t, 0, "")
}

// rotated waits until certificates of 30 seconds were replaced, by the gate's own log, and asks it again.
func (d *drill) rotated(t *testing.T) {
	within(t, 40*time.Second, "each replica has replaced its certificate", func() bool {
		log := d.kubectl(t, "logs", "-n", "coaming-system", "-l", "app.kubernetes.io/name=coaming-gate", "--tail=-1", "--prefix")
		loads := map[string]int{}
		for line := range strings.Lines(log) {
			if strings.Contains(line, "certificate loaded") {
				pod, _, _ := strings.Cut(line, " ")
				loads[pod]++
			}
		}
		for _, n := range loads {
			if n < 2 {
				return false
			}
		}
		return len(loads) == 2
	})
	d.holds(t, "webhook", "webhook")
}

// unprivileged reads the audit log: nothing that the gate asked for may have been refused to it.
func (d *drill) unprivileged(t *testing.T) {
	seen := 0
	for _, e := range d.Audited(t, "") {
		if e.User.Username != gateUser {
			continue
		}
		seen++
		if e.ResponseStatus.Code == 403 {
			t.Errorf("the gate was refused: %s", e.Line)
		}
		if e.ObjectRef != nil && e.ObjectRef.Resource == "secrets" {
			t.Errorf("the gate asked for secrets: %s", e.Line)
		}
	}
	if seen < 20 {
		t.Errorf("the audit log has %d requests of the gate's", seen)
	}
	for _, question := range [][]string{
		{"get", "secrets"},
		{"list", "secrets", "-A"},
		{"get", "nodes/proxy"},
		{"update", "validatingwebhookconfigurations/coaming-gate"},
		{"create", "mutatingwebhookconfigurations"},
		{"create", "mutatingadmissionpolicies"},
		{"create", "validatingadmissionpolicies/others"},
		{"create", "pods"},
	} {
		d.may(t, "no", question...)
	}
}

// may asks the API server whether the gate may do something.
func (d *drill) may(t *testing.T, want string, question ...string) {
	t.Helper()
	out, _, _ := d.Kubectl(t, "", append([]string{"--kubeconfig=" + d.Kubeconfig, "auth", "can-i", "--as=" + gateUser}, question...)...)
	if strings.TrimSpace(out) != want {
		t.Errorf("may the gate %s? %s", strings.Join(question, " "), out)
	}
}

// killed takes every pod of the gate away, and gives them back.
func (d *drill) killed(t *testing.T) {
	d.kubectl(t, "scale", "deployment/coaming-gate", "-n", "coaming-system", "--replicas=0")
	d.kubectl(t, "delete", "pods", "-n", "coaming-system", "--all", "--force", "--grace-period=0", "--wait=false")
	within(t, 60*time.Second, "no pod of the gate is left", func() bool {
		return d.kubectl(t, "get", "pods", "-n", "coaming-system", "-o", "name") == ""
	})
	d.status(t, 1, "0 of 0 replicas")
	within(t, 60*time.Second, "nobody answers", func() bool { return d.tried(t, "open", false) == "" })
	d.holds(t, "", "no answer")
	d.install(t)
	d.status(t, 0, "")
	within(t, 60*time.Second, "it answers again", func() bool { return d.tried(t, "open", false) == "webhook" })
	d.holds(t, "webhook", "webhook")
}

// expired gives the gate an authority that ends within seconds, which is as if nobody could replace its certificates.
func (d *drill) expired(t *testing.T) {
	const life = 15 * time.Second
	short, err := certificate.NewAuthority([]string{"coaming-gate.coaming-system.svc"}, time.Now(), life)
	if err != nil {
		t.Fatal(err)
	}
	certificatePEM, key, err := short.PEM()
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.StdEncoding.EncodeToString
	data, err := json.Marshal(map[string]any{"data": map[string]string{"tls.crt": encode(certificatePEM), "tls.key": encode(key), "ca.crt": encode(certificatePEM)}})
	if err != nil {
		t.Fatal(err)
	}
	d.kubectl(t, "patch", "secret", "coaming-gate-ca", "-n", "coaming-system", "--type=merge", "-p", string(data))
	d.believe(t, certificatePEM)
	d.kubectl(t, "delete", "pods", "-n", "coaming-system", "--all", "--force", "--grace-period=0", "--wait=false")
	within(t, 60*time.Second, "the certificate has ended", func() bool { return time.Now().After(short.Certificate.NotAfter.Add(2 * time.Second)) })
	within(t, 60*time.Second, "nobody is believed", func() bool { return d.tried(t, "open", false) == "" })
	d.holds(t, "", "no answer")
	d.status(t, 1, "it ended on")
	// The next installation makes another authority; pods that start with it are believed at once. It has them repair from now on.
	wantCode(t, d.coaming(t, "install", "--wait=false", "--repair"), 0)
	d.kubectl(t, "delete", "pods", "-n", "coaming-system", "--all", "--force", "--grace-period=0", "--wait=false")
	d.install(t)
	within(t, 60*time.Second, "it is believed again", func() bool { return d.tried(t, "open", false) == "webhook" })
	d.holds(t, "webhook", "webhook")
}

// believe has the API server believe an authority.
func (d *drill) believe(t *testing.T, bundle []byte) {
	t.Helper()
	if block, _ := pem.Decode(bundle); block == nil {
		t.Fatal("no PEM")
	} else if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		t.Fatal(err)
	}
	var patches []string
	for i := range 2 {
		patches = append(patches, fmt.Sprintf(`{"op":"replace","path":"/webhooks/%d/clientConfig/caBundle","value":%q}`, i, base64.StdEncoding.EncodeToString(bundle)))
	}
	d.kubectl(t, "patch", "validatingwebhookconfiguration/coaming-gate", "--type=json", "-p", "["+strings.Join(patches, ",")+"]")
}

// uninstalled takes everything away while no pod runs, and leaves nothing.
func (d *drill) uninstalled(t *testing.T) {
	d.kubectl(t, "scale", "deployment/coaming-gate", "-n", "coaming-system", "--replicas=0")
	d.kubectl(t, "delete", "pods", "-n", "coaming-system", "--all", "--force", "--grace-period=0", "--wait=false")
	o := d.coaming(t, "uninstall")
	wantCode(t, o, 0)
	if strings.Contains(o.stdout, "left:") {
		t.Errorf("something is left: %s", o.stdout)
	}
	for _, resource := range []string{
		"namespaces", "validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicies", "validatingadmissionpolicybindings",
		"clusterroles", "clusterrolebindings", "roles", "rolebindings", "resourcequotas", "limitranges", "secrets", "configmaps", "deployments",
	} {
		if left := d.kubectl(t, "get", resource, "-A", "-l", "app.kubernetes.io/managed-by=coaming", "-o", "name"); left != "" {
			t.Errorf("left: %s", left)
		}
	}
	if _, _, err := d.Kubectl(t, "", "--kubeconfig="+d.Kubeconfig, "get", "namespace", "coaming-system"); err == nil {
		t.Error("the namespace is left")
	}
	d.free(t)
}

// free shows that nothing is refused any more.
func (d *drill) free(t *testing.T) {
	t.Helper()
	within(t, 60*time.Second, "the API server has heard that the policies are gone", func() bool { return d.tried(t, "open", true) == "" })
	if got := d.tried(t, "shut", false); got != "" {
		t.Errorf("a pod in shut is refused by %q", got)
	}
}
