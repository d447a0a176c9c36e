// Package heap keeps the garbage collector out of short runs. Most runs of a command-line tool end
// before they have allocated what is worth collecting, and half of their time went into the
// collections that Go starts at 4 MiB. Importing the package moves the first one to 32 MiB; after
// it, each waits until as much has been allocated as is in use, as usual, but for 64 MiB at least: a
// small heap that fills fast was collected every few milliseconds.
//
// It works from a variable's initialisation because the packages of Kubernetes and CEL allocate
// when they are initialised: Go does so in the order of import paths, and this one comes early.
package heap

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

const (
	usual = 100 // Go's own percentage, which begins at 4 MiB
	late  = 8 * usual
	// frugal is for commands of which most time goes into what does not allocate: collecting twice as often costs them a hundredth.
	frugal  = usual / 2
	least   = 64 << 20      // bytes that are allocated between two collections
	serving = 3 * usual / 4 // for what serves: measured by make bench-gate, a tenth less work than frugal for 5 MB
	// What serves beside a large cluster holds more of it: what is added then stays about this, in bytes, down to that percentage.
	garbage      = 16 << 20
	leastServing = 3 * usual / 10
)

// Set is whether the first collection was put off; not where GOGC says what is wanted.
var Set = putOff()

// early is whether the collector works as usual again.
var early atomic.Bool

func putOff() bool {
	if os.Getenv("GOGC") != "" { //nolint:forbidigo // it is the Go runtime's own setting, and there is no Env yet
		return false
	}
	debug.SetGCPercent(late)
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	percent := late
	var again func(*[16]byte)
	again = func(*[16]byte) {
		if early.Load() {
			return
		}
		metrics.Read(live)
		if next := percentOf(live[0].Value.Uint64()); next != percent {
			percent = next
			debug.SetGCPercent(percent)
		}
		if percent > usual {
			runtime.SetFinalizer(new([16]byte), again) // each collection finds the last one's object dead
		}
	}
	runtime.SetFinalizer(new([16]byte), again)
	return true
}

// percentOf is how much more than is in use may be allocated before the next collection.
func percentOf(live uint64) int {
	return max(usual, int(usual*least/max(live, 4<<20))) //nolint:gosec // at most 1600
}

// Early has the collector work from the beginning again: for commands that keep little of the much that passes them,
// whose memory would otherwise be what they threw away. It also gives back what only the start of the program needed.
func Early() {
	if Set && !early.Swap(true) {
		debug.SetGCPercent(frugal)
		giveBack()
	}
}

var settled atomic.Bool

// follow sets the percentage anew after each collection, by what is in use then.
func follow(percentOf func(live uint64) int) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	percent := 0
	var again func(*[16]byte)
	again = func(*[16]byte) {
		metrics.Read(live)
		if next := percentOf(live[0].Value.Uint64()); next != percent {
			percent = next
			debug.SetGCPercent(percent)
		}
		runtime.SetFinalizer(new([16]byte), again)
	}
	again(nil)
}

// servingOf is how much more than is in use may be allocated before the next collection by what serves.
func servingOf(live uint64) int {
	return min(serving, max(leastServing, int(usual*garbage/max(live, 1)))) //nolint:gosec // at most serving matters
}

// Settle is for commands that serve, once what they serve by is made: what making it took goes back to the system, and
// from then on collections are as rare as that leaves room for.
func Settle() {
	if !early.Load() {
		return
	}
	if !settled.Swap(true) {
		follow(servingOf)
	}
	debug.FreeOSMemory()
	giveBack()
}
