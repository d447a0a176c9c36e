package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// How the API server is asked. It serves others at the same time: few requests at once, each with an end.
const (
	clusterWidth   = 4                // lists at once
	clusterQPS     = 50               // requests a second, kubectl's own order of magnitude
	clusterBurst   = 100              // requests before that counts
	requestTimeout = 60 * time.Second // the API server's own limit for a list
	probeTimeout   = 10 * time.Second // long enough for an answer, short enough to wait for none
	defaultPage    = 500              // objects a page, as kubectl asks
)

// ClusterOptions says which cluster is read and what of it.
type ClusterOptions struct {
	// Config is how to reach the cluster, from a kubeconfig or from inside a pod. It is copied.
	Config *rest.Config
	// Context is the cluster's name to people: objects come from "cluster:CONTEXT".
	Context string
	// Kinds are what the rules need, "Kind" or "Kind.group"; empty is DefaultKinds. A kind of these
	// that may not be listed is a gap; one that the cluster does not serve has no objects.
	Kinds []string
	// Also are kinds that are read where that is allowed: one that may not be listed is told and is no
	// gap. Those of the namespace AlsoIn are read whatever Namespaces says.
	Also   []string
	AlsoIn string
	// Namespaces bounds what is read of namespaced kinds; empty is all.
	Namespaces []string
	// Pods keeps pods, ReplicaSets and Jobs whose controller was read too. They are many, and are
	// judged through their controller; without Pods they are counted and left out.
	Pods bool
	// Custom reads custom resources that nobody named, too, where their definition has a place for
	// a pod and Kinds has something that runs containers: those are worth a look, while everything
	// else of a cluster is nobody's business. One that may not be listed is told and is no gap.
	Custom bool
	// Thrift says what is not kept.
	Thrift Thrift
	// PageSize is how many objects are asked for at once, 500 when it is 0. Pages of large objects
	// hold fewer.
	PageSize int
	// UserAgent names the program to the API server's audit log: "coaming/1.2.3".
	UserAgent string
	// Progress is told how many of the lists are done. Never called twice at once.
	Progress func(done, total int)
}

// Cluster reads a live cluster: it lists and does nothing else. What the credentials may not list,
// and what was not read when the cluster went away, is in the coverage; there is an error only when
// nothing could be read. Objects come ordered by kind, namespace and name, as the API server stores
// them but for the bookkeeping (managed fields, status of all kinds but Node). Secrets are never
// asked for.
func Cluster(ctx context.Context, o ClusterOptions) (*Reading, error) {
	c, err := newCluster(o)
	if err != nil {
		return nil, err
	}
	// The client tells its own log what it returns as an error, too. Here it is told once.
	return c.read(klog.NewContext(ctx, klog.Logger{}))
}

// cluster is one reading of one cluster.
type cluster struct {
	o      ClusterOptions
	source string
	client *discovery.DiscoveryClient
	pause  time.Duration // before something that the server could not do is asked again

	lose context.CancelCauseFunc // ends every list: the cluster is gone

	mu          sync.Mutex
	done, total int
}

func newCluster(o ClusterOptions) (*cluster, error) {
	for _, ns := range o.Namespaces {
		if problems := rest.IsValidPathSegmentName(ns); ns == "" || len(problems) > 0 {
			return nil, &verdict.RemedyError{
				Err:    fmt.Errorf("read cluster: %q is no name of a namespace", ns),
				Remedy: "Name the namespaces as 'kubectl get namespaces' shows them.",
			}
		}
	}
	if o.PageSize <= 0 {
		o.PageSize = defaultPage
	}
	o.Namespaces = slices.Compact(slices.Sorted(slices.Values(o.Namespaces)))
	client, err := newClient(&o)
	if err != nil {
		return nil, &verdict.RemedyError{
			Err:    fmt.Errorf("configure client for cluster %s: %w", o.Context, err),
			Remedy: "Mend the kubeconfig: 'kubectl config view --minify' shows the part in use.",
		}
	}
	return &cluster{o: o, source: "cluster:" + o.Context, client: client, pause: time.Second}, nil
}

func (c *cluster) read(ctx context.Context) (*Reading, error) {
	served, err := c.discover(ctx)
	if err != nil {
		return nil, c.refusal(ctx, err)
	}
	r := &Reading{Live: true, Asked: slices.Compact(slices.Sorted(slices.Values(c.asked())))}
	r.Coverage.Sources = []string{c.source}
	c.readVersion(ctx, r)

	listing, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	c.lose = lose
	lists := c.plan(served)
	if c.o.Custom && runsContainers(c.asked()) {
		lists = append(lists, c.findCustom(listing, served, lists)...)
	}
	c.total = len(lists)
	c.run(listing, lists)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("read cluster %s: %w", c.o.Context, context.Cause(ctx))
	}
	slices.SortStableFunc(lists, func(a, b *list) int {
		return cmp.Or(cmp.Compare(a.groupKind(), b.groupKind()), cmp.Compare(a.namespace, b.namespace))
	})
	c.gather(r, lists)
	c.o.Thrift.fold(r)
	r.Coverage.Gaps = append(r.Coverage.Gaps, served.gaps(c.source, c.asked())...)
	if lost := context.Cause(listing); lost != nil && len(r.Objects) == 0 {
		return nil, c.refusal(ctx, lost)
	}
	c.exclude(r, served, lists)
	return r, nil
}

// asked is the kinds of which a missing list is a gap.
func (c *cluster) asked() []string {
	if len(c.o.Kinds) > 0 {
		return c.o.Kinds
	}
	return DefaultKinds()
}

// readVersion asks for the server's version. Without it rules that compare versions are unknown.
func (c *cluster) readVersion(ctx context.Context, r *Reading) {
	body, err := c.get(ctx, "/version", nil)
	if err == nil {
		doc, fault := document.ParseServed(body)
		if fault == nil {
			r.Version = clusterVersion(doc.Root().Get("major").Str(), doc.Root().Get("minor").Str())
		}
	}
	if r.Version != "" {
		return
	}
	message := "the cluster does not tell its version"
	if err != nil {
		message += ": " + err.Error()
	}
	r.gap(verdict.Gap{
		Code:     verdict.GapUnreachable,
		Location: verdict.Location{Source: c.source, File: "/version"},
		Message:  message,
		Remedy:   "Bind the ClusterRole system:public-info-viewer to the identity.",
		Kinds:    []string{"Version"}, // no object's kind: nothing but the version is missing
	})
}

// clusterVersion is "1.36" of what providers call it ("1" and "36+").
func clusterVersion(major, minor string) string {
	digits := func(s string) string {
		return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
	}
	major, minor = digits(major), digits(minor)
	if major == "" || minor == "" {
		return ""
	}
	return major + "." + minor
}

// run reads the lists that were not read yet, a few at once, and ends when all have ended.
func (c *cluster) run(ctx context.Context, lists []*list) {
	work := make(chan *list)
	var wg sync.WaitGroup
	for range min(clusterWidth, len(lists)) {
		wg.Go(func() {
			for l := range work {
				l.err = c.list(ctx, l)
				l.done = true
				c.progress()
			}
		})
	}
	for _, l := range lists {
		if !l.done {
			work <- l
		}
	}
	close(work)
	wg.Wait()
}

func (c *cluster) progress() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done++
	if c.o.Progress != nil && c.total > 0 { // while it is not known how many there are, there is nothing to tell
		c.o.Progress(c.done, c.total)
	}
}

// gather puts together what the lists gave, in their order.
func (c *cluster) gather(r *Reading, lists []*list) {
	var lost lostLists
	folded := 0
	for _, l := range lists {
		r.Objects = append(r.Objects, l.objects...)
		l.objects = nil
		folded += l.folded
		r.Coverage.Gaps = append(r.Coverage.Gaps, l.gaps...)
		gone, isGone := errors.AsType[*goneError](l.err)
		switch {
		case l.err == nil:
		case isGone:
			lost.add(l, gone)
		case l.unasked && statusCode(l.err) == forbidden:
			r.leaveOut(verdict.Exclusion{
				What:   l.groupKind(),
				Reason: l.unaskedReason(),
			})
		default:
			r.gap(l.gap(c.source))
		}
	}
	r.Coverage.Gaps = append(r.Coverage.Gaps, lost.gaps(c.source)...)
	r.Coverage.Documents = len(r.Objects) + folded
	if folded > 0 {
		told := equalPods
		told.Count = folded
		r.leaveOut(told)
	}
}

// exclude tells what was left out by design.
func (c *cluster) exclude(r *Reading, served *served, lists []*list) {
	tell := func(what, reason string, count int) {
		r.leaveOut(verdict.Exclusion{What: what, Reason: reason, Count: count})
	}
	tell("Secret", "secret values are never read from a cluster", 0)
	if !c.o.Pods {
		if left := r.dropMade(); left > 0 {
			tell("pods, ReplicaSets and Jobs that a controller made", "they are judged through their controller", left)
		}
	}
	if len(c.o.Namespaces) > 0 {
		tell("other namespaces", "only "+strings.Join(c.o.Namespaces, ", ")+" was asked for", 0)
	}
	for _, group := range served.unneeded(c.asked()) {
		tell("API group "+group, "the API server could not say what it serves there, and no rule asks for it by name", 0)
	}
	for _, l := range lists {
		if l.others > 0 {
			tell("custom resource kinds", "no rule asks for them by name and their definitions have no place for a pod", l.others)
		}
	}
}

// makers are the controllers, by the kind of what they make of the template that they carry.
var makers = map[string][]string{
	"Pod":                   {"ReplicaSet.apps", "StatefulSet.apps", "DaemonSet.apps", "Job.batch", "ReplicationController"},
	"ReplicaSet.apps":       {"Deployment.apps", "Rollout.argoproj.io"},
	"Job.batch":             {"CronJob.batch", "ScaledJob.keda.sh"},
	"ReplicationController": {"DeploymentConfig.apps.openshift.io"},
}

// dropMade leaves out what a controller made that was read itself, and counts it. An owner of
// another kind carries no template to judge instead, and one in another namespace is none.
func (r *Reading) dropMade() int {
	read := make(map[string]*fact.Object, len(r.Objects))
	for _, o := range r.Objects {
		if uid := o.Root.At("metadata", "uid").Str(); uid != "" {
			read[uid] = o
		}
	}
	before := len(r.Objects)
	r.Objects = slices.DeleteFunc(r.Objects, func(o *fact.Object) bool {
		kinds := makers[o.GroupKind()]
		if kinds == nil {
			return false
		}
		for _, ref := range o.Root.At("metadata", "ownerReferences").Items() {
			maker := read[ref.Get("uid").Str()]
			if ref.Get("controller").Bool() && maker != nil && maker.Namespace == o.Namespace && slices.Contains(kinds, maker.GroupKind()) {
				return true
			}
		}
		return false
	})
	return before - len(r.Objects)
}
