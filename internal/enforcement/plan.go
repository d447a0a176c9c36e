// Package enforcement is the plan of what the cluster enforces: which rule holds how (off, audit, warn,
// enforce) in which namespace, what becomes of errors, images, mutations, quotas and Pod Security. It
// reads the plan's file and answers what holds where; it judges nothing and knows no request.
// Floor 1: the gate, native policies, mutations and the installation are all made of the same plan.
package enforcement

import (
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// SystemNamespaces are where nothing is ever enforced, whatever a plan says: a policy there can keep the
// cluster, or what would mend the policy, from starting.
var SystemNamespaces = []string{"coaming-system", "kube-node-lease", "kube-public", "kube-system"}

// Setting is how one rule holds at one place.
type Setting struct {
	Mode Mode
	// Fail is the webhook's failurePolicy, and says that of an enforced rule an unknown verdict refuses.
	Fail bool
	// Timeout is how long the API server waits for the webhook.
	Timeout time.Duration
}

// Plan is what a plan's file says. Its fields are not changed once it is read; safe for concurrent readers.
type Plan struct {
	// Name is metadata.name, "" where the file has none.
	Name string
	// Default holds where no entry says otherwise.
	Default Setting
	// Excluded are the namespaces, as names or globs, where nothing holds; the system's are among them.
	Excluded []string
	// Rest leaves to the API server's own policies what these can decide: the webhook then judges the other rules alone.
	Rest bool
	// Entries are in the order of the file: the last one that fits decides, field by field.
	Entries     []Entry
	Images      []ImageEntry
	Defaults    []DefaultEntry
	Resources   []ResourceEntry
	Sidecars    []SidecarEntry
	Quotas      []QuotaEntry
	PodSecurity []PodSecurityEntry

	file string
	fits *sync.Map // *rule.Rule -> []bool, one for each entry
}

// Spot is where an entry stands in its file.
type Spot struct{ Line, Column int }

// Entry says how some rules hold at some places.
type Entry struct {
	// Rules, Practices and Frameworks choose rules: those that any of the three names, all where none is
	// written. Severity then leaves only those that are at least so grave.
	Rules, Practices, Frameworks []string
	Severity                     verdict.Severity
	Where                        Selection
	// Mode and Fail are what the entry says of it; nil where it says nothing.
	Mode *Mode
	Fail *bool
	At   Spot
}

// DefaultEntry asks for the mechanical fixes of rules.
type DefaultEntry struct {
	Rules []string
	Where Selection
	At    Spot
}

// ResourceEntry gives requests and limits to the containers that have none; the amounts are Kubernetes quantities by resource.
type ResourceEntry struct {
	Where            Selection
	Requests, Limits map[string]string
	At               Spot
}

// SidecarEntry asks for a sidecar of a template in the pods that it selects: by the labels of the pods, all where Workload is nil.
type SidecarEntry struct {
	Template string
	// Values fill the places that the template leaves open, the image before all.
	Values   map[string]string
	Where    Selection
	Workload *metav1.LabelSelector
	At       Spot
}

// QuotaEntry asks for a ResourceQuota and a LimitRange in each namespace that it selects.
type QuotaEntry struct {
	Where Selection
	Hard  map[string]string
	// Limits are the items of the LimitRange; none where none is asked for.
	Limits []LimitItem
	At     Spot
}

// LimitItem is one item of a LimitRange (k8s.io/api/core/v1 LimitRangeItem).
type LimitItem struct {
	Type                                               string // Container, Pod or PersistentVolumeClaim
	Max, Min, Default, DefaultRequest, MaxRequestRatio map[string]string
}

// PodSecurityEntry asks for the labels of the Pod Security admission on the namespaces that it selects; "" asks for none of that mode.
type PodSecurityEntry struct {
	Where                Selection
	Enforce, Warn, Audit string
	Version              string // "latest", "v1.34"; "" leaves it to the API server
	At                   Spot
}

// Of is how a rule holds at a place. Where it is not known whether an entry is for the place, what the
// entry says counts only as far as it is the stricter.
func (p *Plan) Of(r *rule.Rule, at Place) Setting {
	s := p.Default
	if p.Excludes(at.Namespace) {
		s.Mode, s.Fail = Off, false
		return s
	}
	fits := p.fitting(r)
	for i := range p.Entries {
		if !fits[i] {
			continue
		}
		e := &p.Entries[i]
		holds, known := e.Where.Holds(at)
		if e.Mode != nil && (known && holds || !known && *e.Mode > s.Mode) {
			s.Mode = *e.Mode
		}
		if e.Fail != nil && (known && holds || !known && *e.Fail) {
			s.Fail = *e.Fail
		}
	}
	return s
}

// Asks says whether a rule may hold anywhere: false only for one that is off everywhere.
func (p *Plan) Asks(r *rule.Rule) bool {
	asks, fits := p.Default.Mode != Off, p.fitting(r)
	for i := range p.Entries {
		e := &p.Entries[i]
		if !fits[i] || e.Mode == nil {
			continue
		}
		asks = *e.Mode != Off || asks && !e.Where.All()
	}
	return asks
}

// Excludes says whether nothing holds in a namespace. Of what belongs to none ("") it is false.
func (p *Plan) Excludes(namespace string) bool {
	return namespace != "" && matchesAny(p.Excluded, namespace)
}

// Chooses says whether an entry is for a rule, wherever.
func (p *Plan) Chooses(entry int, r *rule.Rule) bool { return p.fitting(r)[entry] }

// fitting says for each entry whether it is for the rule; worked out once.
func (p *Plan) fitting(r *rule.Rule) []bool {
	if known, found := p.fits.Load(r); found {
		return known.([]bool)
	}
	fits := make([]bool, len(p.Entries))
	for i := range p.Entries {
		fits[i] = p.Entries[i].chooses(r)
	}
	p.fits.Store(r, fits)
	return fits
}

func (e *Entry) chooses(r *rule.Rule) bool {
	if r.Severity < e.Severity {
		return false
	}
	if len(e.Rules) == 0 && len(e.Practices) == 0 && len(e.Frameworks) == 0 {
		return true
	}
	if slices.ContainsFunc(e.Rules, r.IsChosenBy) || slices.Contains(e.Practices, r.Practice) {
		return true
	}
	all, err := catalog.Frameworks()
	if err != nil { // a fault of the catalogue itself, which its tests find
		return false
	}
	return slices.ContainsFunc(e.Frameworks, func(id string) bool {
		f := catalog.FrameworkOf(all, id)
		return f != nil && len(f.Judged(all, []verdict.RuleInfo{r.Info()})) > 0
	})
}
