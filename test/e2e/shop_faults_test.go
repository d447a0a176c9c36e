package e2e

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// rulesFor is the rules that find each kind of planted fault; another rule's finding at the same place is not it.
var rulesFor = map[string][]string{
	"apparmor-unconfined":              {"apparmor-unconfined"},
	"binding-to-all-authenticated":     {"binding-everyone"},
	"binding-to-all-service-accounts":  {"binding-everyone"},
	"cloud-key-in-config-map":          {"secret-in-configmap"},
	"cluster-admin-binding":            {"binding-cluster-admin"},
	"cluster-wide-secret-read":         {"role-read-secrets"},
	"container-runtime-socket":         {"host-control-socket"},
	"container-without-limits":         {"memory-limit-missing"},
	"container-without-resources":      {"memory-limit-missing", "cpu-request-missing"},
	"dangerous-capability":             {"capability-sys-admin", "capability-sys-ptrace", "capability-host-ptrace"},
	"default-service-account":          {"default-service-account"},
	"empty-dir-without-limit":          {"empty-dir-unbounded"},
	"escalate-and-bind":                {"cluster-role-escalate"},
	"host-network":                     {"host-network"},
	"host-path-volume":                 {"host-path", "host-path-read-only", "host-path-log-readable"},
	"host-pid":                         {"host-pid"},
	"host-port":                        {"host-port"},
	"host-root-mounted":                {"host-path-takeover"},
	"image-tag-latest":                 {"image-latest-tag"},
	"image-without-digest":             {"image-without-digest"},
	"image-without-tag":                {"image-latest-tag"},
	"impersonate-anyone":               {"cluster-role-impersonate"},
	"ingress-without-tls":              {"ingress-without-tls"},
	"load-balancer-open-to-the-world":  {"load-balancer-open", "load-balancer-sensitive-port"},
	"long-lived-token":                 {"long-lived-token-secret"},
	"may-run-as-root":                  {"may-run-as-root"},
	"namespace-without-quota":          {"namespace-without-quota"},
	"network-policy-allows-everything": {"network-policy-ingress-open", "network-policy-egress-open"},
	"network-policy-open-to-the-world": {"network-policy-ingress-open", "network-policy-egress-open"},
	"no-security-context":              {"may-run-as-root", "seccomp-missing", "capabilities-not-dropped"},
	"node-port-service":                {"service-node-port"},
	"node-proxy":                       {"cluster-role-node-proxy"},
	"password-in-argument":             {"secret-in-argument"},
	"password-in-env":                  {"secret-in-env", "password-guessable"},
	"password-in-secret-manifest":      {"secret-in-manifest-text"},
	"pod-security-enforces-privileged": {"namespace-pod-security-exempt"},
	"pod-security-not-enforced":        {"namespace-without-pod-security", "namespace-pod-security-only-warns"},
	"pods-exec":                        {"role-pod-exec"},
	"pods-without-network-policy":      {"workload-without-network-policy"},
	"private-key-in-secret-manifest":   {"secret-in-manifest"},
	"privilege-escalation-allowed":     {"privilege-escalation"},
	"privileged-container":             {"privileged-container"},
	"removed-api":                      {"api-removed"},
	"runs-as-root":                     {"run-as-root"},
	"seccomp-unconfined":               {"seccomp-unconfined"},
	"shared-process-namespace":         {"share-process-namespace"},
	"subject-without-namespace":        {"binding-account-missing"},
	"token-mounted":                    {"service-account-token-powerful"},
	"token-mounted-without-need":       {"service-account-token-unused"},
	"unsafe-sysctl":                    {"unsafe-sysctl"},
	"wildcard-role":                    {"cluster-role-wildcard"},
	"writable-root-filesystem":         {"writable-root-filesystem"},
}

// notFound is the kinds of planted faults that no rule finds yet, and why.
var notFound = map[string]string{
	"image-from-unknown-registry": "which registries are allowed is a setting, and the shop has none",
}

// fault is one fault that was planted in the example shop.
type fault struct {
	file, object, path, name, practice string
	severity                           verdict.Severity
}

// TestShopFaults looks for the planted faults, each at its object and field, and for nothing grave where all is well.
func TestShopFaults(t *testing.T) {
	coamingBinary(t)
	whole := []string{shop + "/base", shop + "/chart"}
	scans := map[string]*verdict.Result{ // by the part of the shop that a fault stands in
		"base":     scan(t, []int{1}, whole...),
		"overlays": scan(t, []int{1}, shop+"/overlays/dev"),
		"legacy":   scan(t, []int{1}, shop+"/legacy"),
	}
	scans["chart"] = scans["base"]
	objects := map[string]*fact.Object{}
	for _, o := range readFiles(t, whole...) {
		objects[o.Kind+"/"+o.Namespace+"/"+o.Name] = o
	}
	t.Run("planted", func(t *testing.T) {
		faults := plantedFaults(t)
		found := 0
		for _, f := range faults {
			part, _, _ := strings.Cut(f.file, "/")
			if f.isFound(t, objects[f.object], scans[part]) {
				found++
			}
		}
		t.Logf("%d of %d planted faults are found", found, len(faults))
	})
	t.Run("clean", func(t *testing.T) { cleanObjects(t, objects, scans["base"]) })
}

// isFound looks for a finding of one of the rules at the object and field.
func (f *fault) isFound(t *testing.T, o *fact.Object, r *verdict.Result) bool {
	t.Helper()
	place := elements(f.path)
	if o != nil {
		place = named(place, o.Root)
	}
	for i := range r.Findings {
		found := &r.Findings[i]
		if found.Verdict != verdict.Fail || objectOf(found) != f.object || found.Practice != f.practice ||
			!slices.Contains(rulesFor[f.name], found.Rule) || !related(elements(found.Path), place) {
			continue
		}
		t.Logf("found  %-8s %-32s %s %s: %s %s", f.severity, f.name, f.object, f.path, found.Rule, found.Severity)
		if reason := notFound[f.name]; reason != "" {
			t.Errorf("it is found now; take it out of notFound: %s", reason)
		}
		return true
	}
	reason, known := notFound[f.name]
	if !known {
		t.Errorf("MISSED %-8s %-32s %s %s", f.severity, f.name, f.object, f.path)
	} else {
		t.Logf("MISSED %-8s %-32s %s %s: %s", f.severity, f.name, f.object, f.path, reason)
	}
	return false
}

// cleanObjects holds the objects that are done well to have no finding of medium or more.
func cleanObjects(t *testing.T, objects map[string]*fact.Object, r *verdict.Result) {
	t.Helper()
	for _, v := range readList(t, shop+"/.coaming/clean.yaml") {
		clean := v.Get("object").Str()
		if objects[clean] == nil {
			t.Errorf("there is no %s", clean)
		}
		for i := range r.Findings {
			switch f := &r.Findings[i]; {
			case objectOf(f) != clean:
			case f.Verdict != verdict.Fail || f.Severity >= verdict.Medium:
				t.Errorf("%s: %s %s %s at %s: %s", clean, f.Verdict, f.Severity, f.Rule, f.Path, f.Message)
			default:
				t.Logf("%s: low: %s at %s", clean, f.Rule, f.Path)
			}
		}
	}
}

func plantedFaults(t *testing.T) []fault {
	t.Helper()
	var faults []fault
	for _, v := range readList(t, shop+"/.coaming/faults.yaml") {
		f := fault{file: v.Get("file").Str(), object: v.Get("object").Str(), path: v.Get("path").Str(), name: v.Get("fault").Str(), practice: v.Get("practice").Str()}
		if err := f.severity.UnmarshalText([]byte(v.Get("severity").Str())); err != nil {
			t.Fatal(err)
		}
		faults = append(faults, f)
	}
	return faults
}

// readList is the items of a YAML file that is one list.
func readList(t *testing.T, path string) []document.Value {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	docs, faults := document.Read(document.NewText(string(text)), 1)
	if len(docs) != 1 || len(faults) > 0 {
		t.Fatalf("%s: %d documents, %v", path, len(docs), faults)
	}
	list := items(docs[0].Root())
	if len(list) == 0 {
		t.Fatalf("%s is no list", path)
	}
	return list
}

func objectOf(f *verdict.Finding) string {
	return f.Subject.Kind + "/" + f.Subject.Namespace + "/" + f.Subject.Name
}

// related says whether two places are one, or one leads to the other. What a pod's securityContext sets or lacks
// may be told at the containers that it holds for.
func related(found, planted []string) bool {
	n := min(len(found), len(planted))
	if slices.Equal(found[:n], planted[:n]) {
		return true
	}
	at := slices.Index(planted, "securityContext")
	return at > 0 && len(found) > at+2 && slices.Equal(found[:at], planted[:at]) && strings.HasSuffix(strings.ToLower(found[at]), "containers") &&
		slices.Equal(found[at+2:], planted[at:])
}

// elements takes a path apart: spec.containers[web].image is spec, containers, [web], image.
func elements(path string) []string {
	var list []string
	for path != "" {
		end := strings.IndexAny(path[1:], ".[") + 1
		if path[0] == '[' {
			end = strings.Index(path, "]") + 1
		}
		if end <= 0 {
			end = len(path)
		}
		list = append(list, path[:end])
		path = strings.TrimPrefix(path[end:], ".")
	}
	return list
}

// named gives the list items of a path their names: subjects[0] is subjects[system:authenticated].
func named(path []string, v document.Value) []string {
	list := slices.Clone(path)
	for i, element := range path {
		key := strings.Trim(element, "[]")
		if v.Kind() != document.List {
			v = v.Get(key)
			continue
		}
		n, err := strconv.Atoi(key)
		if err != nil {
			n = slices.IndexFunc(items(v), func(item document.Value) bool { return item.Get("name").Str() == key })
		}
		v = v.Index(n)
		if name := v.Get("name").Str(); name != "" {
			list[i] = "[" + name + "]"
		}
	}
	return list
}

func items(list document.Value) []document.Value {
	var all []document.Value
	for _, v := range list.Items() {
		all = append(all, v)
	}
	return all
}
