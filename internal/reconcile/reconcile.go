// Package reconcile keeps in a cluster what the API server enforces by itself: admission policies and their bindings,
// ResourceQuotas and LimitRanges, made of rules, a plan, exceptions and settings. Of several processes one leads, by a
// Lease. It restores what is edited or deleted, removes what is no longer wanted and exceptions at their end, and tells of
// objects that others keep when they are not as they should be. What it makes holds without it. It judges nothing.
package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

const (
	// LeaseName is the Lease by which one of several processes leads.
	LeaseName = "coaming-gate"
	// FieldManager owns the fields of what is kept (server-side apply).
	FieldManager = "coaming-gate"
	// KeptBy is the label of what is kept: nothing without it is ever removed.
	KeptBy = "coaming.dev/kept-by"
	// Keeper is its value.
	Keeper = "gate"
)

// Wanted is what is to hold.
type Wanted struct {
	Rules      []*rule.Rule
	Plan       *enforcement.Plan
	Exceptions []verdict.Exception
	Settings   rule.Settings
	// Lifetime is how far ahead an exception may expire.
	Lifetime time.Duration
	// Guarded are objects that who installs keeps, webhook configurations and mutating policies above all: it is told when
	// one is missing or not as it stands here, and with Options.Repair it is restored.
	Guarded []*unstructured.Unstructured
	// Writable are the names that may be written, by resource; nil where any may. What is wanted beside them is told, and not tried.
	Writable map[string][]string
	// Undone is what is wanted that only who installs can do, and has not done: it is told.
	Undone []string
}

// Options say for whom the cluster is kept.
type Options struct {
	Config *rest.Config
	// Namespace is Coaming's own: of the Lease and the Events.
	Namespace string
	// Identity tells this process from others.
	Identity string
	// Wanted is asked before each pass; it gives the same pointer until something has changed. While it fails, what was last
	// wanted is kept.
	Wanted func(ctx context.Context) (*Wanted, error)
	// Changed is received from when it is worth asking anew; may be nil.
	Changed <-chan struct{}
	// Mounts are where the files come from that Wanted reads: while they lag behind, nothing is kept, and nothing removed.
	Mounts []Mount
	// Repair says that guarded objects are restored. It takes rights by which one may become administrator (docs/policies.md).
	Repair bool
	Log    *slog.Logger
	// Now is the clock; time.Now where it is nil.
	Now func() time.Time
	// Lead is how long a leader's word counts; 15 seconds where it is 0.
	Lead time.Duration
}

// Reconciler keeps one cluster.
type Reconciler struct {
	Options
	dynamic dynamic.Interface
	client  kubernetes.Interface
	state   state
}

// New makes a reconciler; nothing is asked of the cluster before Run.
func New(o Options) (*Reconciler, error) {
	if o.Config == nil || o.Wanted == nil || o.Namespace == "" || o.Identity == "" {
		return nil, errors.New("reconcile: Config, Namespace, Identity and Wanted are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Lead = cmp.Or(o.Lead, 15*time.Second)
	config := rest.CopyConfig(o.Config)
	config.QPS, config.Burst = max(config.QPS, 50), max(config.Burst, 100) // a first pass writes some hundred objects
	r := &Reconciler{Options: o}
	var err error
	if r.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	// The Lease is renewed by a client of its own, which never waits behind those writes.
	if r.client, err = kubernetes.NewForConfig(rest.CopyConfig(o.Config)); err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return r, nil
}

// Run keeps the cluster whenever this process leads, until the context ends. It survives an API server that goes away.
func (r *Reconciler) Run(ctx context.Context) error {
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: r.Namespace, Name: LeaseName},
		Client:     r.client.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: r.Identity},
	}
	for ctx.Err() == nil {
		var working sync.WaitGroup
		led := make(chan struct{}) // closed once the work of this term has begun, or will not
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: lock, Name: LeaseName, ReleaseOnCancel: true,
			LeaseDuration: r.Lead, RenewDeadline: r.Lead * 2 / 3, RetryPeriod: r.Lead * 2 / 15,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(term context.Context) {
					working.Add(1)
					close(led)
					defer working.Done()
					r.lead(term)
				},
				OnStoppedLeading: func() {},
			},
		})
		if err != nil {
			return fmt.Errorf("elect a leader: %w", err)
		}
		elector.Run(ctx)
		select {
		case <-led:
			working.Wait()
		default:
		}
		r.state.follow()
	}
	return nil
}
