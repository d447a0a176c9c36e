package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

const exceptedPlan = `
apiVersion: coaming.dev/v1alpha1
kind: Enforcement
spec:
  mode: off
  rules: [{rules: [host-pid, memory-limit-missing], namespaces: [shop, other], mode: enforce}]
`

// granted is an Exception object for both rules of that plan.
func granted(home, namespace, name string, end time.Time) string {
	return fmt.Sprintf(`{apiVersion: coaming.dev/v1alpha1, kind: Exception, metadata: {name: %s, namespace: %s}, spec: {rules: [host-pid, memory-limit-missing], namespace: %s,
  selector: {kind: Deployment.apps, name: %[1]s}, owner: tools-team, reason: it looks at processes, expires: %[4]q}}`, name, home, namespace, end.UTC().Format(time.RFC3339))
}

// TestExceptionsOfTheCluster lets the gate, and what it keeps in the API server, take exceptions from the cluster: they count within
// seconds, never outside of their namespace, and end by the clock, though nothing happens then.
func TestExceptionsOfTheCluster(t *testing.T) {
	s := startSandbox(t)
	definition, err := os.ReadFile("../../deploy/crd/exceptions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s.apply(t, string(definition))
	for _, namespace := range []string{"coaming-system", "shop", "other"} {
		s.apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: "+namespace+"}}")
	}
	g := startGate(t, s, exceptedPlan, "--exceptions-from", "files,cluster", "--keep")
	g.register(t, s, "Fail")
	const inLimits = `, resources: {limits: {memory: 1Gi}}`
	native := func(namespace, name string) string { // what the API server refuses by itself
		_, err := s.dry(t, deployment(namespace, name, `{hostPID: true, containers: [{name: app, image: "a:1"`+inLimits+`}]}`))
		return fmt.Sprint(err)
	}
	webhook := func(namespace, name string) string { // what the gate alone can judge
		_, err := s.dry(t, deployment(namespace, name, `{containers: [{name: app, image: "a:1"}]}`))
		return fmt.Sprint(err)
	}
	refused := func(namespace, name string) bool {
		policy := native(namespace, name)
		return strings.Contains(policy, "ValidatingAdmissionPolicy") && strings.Contains(policy, "host-pid: ") && strings.Contains(webhook(namespace, name), "memory-limit-missing")
	}
	eventually(t, "both refuse", func() bool { return refused("shop", "agent") && refused("other", "agent") })

	const lasts = 90 * time.Second
	end := time.Now().Add(lasts).Truncate(time.Second)
	s.apply(t, granted("other", "shop", "stranger", end.Add(time.Hour))) // who may write in one namespace grants nothing in another
	s.apply(t, granted("coaming-system", "shop", "everywhere", end.Add(time.Hour)))
	s.apply(t, granted("shop", "shop", "agent", end))
	within(t, time.Until(end), "both let in what is excused", func() bool {
		return native("shop", "agent")+webhook("shop", "agent")+native("shop", "everywhere")+webhook("shop", "everywhere") == strings.Repeat("<nil>", 4)
	})
	for _, at := range [][2]string{{"other", "agent"}, {"shop", "stranger"}, {"other", "stranger"}, {"shop", "another"}} {
		if !refused(at[0], at[1]) {
			t.Errorf("%s in %s is let in", at[1], at[0])
		}
	}
	if !time.Now().Before(end) {
		t.Fatal("the machine is too slow for an exception of that length")
	}
	time.Sleep(time.Until(end)) //nolint:forbidigo // the end of the exception is what is asked about
	within(t, 5*time.Second, "both refuse when it has ended", func() bool { return refused("shop", "agent") })
	if native("shop", "everywhere")+webhook("shop", "everywhere") != "<nil><nil>" {
		t.Error("an exception that lasts has ended with another")
	}
	s.kubectl(t, "-n", "coaming-system", "delete", "exceptions.coaming.dev", "everywhere")
	eventually(t, "both refuse when it is deleted", func() bool { return refused("shop", "everywhere") })
}
