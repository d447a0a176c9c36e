package install

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/coaming/coaming/internal/verdict"
)

// Options say what is installed. Values are those that people gave; what the cluster says is laid over them.
type Options struct {
	Values  map[string]any
	Version string // of the program
	// Native are the objects that enforce the plan without the gate, for the cluster's version: nil where there are none.
	Native []*Object
	// Later are those that the gate is to make by itself: once all exceptions have ended, and in namespaces that are still to come.
	Later []*Object
	// Mutating are the mutating policies that change objects as the plan asks; Webhook says that something is left that the gate's
	// webhook must change.
	Mutating []*Object
	Webhook  bool
	// Wait is how long the gate may take to answer before its webhooks are set; 0 sets them at once.
	Wait time.Duration
	Now  time.Time
	// Look says that nothing will be applied: who may not read the Secret of the authority goes by what the webhooks say of it.
	Look bool
	// Adopt has what carries our label, and no installation wrote, be changed and removed like what an earlier one did.
	Adopt bool
	// Tell is told of each step, as it is done.
	Tell func(format string, args ...any)
}

// Plan is what an installation makes of a cluster: its objects in the order of applying.
type Plan struct {
	Objects []*Object
	// secret is applied with them, and shown to nobody; nil where the one that is there stays.
	secret *Object
	keeps  map[key]bool
}

// Prepare works out what an installation makes of the cluster, and changes nothing.
func (c *Cluster) Prepare(ctx context.Context, o Options) (*Plan, error) {
	if !hasImage(o.Values) {
		return nil, errNoImage
	}
	p := &Plan{keeps: map[key]bool{}}
	computed, err := o.computed()
	if err != nil {
		return nil, err
	}
	if on, _, _ := unstructured.NestedBool(o.Values, "certificates", "certManager", "enabled"); !on && c.dynamic != nil {
		secret, bundle, write, err := c.authority(ctx, o.Now)
		if o.Look && (write || apierrors.IsForbidden(err)) {
			bundle, err = c.believed(ctx)
		}
		if err != nil {
			return nil, err
		}
		computed["certificates"] = map[string]any{"bundle": string(bundle)}
		p.keeps[key{"", "Secret", Namespace, authoritySecret}] = true
		if write {
			p.secret = secret
		}
	}
	if given, _, _ := unstructured.NestedSlice(o.Values, "networkPolicy", "apiServer", "ports"); given == nil && c.dynamic != nil {
		if ports := c.ports(ctx); ports != nil {
			computed["networkPolicy"] = map[string]any{"apiServer": map[string]any{"ports": ports}}
		}
	}
	objects, err := Render(ctx, Merge(o.Values, computed), c.Version)
	if err != nil {
		return nil, err
	}
	kept, err := keep(o.Values, o.Version)
	if err != nil {
		return nil, err
	}
	if p.Objects, err = inOrder(slices.Concat(objects, []*Object{kept}, o.Native, o.Mutating)); err != nil {
		return nil, err
	}
	var errs []error
	for _, object := range p.Objects {
		p.keeps[keyOf(object)] = true
		errs = append(errs, fits(object))
	}
	return p, errors.Join(errs...)
}

// computed are the values that an installation knows by itself.
func (o *Options) computed() (map[string]any, error) {
	values := map[string]any{"namespace": map[string]any{"create": true}, "rights": rights(slices.Concat(o.Native, o.Later, o.Mutating))}
	if len(o.Mutating) > 0 {
		var text strings.Builder
		if err := YAML(&text, o.Mutating); err != nil {
			return nil, err
		}
		given, _ := o.Values["guarded"].(string)
		if given = strings.TrimSpace(given); given != "" {
			given += "\n---\n"
		}
		values["guarded"] = given + text.String()
	}
	if said, _, _ := unstructured.NestedString(o.Values, "webhooks", "mutating"); said == "" || said == "auto" {
		said = "never"
		if o.Webhook {
			said = "always"
		}
		values["webhooks"] = map[string]any{"mutating": said}
	}
	return values, nil
}

// mostData bounds what a ConfigMap may hold, in bytes (k8s.io/kubernetes pkg/apis/core/validation, MaxSecretSize).
const mostData = 1 << 20

// fits is an error for a ConfigMap that no cluster takes, with what in it is largest.
func fits(o *Object) error {
	if o.GetKind() != "ConfigMap" {
		return nil
	}
	data, _, _ := unstructured.NestedStringMap(o.Object, "data")
	total := 0
	names := slices.Sorted(maps.Keys(data))
	for _, text := range data {
		total += len(text)
	}
	if total <= mostData {
		return nil
	}
	slices.SortStableFunc(names, func(a, b string) int { return len(data[b]) - len(data[a]) })
	var largest []string
	for _, name := range names[:min(3, len(names))] {
		largest = append(largest, fmt.Sprintf("%s %d KiB", name, len(data[name])>>10))
	}
	return &verdict.RemedyError{
		Err:    fmt.Errorf("%s would hold %d KiB, and a cluster takes 1024: %s", named(o), (total+1023)>>10, strings.Join(largest, ", ")),
		Remedy: "Give fewer rules, templates or statements, or shorter ones.",
	}
}

// believed is the bundle that the API server goes by now; nothing where there is none.
func (c *Cluster) believed(ctx context.Context) ([]byte, error) {
	o, err := c.get(ctx, c.kindNamed("ValidatingWebhookConfiguration"), "", gateName)
	if o == nil || err != nil {
		return nil, err
	}
	webhooks, _, _ := unstructured.NestedSlice(o.Object, "webhooks")
	for _, item := range webhooks {
		fields, _ := item.(map[string]any)
		if text, _, _ := unstructured.NestedString(fields, "clientConfig", "caBundle"); text != "" {
			return decoded(text), nil
		}
	}
	return nil, nil
}

// ports are those by which pods reach the API server: that of the service kubernetes, and those of its endpoints, which
// network policies see behind it. nil where the cluster does not tell.
func (c *Cluster) ports(ctx context.Context) []any {
	k := &kind{name: "EndpointSlice", group: "discovery.k8s.io", version: "v1", resource: "endpointslices"}
	slice, err := c.get(ctx, k, "default", "kubernetes")
	if err != nil || slice == nil {
		return nil
	}
	ports := []any{int64(443)}
	list, _, _ := unstructured.NestedSlice(slice.Object, "ports")
	for _, item := range list {
		fields, _ := item.(map[string]any)
		if port, ok := fields["port"].(int64); ok && !slices.Contains(ports, any(port)) {
			ports = append(ports, port)
		}
	}
	return ports
}

// rights are the names by which the gate's account may write what refuses natively: those of the plan, now and when exceptions have ended, and
// no other. Namespaces it never writes: their labels decide what everybody may do there.
func rights(native []*Object) map[string]any {
	names := map[string]any{}
	for _, o := range native {
		k, err := kindOf(o)
		if err != nil || !k.native {
			continue
		}
		list, _ := names[k.resource].([]any)
		if !slices.Contains(list, any(o.GetName())) {
			names[k.resource] = append(list, o.GetName())
		}
	}
	return names
}

// Apply makes the cluster be as planned: what refuses natively and the gate's own objects first, the configurations that send
// requests to the gate when it answers, and then what an earlier installation had and this one has not is removed.
func (c *Cluster) Apply(ctx context.Context, p *Plan, o Options) error {
	var early, late []*Object
	var kept *Object
	for _, object := range p.Objects {
		switch k, err := kindOf(object); {
		case err == nil && k.last:
			late = append(late, object)
		case object.GetKind() == "ConfigMap" && object.GetName() == keptConfigMap:
			kept = object
		default:
			early = append(early, object)
		}
	}
	if p.secret != nil { // after its namespace
		early = slices.Insert(early, 1, p.secret)
	}
	if !o.Adopt {
		if err := c.unowned(ctx, p); err != nil {
			return err
		}
	}
	if err := c.wouldTake(ctx, p.Objects); err != nil {
		return err
	}
	if err := c.applyAll(ctx, early); err != nil {
		return err
	}
	// Only what the cluster takes is kept: else the next installation would fail by what this one was told.
	if err := c.apply(ctx, kept); err != nil {
		return err
	}
	o.Tell("applied %d objects, %d of them enforce the plan without the gate", len(early)+1, len(o.Native))
	if o.Wait > 0 {
		if err := c.await(ctx, o.Wait); err != nil {
			return err
		}
		o.Tell("the gate answers")
	}
	if err := c.applyAll(ctx, late); err != nil {
		return err
	}
	o.Tell("applied %d objects that send requests to it, or change objects", len(late))
	surplus, foreign, err := c.surplus(ctx, p, o.Adopt)
	if err != nil {
		return err
	}
	removed, err := c.removeAll(ctx, surplus)
	if removed > 0 {
		o.Tell("removed %d objects that this installation does not have", removed)
	}
	for _, line := range foreignLines(foreign) {
		o.Tell("%s", line)
	}
	return errors.Join(err, c.releaseNamespaces(ctx, p.keeps))
}

// atOnce is how many objects are written beside one another.
const atOnce = 8

// wouldTake tells what the cluster holds invalid, before anything is written: an installation that fails halfway would leave the rest for
// people to mend. Policies it is not asked about, for they are made of what was checked and are many. What cannot be told yet, since
// the namespace is not there or somebody's webhook takes no trial, writing will tell.
func (c *Cluster) wouldTake(ctx context.Context, objects []*Object) error {
	errs := make([]error, len(objects))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, o := range objects {
		k, err := kindOf(o)
		if err != nil {
			return err
		}
		if k.native && !k.mutating() {
			continue
		}
		group.Go(func() error {
			_, err := c.at(k, o.GetNamespace()).Create(ctx, o, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: manager, FieldValidation: metav1.FieldValidationStrict})
			if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) && strings.Contains(err.Error(), "strict decoding") {
				errs[i] = &verdict.RemedyError{
					Err:    fmt.Errorf("%s: the cluster would not take it: %w", named(o), err),
					Remedy: "Mend the value that it comes from (deploy/chart/values.yaml tells what there is); nothing was changed.",
				}
			}
			return nil
		})
	}
	_ = group.Wait() // it has no errors of its own
	return firstOf(errs)
}

// applyAll applies objects of one kind at a time, and those of one kind beside one another.
func (c *Cluster) applyAll(ctx context.Context, objects []*Object) error {
	for begin := 0; begin < len(objects); {
		end := begin
		for end < len(objects) && objects[end].GetKind() == objects[begin].GetKind() {
			end++
		}
		errs := make([]error, end-begin)
		var group errgroup.Group
		group.SetLimit(atOnce)
		for i, o := range objects[begin:end] {
			group.Go(func() error {
				errs[i] = c.apply(ctx, o)
				return nil
			})
		}
		_ = group.Wait() // it has no errors of its own
		if err := firstOf(errs); err != nil {
			return err
		}
		begin = end
	}
	return nil
}

// firstOf joins the first few errors: when the cluster refuses one of hundreds, it often refuses all.
func firstOf(errs []error) error {
	const most = 5
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if more := len(errs) - most; more > 0 {
		errs = append(errs[:most], fmt.Errorf("and %d more of this kind", more))
	}
	return errors.Join(errs...)
}

// own lists what carries our label: what can be anywhere (roles are in kube-system, too) in all namespaces, the rest, Secrets above
// all, in the gate's alone.
func (c *Cluster) own(ctx context.Context, k *kind) ([]*Object, error) {
	if k.cluster || k.native || k.group == rbacGroup {
		return c.list(ctx, k, "", ours)
	}
	return c.list(ctx, k, Namespace, ours)
}
