package source

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

const (
	pageBytes   = 8 << 20   // what a page should come to; objects vary from 500 bytes to 1.5 MB
	firstPage   = 100       // objects in the first page, when their size is not known yet
	maxAnswer   = 256 << 20 // of one page; 100 of the largest objects that etcd takes are 150 MB
	maxTries    = 3         // of one page, while the server answers at all
	maxRestarts = 3         // of one list whose pages expired
)

// The statuses that decide something here.
const (
	unauthorized = http.StatusUnauthorized
	forbidden    = http.StatusForbidden
	notFound     = http.StatusNotFound
	expired      = http.StatusGone
)

// list is one list to be read: a resource, everywhere or in one namespace.
type list struct {
	resource
	namespace string
	only      string // the one object of a cluster-scoped resource that is wanted
	unasked   bool   // no rule asks for the kind by name: that it is forbidden is no gap
	unkept    bool   // it is looked at on the way, and its objects are not wanted
	// look is shown every object as the server sent it.
	look func(item document.Value)

	done    bool
	objects []*fact.Object
	seen    int
	folded  int // of them: equal to one that is kept
	thrift  *thrifty
	gaps    []verdict.Gap
	err     error
	others  int // of the definitions: kinds that are not read
}

// path is the list's API path.
func (l *list) path() string { return l.base(l.namespace) + "/" + l.plural }

// unaskedReason is why the list of a kind that nobody asked for is not there.
func (l *list) unaskedReason() string {
	if l.groupKind() == definitionKind {
		return "the credentials may not list it, so that custom resources with pods are found only where their kind is known"
	}
	return "the credentials may not list it, and no rule asks for it by name"
}

// goneError is the end of the whole reading: no list can be read any more.
type goneError struct{ err error }

func (e *goneError) Error() string { return e.err.Error() }
func (e *goneError) Unwrap() error { return e.err }

// list reads all pages. When they expire on the way (410: the server forgot the moment that the
// list was begun at), it begins again and forgets what it had, so that nothing is there twice.
func (c *cluster) list(ctx context.Context, l *list) error {
	for restarts := 0; ; restarts++ {
		l.objects, l.gaps, l.seen, l.folded, l.thrift = nil, nil, 0, 0, c.o.Thrift.start()
		err := c.pages(ctx, l)
		if statusCode(err) == expired && restarts < maxRestarts {
			continue
		}
		l.finish(c.source, err)
		if cause := context.Cause(ctx); err != nil && cause != nil {
			return cause
		}
		return err
	}
}

// finish brings the objects into their order, and notices that the one that was wanted is not there.
func (l *list) finish(source string, err error) {
	slices.SortStableFunc(l.objects, func(a, b *fact.Object) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	if l.only != "" && l.seen == 0 && err == nil {
		l.gaps = append(l.gaps, verdict.Gap{
			Code:      verdict.GapMissing,
			Location:  verdict.Location{Source: source, File: l.path() + "/" + l.only},
			Message:   "there is no namespace " + l.only + " in the cluster",
			Remedy:    "Name a namespace that 'kubectl get namespaces' shows.",
			Namespace: l.only,
		})
	}
}

func (c *cluster) pages(ctx context.Context, l *list) error {
	comp := newCompactor(l)
	limit, token := min(firstPage, c.o.PageSize), ""
	for {
		body, err := c.page(ctx, l, &limit, token)
		if err != nil {
			return err
		}
		doc, fault := document.ParseServed(body)
		if fault != nil {
			return fmt.Errorf("parse list: %w", fault)
		}
		items := doc.Root().Get("items")
		for _, item := range items.Items() {
			c.take(l, comp, item)
		}
		l.seen += items.Len()
		token = doc.Root().At("metadata", "continue").Str()
		if token == "" {
			return nil
		}
		limit = pageSize(len(body), items.Len(), c.o.PageSize)
	}
}

// pageSize is how many objects of the size seen make a page, at most limit.
func pageSize(bytes, items, limit int) int {
	if items == 0 {
		return limit
	}
	return max(1, min(limit, pageBytes/max(1, bytes/items)))
}

// take keeps one object of a page.
func (c *cluster) take(l *list, comp *compactor, item document.Value) {
	if l.look != nil {
		l.look(item)
	}
	if l.unkept {
		return
	}
	if item.At("metadata", "name").Str() == "" {
		l.bad(c.source, verdict.GapNotObject, "it has no name")
		return
	}
	o, fault := comp.object(item)
	if fault != nil {
		name := strings.TrimPrefix(item.At("metadata", "namespace").Str()+"/"+item.At("metadata", "name").Str(), "/")
		l.bad(c.source, verdict.GapCode(fault.Code), name+": "+fault.Message)
		return
	}
	o.Origin = &fact.Origin{Source: c.source, File: l.base(o.Namespace) + "/" + l.plural + "/" + o.Name, Served: true}
	if l.thrift.leaves(o) != nil {
		l.folded++
		return
	}
	l.objects = append(l.objects, o)
}

// bad tells of an object that the server sent and that is none.
func (l *list) bad(source string, code verdict.GapCode, why string) {
	l.gaps = append(l.gaps, verdict.Gap{
		Code:      code,
		Location:  verdict.Location{Source: source, File: l.path()},
		Message:   "an object in the list of " + l.name() + " cannot be read: " + why,
		Remedy:    "Look at the list with 'kubectl get --raw " + l.path() + "'.",
		Kinds:     []string{l.groupKind()},
		Namespace: l.space(),
	})
}

// page asks for one page, and again while the server is there but could not do it; then for half as
// much, as its size may be what was too much. The client itself waits and asks again when the
// server says how long to wait (429, and 5xx with Retry-After).
func (c *cluster) page(ctx context.Context, l *list, limit *int, token string) (string, error) {
	for try := 1; ; try++ {
		query := map[string]string{"limit": strconv.Itoa(*limit)}
		if token != "" {
			query["continue"] = token
		}
		if l.only != "" {
			query["fieldSelector"] = "metadata.name=" + l.only
		}
		body, err := c.get(ctx, l.path(), query)
		if err == nil || !c.again(ctx, err, try) {
			return body, err
		}
		*limit = max(1, *limit/2)
	}
}

// again says whether the same is worth asking again, and ends the whole reading when nothing is:
// the server is gone, or refuses the credentials for good.
func (c *cluster) again(ctx context.Context, err error, try int) bool {
	if ctx.Err() != nil {
		return false
	}
	switch code := statusCode(err); {
	case code == unauthorized:
		if try < 2 {
			return true // a credential plugin gets itself new ones after the first refusal
		}
		c.lose(&goneError{err})
		return false
	case code != 0 && code < http.StatusInternalServerError:
		return false
	}
	if !c.alive(ctx) {
		c.lose(&goneError{err})
		return false
	}
	if try == maxTries {
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(c.pause):
		return true
	}
}

// alive says whether the API server still answers, whatever it says.
func (c *cluster) alive(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	_, err := c.get(ctx, "/version", nil)
	return err == nil || statusCode(err) != 0
}
