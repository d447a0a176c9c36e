package reconcile

import (
	"fmt"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	typedcore "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
)

// Counts is what a reconciler has done, for its metrics.
type Counts struct {
	Leading bool
	// Wanted is how many objects are to be in the cluster.
	Wanted int
	// Written, Restored, Pruned and Fought are by kind: written since they were wanted anew, restored after somebody else's doing,
	// removed since no longer wanted, and left for a while since somebody keeps changing them.
	Written, Restored, Pruned, Fought map[string]uint64
	// Failed are passes that could not keep everything; Passed is the last one that could.
	Failed uint64
	Passed time.Time
	// LastError is why the last pass could not; "" where it could.
	LastError string
	// Drift is how guarded objects differ from what they should be, by object.
	Drift map[string]string
	// Undone is what is wanted that only who installs can do.
	Undone []string
	// Unlisted are the resources that cannot be listed or watched, with the reason.
	Unlisted map[string]string
}

// state is what is known of a reconciler; safe for several goroutines.
type state struct {
	mu       sync.Mutex
	counts   Counts
	recorder record.EventRecorder
}

// Counts is what was done until now.
func (r *Reconciler) Counts() Counts {
	r.state.mu.Lock()
	defer r.state.mu.Unlock()
	c := r.state.counts
	c.Written, c.Restored, c.Pruned, c.Fought = maps.Clone(c.Written), maps.Clone(c.Restored), maps.Clone(c.Pruned), maps.Clone(c.Fought)
	c.Drift, c.Unlisted = maps.Clone(c.Drift), maps.Clone(c.Unlisted)
	return c
}

func (s *state) change(f func(*Counts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.counts)
}

func count(m *map[string]uint64, kind string) {
	if *m == nil {
		*m = map[string]uint64{}
	}
	(*m)[kind]++
}

func (s *state) lead()                { s.change(func(c *Counts) { c.Leading = true }) }
func (s *state) follow()              { s.change(func(c *Counts) { c.Leading = false }) }
func (s *state) undone(list []string) { s.change(func(c *Counts) { c.Undone = list }) }
func (s *state) wants(n int)          { s.change(func(c *Counts) { c.Wanted = n }) }
func (s *state) wrote(kind string)    { s.change(func(c *Counts) { count(&c.Written, kind) }) }
func (s *state) restored(kind string) { s.change(func(c *Counts) { count(&c.Restored, kind) }) }
func (s *state) pruned(kind string)   { s.change(func(c *Counts) { count(&c.Pruned, kind) }) }
func (s *state) fought(kind string)   { s.change(func(c *Counts) { count(&c.Fought, kind) }) }

func (s *state) passed(at time.Time, err error) {
	s.change(func(c *Counts) {
		if err != nil {
			c.Failed++
			c.LastError = err.Error()
			return
		}
		c.Passed, c.LastError = at, ""
	})
}

func (s *state) failed(resource string, err error) {
	s.change(func(c *Counts) {
		if err == nil {
			delete(c.Unlisted, resource)
			return
		}
		if c.Unlisted == nil {
			c.Unlisted = map[string]string{}
		}
		c.Unlisted[resource] = err.Error()
	})
}

func (s *state) drifting(told map[id]string) {
	s.change(func(c *Counts) {
		c.Drift = make(map[string]string, len(told))
		for key, how := range told {
			c.Drift[key.String()] = how
		}
	})
}

const (
	normal  = corev1.EventTypeNormal
	warning = corev1.EventTypeWarning
)

// recordEvents begins to write Events; the function that it gives ends it.
func (r *Reconciler) recordEvents() (stop func()) {
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&typedcore.EventSinkImpl{Interface: r.client.CoreV1().Events(r.Namespace)})
	r.state.mu.Lock()
	r.state.recorder = broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: FieldManager, Host: r.Identity})
	r.state.mu.Unlock()
	return broadcaster.Shutdown
}

// tell writes an Event, on the ConfigMap that says what is to hold, and a line to the log.
func (r *Reconciler) tell(kind, reason, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if kind == warning {
		r.Log.Warn("told", "reason", reason, "text", text)
	} else {
		r.Log.Info("told", "reason", reason, "text", text)
	}
	r.state.mu.Lock()
	recorder := r.state.recorder
	r.state.mu.Unlock()
	if recorder != nil {
		about := &corev1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: r.Namespace, Name: ConfigName}
		recorder.Event(about, kind, reason, text)
	}
}

// ConfigName is the ConfigMap that says what is to hold; Events are about it.
const ConfigName = "coaming-enforcement"
