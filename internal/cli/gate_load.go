package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/bundle"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/clearance"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/gate"
	"github.com/coaming/coaming/internal/heap"
	"github.com/coaming/coaming/internal/inject"
	"github.com/coaming/coaming/internal/install"
	"github.com/coaming/coaming/internal/policy"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// auditAll is the plan where none is named.
const auditAll = "apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nspec: {mode: audit}\n"

// gateLoader makes what the gate decides by, anew each time.
type gateLoader struct {
	*gateOptions
	env   *Env
	watch *gate.Watch
	// clearance looks into images; nil where nobody asked for it. plans holds the plan that was loaded last.
	clearance *clearance.Clearance
	plans     atomic.Pointer[enforcement.Plan]
}

// paths are the files that are read again when they change. What a registry serves is named by its digest, and never does.
func (l *gateLoader) paths() []string {
	var paths []string
	for _, path := range slices.Concat([]string{l.plan, l.path(), l.keep.guarded, l.keep.rights}, l.exceptionFlags.paths(), l.templates, l.customFlags.from, l.keys) {
		if path != "" && !strings.HasPrefix(path, bundle.Scheme) {
			paths = append(paths, path)
		}
	}
	return paths
}

// granted are the exceptions that stand as objects in the cluster, as far as they count: each reaches its own namespace, and
// those of Coaming's own every one.
func (l *gateLoader) granted() []verdict.Exception {
	if l.watch == nil || !l.takes("cluster") {
		return nil
	}
	return exception.Of(l.watch.Objects(exception.Kind), false, true)
}

// changes tells when what a gate decides by is another.
type changes struct {
	files gate.Files
	watch *gate.Watch
	mutex sync.Mutex
	seen  uint64
}

func (l *gateLoader) changes() *changes {
	c := &changes{files: gate.Files{Paths: l.paths()}}
	if l.takes("cluster") {
		c.watch = l.watch
	}
	c.Changed()
	return c
}

// Changed says whether anything has changed since it was asked last.
func (c *changes) Changed() bool {
	changed := c.files.Changed()
	if c.watch == nil {
		return changed
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	now := c.watch.Changes(exception.Kind)
	changed, c.seen = changed || now != c.seen, now
	return changed
}

// ruled is what was read of the files.
type ruled struct {
	plan  *enforcement.Plan
	rules []*rule.Compiled
	admission.Options
	// guarded are the objects that who installs keeps; injector makes the plan's mutations, nil where there are none.
	guarded  []*install.Object
	injector *inject.Injector
}

// read reads the files; every problem of them is told at once.
func (l *gateLoader) read(ctx context.Context) (*ruled, error) {
	text, name := auditAll, "plan"
	var errs []error
	if l.plan != "" {
		var err error
		if text, err = readBounded(l.plan); err != nil {
			return nil, &verdict.RemedyError{Err: fmt.Errorf("read the plan: %w", err), Remedy: "See docs/gate.md for what stands there."}
		}
		name = filepath.ToSlash(l.plan)
	}
	rules, unread := l.all(ctx, l.env, nil, catalog.Brief)
	plan, err := enforcement.Read(name, text)
	if unread == nil {
		plan, err = enforcement.ReadFor(name, text, plain(rules))
	}
	errs = append(errs, err, unread)
	excuses, err := l.exceptionFlags.load()
	errs = append(errs, err)
	settings, err := l.settingFlags.load()
	errs = append(errs, err)
	guarded, err := l.keep.readGuarded()
	errs = append(errs, err)
	errs = append(errs, checkBarred(settings, l.ids))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	excuses.exceptions = append(excuses.exceptions, l.granted()...)
	l.find(&excuses, nil, l.ids)
	r := &ruled{plan: plan, rules: rules, guarded: guarded, Options: admission.Options{
		Plan: plan, Rules: rules, Settings: settings, Exceptions: excuses.exceptions, Lifetime: l.lifetime(), Inline: l.takes("inline"),
		Version: cmp.Or(l.kubeVersion, catalog.Newest), Now: l.env.Now, Width: 4 * runtime.GOMAXPROCS(0),
	}}
	if plan.Rest {
		r.Skips = func(one *rule.Rule) bool { return r.native(one) == nil }
	}
	if l.watch != nil {
		r.Surroundings = l.watch
	}
	if l.clearance != nil {
		r.Clearance = l.clearance
	}
	return r, l.mutating(r)
}

// native is why the API server cannot decide a rule by itself; nil where it can.
func (r *ruled) native(one *rule.Rule) error {
	_, err := policy.Validating(one, policy.Options{Version: r.Version, Actions: []string{"Deny"}, Settings: r.Settings})
	return err
}

func (l *gateLoader) load(ctx context.Context) (*gate.Ruling, error) {
	r, err := l.read(ctx)
	if err != nil {
		return nil, err
	}
	l.plans.Store(r.plan)
	if l.clearance != nil {
		l.clearance.SetRules(r.rules, r.Settings)
	}
	judged := 0
	for _, one := range r.rules {
		if admission.Unjudged(one) == "" {
			judged++
		}
	}
	if warning := unaskedText(plain(r.rules), r.plan, policy.Options{Version: r.Version, Settings: r.Settings}); warning != "" {
		_, _ = fmt.Fprintln(l.env.Stderr, "coaming: "+warning)
	}
	desk := admission.New(r.Options)
	heap.Settle() // what made it is no longer needed
	return &gate.Ruling{
		Desk: desk, Timeout: r.plan.Default.Timeout, Alone: r.alone(),
		Summary: fmt.Sprintf("%d rules judged, %d entries, %s otherwise, %d exceptions", judged, len(r.plan.Entries), r.plan.Default.Mode, len(r.Exceptions)),
	}, nil
}

// list shows where each rule is judged.
func (l *gateLoader) list(ctx context.Context) error {
	r, err := l.read(ctx)
	if err != nil {
		return err
	}
	counts := map[string]int{}
	table := tabwriter.NewWriter(l.env.Stdout, 0, 0, 2, ' ', 0)
	for _, one := range r.rules {
		native, unjudged := r.native(one.Rule), admission.Unjudged(one)
		if _, why := policy.Webhook(one.Rule); unjudged == "" && why != "" {
			unjudged = "not judged on admission: " + why
		}
		var where []string
		if native == nil {
			where = append(where, "native")
		}
		if unjudged == "" && (native != nil || !r.plan.Rest) {
			where = append(where, "webhook")
		}
		why := ""
		if len(where) == 0 {
			where, why = []string{"background"}, unjudged
		} else if native != nil {
			why = "not native: " + native.Error()
		}
		word := strings.Join(where, ", ")
		counts[word]++
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", one.ID, r.plan.Of(one.Rule, enforcement.Place{LabelsKnown: true}).Mode, word, why)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("write the list: %w", err)
	}
	_, err = io.WriteString(l.env.Stdout, fmt.Sprintf("%d rules: %d native and webhook, %d native alone, %d webhook alone, %d in the background\n",
		len(r.rules), counts["native, webhook"], counts["native"], counts["webhook"], counts["background"]))
	return err
}
