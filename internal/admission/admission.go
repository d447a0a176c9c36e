// Package admission decides AdmissionReviews: the bytes of one in, the bytes of its answer out. What is wrong with an
// object judge says, by the rules that scan asks; how a rule holds where says the plan of enforcement. What
// else it needs to know (other objects, images) it is handed. It is pure: no I/O, no clock of its own, no goroutine; the
// server is internal/gate.
package admission

import (
	"context"
	"slices"
	"time"

	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// Surroundings is what is known of a cluster beside the object of a request.
type Surroundings interface {
	// Among is the objects of a namespace and those of none, of the kinds that rules want everywhere those of all
	// namespaces (Desk.Around), and what of them is not known.
	Among(namespace string) *judge.Among
	// Labels are those of a namespace; known is false where nobody can say.
	Labels(namespace string) (labels map[string]string, known bool)
}

// Clearance is what is known of images.
type Clearance interface {
	// Clear answers for each image, never later than the context ends. The findings are shared: nobody may change them. Where the
	// request only asks what would be (IsDry), nothing comes of it: no image is queued to be looked into.
	Clear(ctx context.Context, images []string, at enforcement.Place) []Cleared
}

// State says whether anything is known of an image.
type State uint8

// The states.
const (
	Known  State = iota // it was looked into, and Findings are what was found
	Queued              // nobody has looked into it yet
	Failed              // it could not be looked into
)

// Cleared is what is known of one image.
type Cleared struct {
	Digest   string
	Findings []verdict.Finding
	State    State
	Why      string // why nothing is known
	At       time.Time
}

// Operation is one operation of an RFC 6902 patch.
type Operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// Options are what decisions depend on.
type Options struct {
	Plan     *enforcement.Plan
	Rules    []*rule.Compiled
	Settings rule.Settings
	// Exceptions excuse findings, as far as they can be held where objects come one by one (exception.Held); Lifetime is how far ahead one may expire, 0 for judge's own. With Inline those count, too, that
	// stand in the annotations of the object itself: whoever may create it may then excuse it.
	Exceptions []verdict.Exception
	Lifetime   time.Duration
	Inline     bool
	// Version is that of the API server.
	Version string
	// Surroundings is nil where no cluster is known: rules that ask for other objects are then unknown.
	Surroundings Surroundings
	// Clearance is nil where images are not looked into.
	Clearance Clearance
	// Mutate is what is to be changed of an object; nil for nothing. The operations are sound beside an error.
	Mutate func(ctx context.Context, o *fact.Object, at enforcement.Place) ([]Operation, error)
	// Drift is what of an object that was changed is no longer as Mutate would make it, and cannot be mended any more, in sentences; nil
	// for nothing.
	Drift func(o *fact.Object, at enforcement.Place) []string
	// Skips leaves rules to others that enforce them where the gate would; nil for none.
	Skips func(r *rule.Rule) bool
	Now   func() time.Time
	// Width is how many reviews are decided at a time, as far as memory is kept for them.
	Width int
}

// Desk decides. Safe for concurrent use.
type Desk struct {
	Options
	rules    []*rule.Compiled                // those that can be judged here
	onImages []*rule.Compiled                // those on what images hold, which the clearance answers
	byID     map[string]*rule.Compiled       // of all rules
	excusing map[string][]*verdict.Exception // by rule, those that can be held
	// excusingImages are those for what images hold: a digest says what that is, whoever runs it.
	excusingImages map[string][]*verdict.Exception
	*courts
}

type dryKey struct{}

// IsDry says whether nothing is to come of a request (dryRun): what there is of it is what is known already.
func IsDry(ctx context.Context) bool { return ctx.Value(dryKey{}) != nil }

// Dry is the context of such a request.
func Dry(ctx context.Context) context.Context { return context.WithValue(ctx, dryKey{}, true) }

// about is the context of a request.
func (q *request) about(ctx context.Context) context.Context {
	if q.dryRun {
		return Dry(ctx)
	}
	return ctx
}

// New makes a desk.
func New(o Options) *Desk {
	d := &Desk{
		Options: o, byID: map[string]*rule.Compiled{}, courts: newCourts(),
	}
	for _, r := range o.Rules {
		d.byID[r.ID] = r
		if r.Match.Fact == "image" {
			d.onImages = append(d.onImages, r)
		}
		if Unjudged(r) == "" && (o.Skips == nil || !o.Skips(r.Rule)) {
			d.rules = append(d.rules, r)
		}
	}
	held, _ := exception.Held(o.Exceptions)
	d.excusing = byRule(held)
	d.excusingImages = byRule(slices.Concat(held, exception.OfImages(o.Exceptions)))
	return d
}

// byRule are exceptions by each of the rules that they are for.
func byRule(list []verdict.Exception) map[string][]*verdict.Exception {
	all := map[string][]*verdict.Exception{}
	for i := range list {
		for _, id := range slices.Compact(slices.Sorted(slices.Values(list[i].Rules))) {
			all[id] = append(all[id], &list[i])
		}
	}
	return all
}
