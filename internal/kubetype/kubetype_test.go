package kubetype_test

import (
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/kubetype"
	"github.com/coaming/coaming/internal/rule"
)

// TestCheck demands that a rule that reads what the API does not have is refused, with its place.
func TestCheck(t *testing.T) {
	tests := map[string]struct {
		lines string // match (line 7), each, assert
		want  string // of the error; "" for none
	}{
		"container":                {"match: container\nassert: container.?securityContext.?privileged.orValue(false)", ""},
		"container misspelt":       {"match: container\nassert: container.?securityContext.?priviledged.orValue(false)", "a.yaml:8:37: assert: undefined field 'priviledged'; did you mean 'privileged'?"},
		"a field that is nothing":  {"match: container\nassert: has(container.frobnicate)", "undefined field 'frobnicate'; Container has args, command, env,"},
		"at misspelt":              {"match: container\nat: securityContext.priviledged\nassert: 'true'", `a.yaml:8:1: at: no field "priviledged" on the path securityContext.priviledged; did you mean privileged?`},
		"at below a list":          {"match: workload\nat: spec.containers.name\nassert: 'true'", `at: no field "name" on the path spec.containers.name: it stands in no map`},
		"at of an item":            {"match: workload\neach: {v: spec.volumes}\nat: hostPath.path\nassert: 'true'", ""},
		"at of a map":              {"match: container\nat: resources.limits.[a.b/c]\nassert: 'true'", ""},
		"a fix misspelt":           {"match: container\nfix: [{remove: securitycontext}]\nassert: 'true'", `a.yaml:8:7: fix: no field "securitycontext"`},
		"several at once":          {"match: container\nat: nam\nwhen: has(container.imag)\nassert: has(container.nam)", "a.yaml:8:1: at: no field \"nam\" on the path nam; did you mean name?\na.yaml:9:21: when: undefined field 'imag'; did you mean 'image'?\na.yaml:10:23: assert: undefined field 'nam'; did you mean 'name'?"},
		"every kind of the API":    {"match: PriorityClass.scheduling.k8s.io\nassert: object.valu > 1", "undefined field 'valu'; did you mean 'value'?"},
		"container's own misspelt": {"match: container\nassert: has(container.imagePullPolice)", "undefined field 'imagePullPolice'"},
		"an item misspelt":         {"match: container\neach: {port: ports}\nassert: port.hostport > 1", "undefined field 'hostport'"},
		"an item of a type":        {"match: container\neach: {port: ports}\nassert: port.hostPort == 'a'", "no matching overload"},
		"each misspelt":            {"match: container\neach: {port: port}\nassert: 'true'", `each: no field "port" on the path port`},
		"each over text":           {"match: container\neach: {port: image}\nassert: 'true'", "each: image is no list"},
		"each through pointers":    {"match: container\neach: {c: securityContext.capabilities.add}\nassert: c != 'ALL'", ""},
		"each over a map":          {"match: ConfigMap\neach: {entry: data}\nassert: entry.key != entry.value", ""},
		"each over a map misspelt": {"match: ConfigMap\neach: {entry: data}\nassert: entry.name != ''", "undefined field 'name'"},
		"the scope of a loop":      {"match: container\nassert: container.env.all(e, e.valu != '')", "undefined field 'valu'"},
		"workload":                 {"match: workload\nassert: '!workload.spec.hostNetwork'", ""},
		"workload misspelt":        {"match: workload\nassert: '!workload.spec.hostnetwork'", "undefined field 'hostnetwork'"},
		"named fact":               {"match: workload\nassert: workload.networkPolicies.exists(p, p.spec.policyTypes == [])", ""},
		"named fact misspelt":      {"match: workload\nassert: workload.networkPolicy.size() > 0", "undefined field 'networkPolicy'"},
		"inside a named fact":      {"match: workload\nassert: workload.networkPolicies.exists(p, p.spec.policyType == [])", "undefined field 'policyType'"},
		"bindings":                 {"match: workload\nassert: workload.bindings.all(b, b.role.rules.all(r, !('*' in r.verbs)))", ""},
		"kind":                     {"match: Service\nassert: object.spec.type != 'NodePort'", ""},
		"kind misspelt":            {"match: Service\nassert: object.spec.typ != 'NodePort'", "undefined field 'typ'"},
		"every kind must do":       {"match: [Service, Pod]\nassert: object.spec.type != 'NodePort'", "undefined field 'type'"},
		"inline metadata":          {"match: Service\nassert: object.metadata.name != object.kind", ""},
		"an unknown kind":          {"match: Thing.example.com\nassert: object.anything.goes == 1", ""},
		"each of an unknown kind":  {"match: Thing.example.com\neach: {x: any.where}\nassert: x.y == 1", ""},
		"quantities are open":      {"match: container\nassert: container.resources.limits['cpu'] != ''", ""},
		"namespace":                {"match: namespace\nassert: ns.quotas.size() > 0 && ns.workloads > 1", ""},
		"namespace misspelt":       {"match: namespace\nassert: ns.quota.size() > 0", "undefined field 'quota'"},
		"binding":                  {"match: RoleBinding.rbac.authorization.k8s.io\nassert: binding.role.rules.size() > 0", ""},
		"binding of another kind":  {"match: Service\nassert: binding.role.rules.size() > 0", "undeclared reference to 'binding'"},
		"a variable of another":    {"match: workload\nassert: container.name == ''", "undeclared reference to 'container'"},
		"object of a cluster":      {"match: cluster\nassert: object.kind == ''", "undeclared reference to 'object'"},
		"cluster":                  {"match: cluster\nassert: cluster.supported && cluster.version != ''", ""},
		"api":                      {"match: object\nassert: '!api.removed'", ""},
		"api misspelt":             {"match: object\nassert: '!api.remove'", "undefined field 'remove'"},
		"a text for a condition":   {"match: container\nassert: container.name", "gives string, want bool"},
		"a kind's name for a text": {"match: container\nassert: container.name == 3", "no matching overload"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := rule.Parse("a.yaml", "id: a\ntitle: t\npractice: pod\nseverity: low\nwhy: w\nremedy: r\n"+test.lines+"\nsays: '\"s\"'\n")
			if err != nil {
				t.Fatal(err)
			}
			checked, err := kubetype.Check(r)
			switch {
			case test.want == "" && (err != nil || len(checked) < 2):
				t.Errorf("%d expressions, %v", len(checked), err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// TestKinds demands kinds of every group.
func TestKinds(t *testing.T) {
	for _, kind := range []string{
		"Pod", "Deployment.apps", "CronJob.batch", "HorizontalPodAutoscaler.autoscaling", "Ingress.networking.k8s.io", "PodDisruptionBudget.policy",
		"ClusterRole.rbac.authorization.k8s.io", "StorageClass.storage.k8s.io", "ValidatingAdmissionPolicy.admissionregistration.k8s.io",
		"CertificateSigningRequest.certificates.k8s.io", "Lease.coordination.k8s.io", "EndpointSlice.discovery.k8s.io",
		"FlowSchema.flowcontrol.apiserver.k8s.io", "RuntimeClass.node.k8s.io", "PriorityClass.scheduling.k8s.io",
	} {
		r, err := rule.Parse("a.yaml", "id: a\ntitle: t\npractice: pod\nseverity: low\nwhy: w\nremedy: r\nmatch: "+kind+"\nassert: has(object.nothing)\nsays: '\"s\"'\n")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kubetype.Check(r); err == nil {
			t.Errorf("the type of %s is not known", kind)
		}
	}
}
