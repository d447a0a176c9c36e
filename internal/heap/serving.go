package heap

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"sync"
)

const (
	// servingLimit is what a command that serves may come to before it collects more often, in bytes of Go's own memory; the pages of the program, some
	// 40 MiB, are beside it. 'make bench-gate' measures what large reviews take with it.
	servingLimit = 112 << 20
	// servingRoom is how much more than it keeps, and what collections leave, a command may take that keeps more.
	servingRoom = 64 << 20
	// remembered is of how many collections the least that was in use is what a command keeps: what one of them finds may be a large
	// request that is gone by the next.
	remembered = 64
	// What serves beside a large cluster holds more of it: what is added then stays about this, in bytes, down to that percentage.
	garbage      = 16 << 20
	leastServing = 3 * usual / 10
)

var following sync.Once

// follow has the collector go by what a command that serves keeps: it runs more often rather than have the heap grow by what large requests
// take for a moment. The runtime's limit is not to be met by what is kept, such as the objects of a large cluster, or it would
// collect all the time: it follows that. GOMEMLIMIT replaces it.
func follow() {
	following.Do(func() {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		var last [remembered]uint64
		n, percent, limit, own := 0, 0, int64(0), os.Getenv("GOMEMLIMIT") == "" //nolint:forbidigo // it is the Go runtime's own setting
		var again func(*[16]byte)
		again = func(*[16]byte) {
			metrics.Read(live)
			last[n%remembered] = live[0].Value.Uint64()
			n++
			if next := servingOf(live[0].Value.Uint64()); next != percent {
				percent = next
				debug.SetGCPercent(percent)
			}
			if next := limitOf(slices.Min(last[:])); own && next != limit {
				limit = next
				debug.SetMemoryLimit(limit)
			}
			runtime.SetFinalizer(new([16]byte), again) // each collection finds the last one's object dead
		}
		again(nil)
	})
}

// servingOf is how much more than is in use may be allocated before the next collection by what serves.
func servingOf(live uint64) int {
	return min(serving, max(leastServing, int(usual*garbage/max(live, 1)))) //nolint:gosec // at most serving matters
}

// limitOf is the runtime's limit for a command that keeps so much.
func limitOf(kept uint64) int64 {
	return max(servingLimit, int64(kept+kept*serving/100+servingRoom)) //nolint:gosec // far below
}
