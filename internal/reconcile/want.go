package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/policy"
)

// id tells objects apart.
type id struct{ kind, namespace, name string }

func (i id) String() string {
	if i.namespace == "" {
		return i.kind + " " + i.name
	}
	return i.kind + " " + i.namespace + "/" + i.name
}

func idOf(o *unstructured.Unstructured) id { return id{o.GetKind(), o.GetNamespace(), o.GetName()} }

// compiledPolicies are the policies and bindings that were last wanted, and of what they were made.
type compiledPolicies struct {
	of       *Wanted
	version  string
	noLeases bool
	until    time.Time // the next end of an exception; zero for none
	list     []*unstructured.Unstructured
	faults   error // of the plan: what could not be made of it
}

// wanted is what is to be in the cluster, and when the next exception ends. whole is false where a part of the plan could not
// be made: then nothing is removed.
func (t *term) wanted(ctx context.Context) (w *Wanted, list []*unstructured.Unstructured, whole bool, err error) {
	w, err = t.Wanted(ctx)
	if err != nil {
		if w = t.made.of; w == nil {
			return nil, nil, false, fmt.Errorf("read what is wanted: %w", err)
		}
		t.tell(warning, "Unreadable", "what is wanted cannot be read, what was last wanted is kept: %v", err)
	}
	if fault := t.compile(ctx, w); fault != nil {
		return nil, nil, false, errors.Join(err, fault)
	}
	list = append(list, t.made.list...)
	places, known := t.places()
	t.unlabelled = nil
	for _, at := range places {
		if text := unlabelled(w.Plan, at); text != "" {
			t.unlabelled = append(t.unlabelled, text)
		}
		quotas, _ := policy.Quotas(w.Plan, at)
		for _, m := range quotas {
			o, fault := t.object(m)
			if fault != nil {
				return nil, nil, false, fault
			}
			list = append(list, o)
		}
	}
	return w, list, known && err == nil && t.made.faults == nil, errors.Join(err, t.made.faults)
}

// unlabelled tells which labels of Pod Security that the plan asks for a namespace does not have; "" where it has them. Nobody's webhook, and
// no policy, stands in for them, and the right to write them is the right to take them off: who installs sets them.
func unlabelled(plan *enforcement.Plan, at enforcement.Place) string {
	m, asked, _ := policy.PodSecurity(plan, at)
	if !asked {
		return ""
	}
	var list []string
	for name, value := range m.Metadata.Labels {
		if at.Labels[name] != value {
			list = append(list, name+"="+value)
		}
	}
	if len(list) == 0 {
		return ""
	}
	slices.Sort(list)
	return "namespace " + at.Namespace + " lacks labels of the plan, " + strings.Join(list, " and ")
}

// places are the cluster's namespaces; known is false until they have been listed.
func (t *term) places() (list []enforcement.Place, known bool) {
	store := t.stores[namespaces]
	if !store.HasSynced() {
		return nil, false
	}
	for _, item := range store.GetStore().List() {
		if o, ok := item.(*unstructured.Unstructured); ok && o.GetDeletionTimestamp() == nil {
			list = append(list, enforcement.Place{Namespace: o.GetName(), Labels: o.GetLabels(), LabelsKnown: true})
		}
	}
	slices.SortFunc(list, func(a, b enforcement.Place) int { return strings.Compare(a.Namespace, b.Namespace) })
	return list, true
}

// compile makes the policies anew where something that they are made of has changed.
func (t *term) compile(ctx context.Context, w *Wanted) error {
	now := t.Now()
	if t.made.of == w && (t.made.until.IsZero() || now.Before(t.made.until)) {
		return nil
	}
	raw, err := t.client.Discovery().RESTClient().Get().AbsPath("/version").DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("ask for the API server's version: %w", err)
	}
	var version struct{ Major, Minor string }
	if err := json.Unmarshal(raw, &version); err != nil {
		return fmt.Errorf("read the API server's version: %w", err)
	}
	next := compiledPolicies{of: w, version: version.Major + "." + strings.TrimRight(version.Minor, "+")}
	if !catalog.Reached(next.version, policy.Oldest) {
		t.tell(warning, "TooOld", "Kubernetes %s has no ValidatingAdmissionPolicy v1: the webhook alone enforces", next.version)
		t.made = next
		return nil
	}
	if next.noLeases, err = t.noLeases(ctx, w); err != nil {
		return err
	}
	o := policy.Options{Version: next.version, Settings: w.Settings, NoLeases: next.noLeases, Exempted: policy.Exempt(w.Exceptions, now, w.Lifetime)}
	list, refused := policy.Planned(w.Rules, w.Plan, o)
	for _, rule := range slices.Sorted(maps.Keys(refused)) {
		if errors.Is(refused[rule], policy.ErrParts) {
			next.faults = errors.Join(next.faults, fmt.Errorf("rule %s: %w", rule, refused[rule]))
		}
	}
	for _, held := range list {
		for _, m := range held.Manifests {
			one, err := t.object(m)
			if err != nil {
				return err
			}
			next.list = append(next.list, one)
		}
	}
	for i := range w.Exceptions {
		if end := w.Exceptions[i].Expires; end.After(now) && (next.until.IsZero() || end.Before(next.until)) {
			next.until = end
		}
	}
	t.made = next
	return nil
}

// noLeases says whether no API server keeps a Lease of its own, which tells policies the time.
func (t *term) noLeases(ctx context.Context, w *Wanted) (bool, error) {
	if len(w.Exceptions) == 0 {
		return false, nil
	}
	list, err := t.dynamic.Resource(leases).Namespace(policy.LeaseNamespace).List(ctx, metav1.ListOptions{LabelSelector: policy.LeaseSelector})
	if err != nil {
		return false, fmt.Errorf("ask for the API server's leases: %w", err)
	}
	return len(list.Items) == 0, nil
}

// object is a manifest as it is written, with the label of what is kept.
func (t *term) object(m policy.Manifest) (*unstructured.Unstructured, error) {
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write %s %s: %w", m.Kind, m.Metadata.Name, err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(raw); err != nil {
		return nil, fmt.Errorf("write %s %s: %w", m.Kind, m.Metadata.Name, err)
	}
	labels := o.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[KeptBy] = Keeper
	o.SetLabels(labels)
	return o, nil
}
