package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/verdict"
)

// namespaceKind is watched always: plans select by labels of namespaces.
const namespaceKind = "Namespace"

// Watch knows the objects of some kinds in a cluster. It never reads a Secret.
type Watch struct {
	client    dynamic.Interface
	discovery discovery.DiscoveryInterface
	log       *slog.Logger

	mutex   sync.RWMutex
	kinds   map[string]*kindWatch // by "Kind.group"
	changed chan struct{}         // tells that kinds were added
	view    view
}

// NewWatch makes a watch of a cluster; Run begins it.
func NewWatch(config *rest.Config, l *slog.Logger) (*Watch, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = 20, 40
	config.WarningHandler = rest.NoWarnings{}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client of the cluster: %w", err)
	}
	found, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client of the cluster: %w", err)
	}
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	w := &Watch{client: client, discovery: found, log: l, kinds: map[string]*kindWatch{}, changed: make(chan struct{}, 1)}
	w.Want([]string{namespaceKind}, nil)
	return w, nil
}

// Version is the API server's Kubernetes version: "1.36".
func (w *Watch) Version() (string, error) {
	v, err := w.discovery.ServerVersion()
	if err != nil {
		return "", fmt.Errorf("ask the API server for its version: %w", err)
	}
	return strings.TrimSpace(v.Major) + "." + strings.TrimRight(v.Minor, "+"), nil
}

// Want adds kinds to those that are watched; Secrets are never. Of those that are wanted everywhere an inventory has the
// objects of all namespaces.
func (w *Watch) Want(kinds, everywhere []string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.view.widen(everywhere)
	for _, kind := range kinds {
		if w.kinds[kind] == nil {
			w.kinds[kind] = &kindWatch{kind: kind, view: &w.view}
		}
	}
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// rediscover is how often the API server is asked anew whether it serves what it did not serve.
const rediscover = time.Minute

// Run watches until the context ends.
func (w *Watch) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	tick := time.NewTicker(rediscover)
	defer tick.Stop()
	wait := time.Duration(0)
	for {
		err := w.begin(ctx, group)
		if err != nil {
			w.log.Error("ask what the API server serves", "error", err.Error())
			wait = min(max(2*wait, time.Second), rediscover/2)
		} else {
			wait = rediscover
		}
		again := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			again.Stop()
			return group.Wait()
		case <-w.changed:
		case <-tick.C:
		case <-again.C:
		}
		again.Stop()
	}
}

// begin watches the kinds that are not watched yet and that the API server serves.
func (w *Watch) begin(ctx context.Context, group *errgroup.Group) error {
	waiting := w.unbegun()
	if len(waiting) == 0 {
		return nil
	}
	served, err := w.served()
	if err != nil {
		return err
	}
	for _, k := range waiting {
		resource, is := served[k.kind]
		switch {
		case k.kind == "Secret":
			k.fail(verdict.GapForbidden, "The gate reads no Secrets.")
		case !is:
			k.absent() // there are no objects of a kind that nobody serves
		default:
			group.Go(func() error { return k.run(ctx, w.client.Resource(resource)) })
		}
	}
	return nil
}

func (w *Watch) unbegun() []*kindWatch {
	w.mutex.RLock()
	defer w.mutex.RUnlock()
	var list []*kindWatch
	for _, k := range w.kinds {
		if !k.began() {
			list = append(list, k)
		}
	}
	return list
}

// served is what the API server serves each kind as. Groups that do not answer leave their kinds out, which then are asked for again.
func (w *Watch) served() (map[string]schema.GroupVersionResource, error) {
	lists, err := w.discovery.ServerPreferredResources()
	if err != nil && len(lists) == 0 {
		return nil, err
	}
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, err
	}
	served := map[string]schema.GroupVersionResource{}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for i := range list.APIResources {
			r := &list.APIResources[i]
			kind := r.Kind
			if version.Group != "" {
				kind += "." + version.Group
			}
			if !strings.Contains(r.Name, "/") && watchable(r) {
				served[kind] = version.WithResource(r.Name)
			}
		}
	}
	return served, nil
}

func watchable(r *metav1.APIResource) bool {
	return slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "watch")
}

// Waiting are the kinds of which nothing is known yet, though nobody refused them; sorted.
func (w *Watch) Waiting() []string {
	w.mutex.RLock()
	defer w.mutex.RUnlock()
	var list []string
	for kind, k := range w.kinds {
		if !k.settled() {
			list = append(list, kind)
		}
	}
	slices.Sort(list)
	return list
}

// Labels are those of a namespace.
func (w *Watch) Labels(namespace string) (labels map[string]string, known bool) {
	w.mutex.RLock()
	k := w.kinds[namespaceKind]
	w.mutex.RUnlock()
	seen := k.find("", namespace)
	if seen == nil || seen.object.Doubt != "" {
		return nil, false
	}
	labels = map[string]string{}
	for key, v := range seen.object.Labels().Fields() {
		labels[key] = v.Str()
	}
	return labels, true
}

// Among is the objects of a namespace and those of none, and what of them is not known.
func (w *Watch) Among(namespace string) *judge.Among {
	w.mutex.RLock()
	defer w.mutex.RUnlock()
	return w.view.of(namespace, w.kinds)
}

// Objects are those of a kind that is watched, of all namespaces, in the order of their names; none while they are not known.
func (w *Watch) Objects(kind string) []*fact.Object {
	k := w.kind(kind)
	if k == nil {
		return nil
	}
	list, gap := k.in(all, nil)
	if gap != nil {
		return nil
	}
	slices.SortFunc(list, func(a, b *fact.Object) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// Changes counts what has been seen to change of a kind's objects.
func (w *Watch) Changes(kind string) uint64 {
	if k := w.kind(kind); k != nil {
		return k.changes.Load()
	}
	return 0
}

func (w *Watch) kind(kind string) *kindWatch {
	w.mutex.RLock()
	defer w.mutex.RUnlock()
	return w.kinds[kind]
}

// gapOf is why objects of a kind are not known.
func gapOf(err error) (verdict.GapCode, string) {
	if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
		return verdict.GapForbidden, "The gate's credentials may not list and watch it."
	}
	if errors.Is(err, context.Canceled) {
		return verdict.GapUnreachable, "The gate is ending."
	}
	return verdict.GapUnreachable, "The API server did not answer."
}
