package enforcer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// Enforcer keeps a node's rules as the cluster's policies say.
type Enforcer struct {
	// Apply hands a script to nft on the node.
	Apply func(ctx context.Context, ruleset string) error

	mutex   sync.Mutex
	applied map[string]string // by namespace/name of what is in force, its version
}

// Run enforces until ctx ends, and returns earlier only with an error.
func (e *Enforcer) Run(ctx context.Context, config *rest.Config) error {
	changed := make(chan struct{}, 1)
	var running sync.WaitGroup
	defer running.Wait()
	ctx, end := context.WithCancel(ctx)
	defer end() // before the informers are waited for
	watch := func(group schema.GroupVersion, resource string, of runtime.Object) (cache.Store, error) {
		informer, err := newInformer(config, group, resource, of, changed)
		if err != nil {
			return nil, err
		}
		running.Go(func() { informer.RunWithContext(ctx) })
		if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
			return nil, fmt.Errorf("list %s: %w", resource, ctx.Err())
		}
		return informer.GetStore(), nil
	}
	pods, err := watch(core.SchemeGroupVersion, "pods", &core.Pod{})
	if err != nil {
		return err
	}
	namespaces, err := watch(core.SchemeGroupVersion, "namespaces", &core.Namespace{})
	if err != nil {
		return err
	}
	policies, err := watch(networking.SchemeGroupVersion, "networkpolicies", &networking.NetworkPolicy{})
	if err != nil {
		return err
	}
	for last := ""; ; {
		s := &State{Pods: all[*core.Pod](pods), Namespaces: all[*core.Namespace](namespaces), Policies: all[*networking.NetworkPolicy](policies)}
		s.sort()
		if last, err = e.enforce(ctx, s, last); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// newInformer wakes whoever reads changed with every object of a resource that changes.
func newInformer(config *rest.Config, group schema.GroupVersion, resource string, of runtime.Object, changed chan<- struct{}) (cache.SharedIndexInformer, error) {
	c := rest.CopyConfig(config)
	c.GroupVersion, c.APIPath, c.NegotiatedSerializer = &group, "/apis", scheme.Codecs.WithoutConversion()
	if group.Group == "" {
		c.APIPath = "/api"
	}
	client, err := rest.RESTClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", resource, err)
	}
	wake := func() {
		select {
		case changed <- struct{}{}:
		default: // it is known already that something has changed
		}
	}
	informer := cache.NewSharedIndexInformer(cache.NewListWatchFromClient(client, resource, "", fields.Everything()), of, 0, nil)
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { wake() }, UpdateFunc: func(any, any) { wake() }, DeleteFunc: func(any) { wake() },
	})
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", resource, err)
	}
	return informer, nil
}

// all are the objects of a store.
func all[T any](store cache.Store) []T {
	var list []T
	for _, o := range store.List() {
		if typed, ok := o.(T); ok {
			list = append(list, typed)
		}
	}
	return list
}

// enforce applies the rules of a state unless they are those that were applied last, and returns them.
func (e *Enforcer) enforce(ctx context.Context, s *State, last string) (string, error) {
	rules, err := s.Ruleset()
	if err != nil {
		return "", err
	}
	if rules != last {
		if err := e.Apply(ctx, rules); err != nil && ctx.Err() == nil {
			return "", fmt.Errorf("apply rules: %w", err)
		}
	}
	e.note(s)
	return rules, nil
}

// sort makes equal states give equal rules.
func (s *State) sort() {
	slices.SortFunc(s.Pods, func(a, b *core.Pod) int { return cmp.Compare(place(a), place(b)) })
	slices.SortFunc(s.Namespaces, func(a, b *core.Namespace) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Policies, func(a, b *networking.NetworkPolicy) int { return cmp.Compare(place(a), place(b)) })
}

func place(o meta.Object) string { return o.GetNamespace() + "/" + o.GetName() }

func (e *Enforcer) note(s *State) {
	applied := map[string]string{}
	for _, policy := range s.Policies {
		applied[place(policy)] = policy.ResourceVersion
	}
	for _, pod := range s.running() {
		applied["pod "+place(pod)] = pod.Status.PodIP
	}
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.applied = applied
}

// InForce says whether exactly these policies are in force, each in the version it has, and whether these pods' addresses are known.
func (e *Enforcer) InForce(policies []networking.NetworkPolicy, pods []core.Pod) bool {
	want := map[string]string{}
	for i := range policies {
		want[place(&policies[i])] = policies[i].ResourceVersion
	}
	e.mutex.Lock()
	defer e.mutex.Unlock()
	for i := range pods {
		if enforced(&pods[i]) {
			want["pod "+place(&pods[i])] = pods[i].Status.PodIP
		}
	}
	if len(want) != len(e.applied) {
		return false
	}
	for key, version := range want {
		if e.applied[key] != version {
			return false
		}
	}
	return true
}
