package enforcer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
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
func (e *Enforcer) Run(ctx context.Context, client kubernetes.Interface) error {
	factory := informers.NewSharedInformerFactory(client, 0)
	defer factory.Shutdown()
	pods, namespaces := factory.Core().V1().Pods(), factory.Core().V1().Namespaces()
	policies := factory.Networking().V1().NetworkPolicies()
	changed := make(chan struct{}, 1)
	wake := func() {
		select {
		case changed <- struct{}{}:
		default: // it is known already that something has changed
		}
	}
	for _, informer := range []cache.SharedIndexInformer{pods.Informer(), namespaces.Informer(), policies.Informer()} {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { wake() }, UpdateFunc: func(any, any) { wake() }, DeleteFunc: func(any) { wake() },
		}); err != nil {
			return fmt.Errorf("watch: %w", err)
		}
	}
	ctx, end := context.WithCancel(ctx)
	defer end() // before Shutdown waits
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	for last := ""; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
		var s State
		var errs [3]error
		s.Pods, errs[0] = pods.Lister().List(labels.Everything())
		s.Namespaces, errs[1] = namespaces.Lister().List(labels.Everything())
		s.Policies, errs[2] = policies.Lister().List(labels.Everything())
		if err := errors.Join(errs[:]...); err != nil {
			return fmt.Errorf("list: %w", err)
		}
		s.sort()
		rules, err := s.Ruleset()
		if err != nil {
			return err
		}
		if rules != last {
			if err := e.Apply(ctx, rules); err != nil && ctx.Err() == nil {
				return fmt.Errorf("apply rules: %w", err)
			}
		}
		last = rules
		e.note(&s)
	}
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
	for _, pod := range s.all() {
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
