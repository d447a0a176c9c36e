package reach

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/coaming/coaming/internal/fact"
)

// tally counts the connections that were compared, by the judge's verdict.
type tally [3]int

func (y *tally) cases() int { return y[Closed] + y[Unknown] + y[Open] }

// enough demands that each of the verdicts was given often.
func (y *tally) enough(t *testing.T, least int, verdicts ...Verdict) {
	t.Helper()
	t.Logf("%d cases: %d closed, %d unknown, %d open", y.cases(), y[Closed], y[Unknown], y[Open])
	for _, v := range verdicts {
		if y[v] < least {
			t.Errorf("%v: the test compares too little", *y)
		}
	}
}

// comparison is of what a network says with what a judge says, from each end to each end.
type comparison[E interface{ plain() truthPod }] struct {
	network  *Network
	from, to []E
	times    int // how many ports are asked about for each pair
	ask      func() (Protocol, int)
	judge    func(from, to E, protocol Protocol, port int) Verdict

	at       func(E) int           // the endpoint of an end, where it is none of a pod or address
	same     func(from, to E) bool // pairs that are left out, where not those of one name
	mayDoubt func(from, to E) bool // pairs of which unknown is no wrong answer
	world    func() any            // what a failure shows
}

// run fails with the first answer that is not the judge's. The flows of the whole network must say what is between two ends.
func (c *comparison[E]) run(t *testing.T, count *tally) {
	t.Helper()
	flows := matrix(c.network)
	for _, from := range c.from {
		for _, to := range c.to {
			if c.leavesOut(from, to) {
				continue
			}
			i, j := c.endpoint(t, from), c.endpoint(t, to)
			a := c.network.Between(i, j)
			if f := flows[[2]int{i, j}]; !f.Open.Equal(a.Open) || !f.Unknown.Equal(a.Unknown) {
				t.Fatalf("the flows from %s to %s are %v, between them is %v", from.plain().name, to.plain().name, f, a)
			}
			for range c.times {
				protocol, port := c.ask()
				want := c.judge(from, to, protocol, port)
				if got := a.At(protocol, port); got != want && (got != Unknown || c.mayDoubt == nil || !c.mayDoubt(from, to)) {
					world, err := json.Marshal(c.world())
					t.Fatalf("after %d: %+v to %+v on %d/%s: %s, the judge says %s\n%s%v", count.cases(), from, to, port, protocol, got, want, world, err)
				}
				count[want]++
			}
		}
	}
}

func (c *comparison[E]) leavesOut(from, to E) bool {
	if c.same != nil {
		return c.same(from, to)
	}
	return from.plain().name == to.plain().name
}

func (c *comparison[E]) endpoint(t *testing.T, e E) int {
	t.Helper()
	if c.at != nil {
		return c.at(e)
	}
	return c.network.endpointOf(t, e.plain())
}

// plain is the pod alone; what has more about it has a truthPod in it.
func (p truthPod) plain() truthPod { return p }

// anyPort asks about one of the ports that the random policies speak of, or one beside them.
func (d dice) anyPort() (Protocol, int) { return Protocol(d.IntN(3)), 78 + d.IntN(8) }

// meshPort is the same for meshes, which see TCP alone.
func (d dice) meshPort() (Protocol, int) {
	port := 78 + d.IntN(6)
	if d.one(20) {
		return UDP, port
	}
	return TCP, port
}

// outside are ends outside of the cluster.
func (d dice) outside(n int, addresses []string) []truthPod {
	var list []truthPod
	for range n {
		list = append(list, truthPod{ip: netip.MustParseAddr(d.of(addresses...))})
	}
	return list
}

// istioOutside are the same among pods of a mesh.
func (d dice) istioOutside(n int, addresses []string) []istioPod {
	var list []istioPod
	for _, p := range d.outside(n, addresses) {
		list = append(list, istioPod{truthPod: p})
	}
	return list
}

// texts are objects as they were read.
func texts(objects []*fact.Object) []json.RawMessage {
	var list []json.RawMessage
	for _, o := range objects {
		list = append(list, o.Root.AppendJSON(nil))
	}
	return list
}
