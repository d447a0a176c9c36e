package e2e

import (
	gocmp "cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// key is what is wrong where: the same in files, in a cluster and in its snapshot.
type key struct {
	rule      string
	subject   identity
	container string
	path      string
}

func (k key) String() string {
	text := k.rule + " " + k.subject.String()
	if k.container != "" {
		text += " [" + k.container + "]"
	}
	return text + " " + k.path
}

func keyOf(f *verdict.Finding) key {
	return key{f.Rule, subjectOf(f), f.Subject.Container, f.Path}
}

func subjectOf(f *verdict.Finding) identity {
	kind := f.Subject.Kind
	if group, _, found := strings.Cut(f.Subject.APIVersion, "/"); found {
		kind += "." + group
	}
	return identity{kind, f.Subject.Namespace, f.Subject.Name}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// unlike says in what two judgements of the same cluster differ: nothing, where they are the same.
func unlike(live, snapshot *verdict.Result) string {
	l, s := live.Coverage, snapshot.Coverage
	l.Sources, s.Sources = nil, nil
	return cmp.Diff(fingerprints(live), fingerprints(snapshot)) + cmp.Diff(live.Tally, snapshot.Tally) + cmp.Diff(l, s)
}

// fingerprints is every finding with its verdict, sorted.
func fingerprints(r *verdict.Result) []string {
	list := make([]string, 0, len(r.Findings))
	for i := range r.Findings {
		f := &r.Findings[i]
		list = append(list, f.Fingerprint+" "+f.Verdict.String()+" "+keyOf(f).String())
	}
	slices.Sort(list)
	return list
}

// delta is one finding that files and cluster do not agree about; what one of them lacks is nil.
type delta struct {
	key
	files, cluster *verdict.Finding
	object         *fact.Object // as it stands in the file
}

func (d *delta) String() string {
	tell := func(f *verdict.Finding) string {
		if f == nil {
			return "nothing"
		}
		return fmt.Sprintf("%s %s %q %s", f.Verdict, f.Severity, gocmp.Or(f.Reason, f.Message), f.Fingerprint)
	}
	return fmt.Sprintf("%s\n\tin files:   %s\n\tin cluster: %s", &d.key, tell(d.files), tell(d.cluster))
}

// difference is one thing that files and cluster may not agree about.
type difference struct {
	name, reason string
	is           func(d *delta) bool
	// sometimes is set of what depends on how far controllers have come.
	sometimes bool
}

// differences is all of them.
var differences = []difference{{
	"secrets",
	"the values of Secrets are never asked for, and so no Secret is judged in a cluster",
	func(d *delta) bool { return d.cluster == nil && d.subject.kind == "Secret" },
	false,
}, {
	"endpoints",
	"every Service of a cluster has Endpoints that a controller made; they are not asked for",
	func(d *delta) bool { return d.cluster == nil && d.subject.kind == "Endpoints" },
	false,
}, {
	"aggregated roles",
	"the controller manager writes the rules of the aggregated roles into the role that collects them",
	func(d *delta) bool {
		return d.files == nil && d.subject.kind == "ClusterRole.rbac.authorization.k8s.io" && d.object.Root.Get("aggregationRule").Exists()
	},
	false,
}, {
	"default pull policy",
	"the API server sets IfNotPresent where it cannot make out a tag (ko://…); in the file nothing is set",
	func(d *delta) bool {
		return d.files == nil && d.rule == "image-pull-policy-stale" && !containerOf(d).Get("imagePullPolicy").Exists()
	},
	false,
}, {
	"open namespace",
	"a file that names no namespace leaves it to whoever applies it; here that was the default one",
	func(d *delta) bool {
		return d.files == nil && d.rule == "default-namespace" && !d.object.Root.At("metadata", "namespace").Exists()
	},
	false,
}, {
	"missing accounts",
	"a service account that is in no file of its namespace may stand elsewhere; a cluster has all of them",
	func(d *delta) bool { return d.files == nil && d.rule == "binding-account-missing" },
	false,
}, {
	"missing pods",
	"what no file holds may be made elsewhere, or by an operator of whom files hold a resource; a cluster has all pods",
	func(d *delta) bool { return d.files == nil && d.rule == "network-policy-selects-nothing" },
	false,
}, {
	"tokens in secrets",
	"files hold secrets with tokens, by which a path goes on; in a cluster no Secret is looked at",
	func(d *delta) bool {
		return d.files != nil && strings.Contains(d.files.Message, "use the service account token in a secret") &&
			(d.cluster == nil || !strings.Contains(d.cluster.Message, "in a secret,"))
	},
	false,
}, {
	"nodes and namespaces elsewhere",
	"what stands in no file, the default namespace and the nodes, a path does not lead through for certain; of a cluster it is known that they are there",
	func(d *delta) bool {
		return d.files == nil && d.subject.namespace == "default" && strings.Contains(d.cluster.Message, "then take the administrator's key from a control plane node")
	},
	false,
}, {
	"addresses of nodes",
	"whether nodes can be reached from outside only the nodes tell, of which files hold none",
	func(d *delta) bool {
		return d.cluster == nil && d.files.Verdict == verdict.Unknown && strings.HasPrefix(d.files.Reason, "whether the nodes have addresses")
	},
	false,
}, {
	"autoscalers",
	"an autoscaler sets the replicas of a workload that names none, as soon as its controller comes to it",
	func(d *delta) bool {
		return d.files == nil && d.rule == "disruption-budget-missing" && !d.object.Root.At("spec", "replicas").Exists()
	},
	true,
}}

// containerOf is the container that was judged, as it stands in the file.
func containerOf(d *delta) document.Value {
	for _, template := range [][]string{{"spec"}, {"spec", "template", "spec"}, {"spec", "jobTemplate", "spec", "template", "spec"}} {
		for _, c := range d.object.Root.At(template...).Get("containers").Items() {
			if c.Get("name").Str() == d.container {
				return c
			}
		}
	}
	return document.Value{}
}

// compare fails for every difference that is not listed, and for what is listed and not met.
func compare(t *testing.T, a *applier, files, live *verdict.Result, withCorpus bool) {
	t.Helper()
	deltas, both := a.deltas(t, files, live)
	t.Logf("%d findings are the same in files and cluster", both)
	met := make([]int, len(differences))
	for _, d := range deltas {
		at := slices.IndexFunc(differences, func(known difference) bool { return known.is(d) })
		if at < 0 {
			t.Errorf("not listed: %s", d)
			continue
		}
		met[at]++
	}
	for i, known := range differences {
		t.Logf("%4d different: %s: %s", met[i], known.name, known.reason)
		if met[i] == 0 && withCorpus && !known.sometimes {
			t.Errorf("nothing differs by %q any more: take it out of the table", known.name)
		}
	}
}

// deltas compares the findings of what was applied and is still there.
func (a *applier) deltas(t *testing.T, files, live *verdict.Result) (deltas []*delta, both int) {
	t.Helper()
	found := map[key]*delta{}
	enter := func(f *verdict.Finding, of func(*delta) **verdict.Finding) {
		k := keyOf(f)
		if a.namespaced[k.subject.kind] {
			k.subject.namespace = gocmp.Or(k.subject.namespace, "default")
		}
		o := a.applied[k.subject]
		if o == nil {
			return
		}
		if found[k] == nil {
			found[k] = &delta{key: k, object: o}
		}
		if side := of(found[k]); *side == nil {
			*side = f
		} else {
			t.Errorf("found twice: %s", k)
		}
	}
	for i := range files.Findings {
		enter(&files.Findings[i], func(d *delta) **verdict.Finding { return &d.files })
	}
	for i := range live.Findings {
		enter(&live.Findings[i], func(d *delta) **verdict.Finding { return &d.cluster })
	}
	gone := map[identity]bool{}
	for _, d := range found {
		switch {
		case d.files != nil && d.cluster != nil && alike(d.files, d.cluster):
			both++
		case d.cluster == nil && a.taken(t, d.subject):
			gone[d.subject] = true
		default:
			deltas = append(deltas, d)
		}
	}
	for id := range gone {
		t.Logf("left out: a controller has adopted or removed %s since it was applied", id)
	}
	slices.SortFunc(deltas, func(x, y *delta) int { return gocmp.Compare(x.key.String(), y.key.String()) })
	return deltas, both
}

// alike says whether two findings are one and the same; the fingerprint is where the file names the namespace.
func alike(f, c *verdict.Finding) bool {
	return f.Verdict == c.Verdict && f.Severity == c.Severity && f.Message == c.Message && f.Practice == c.Practice &&
		(f.Fingerprint == c.Fingerprint || f.Subject.Namespace != c.Subject.Namespace)
}
