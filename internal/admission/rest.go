package admission

import "context"

// restKey is the key of what WithRest puts into a context.
type restKey struct{}

// WithRest is a context in which what a review holds while it is decided, a share of the processors above all, can be laid down
// while it waits for something else: other reviews are decided meanwhile. May is false where too many wait already.
func WithRest(ctx context.Context, rest func() (again func(), may bool)) context.Context {
	return context.WithValue(ctx, restKey{}, rest)
}

// Rest lays down what a review holds; again takes it up. A Clearance calls it before it waits, and does not wait
// where it may not; then there is nothing to take up.
func Rest(ctx context.Context) (again func(), may bool) {
	if rest, ok := ctx.Value(restKey{}).(func() (func(), bool)); ok {
		return rest()
	}
	return func() {}, true
}
