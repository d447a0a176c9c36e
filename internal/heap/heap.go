// Package heap keeps the garbage collector out of short runs. Most runs of a command-line tool end
// before they have allocated what is worth collecting, and half of their time went into the
// collections that Go starts at 4 MiB. Importing the package moves the first one to 32 MiB; with
// it, collecting goes on as usual.
//
// It works from a variable's initialisation because the packages of Kubernetes and CEL allocate
// when they are initialised: Go does so in the order of import paths, and this one comes early.
package heap

import (
	"os"
	"runtime"
	"runtime/debug"
)

const (
	usual = 100 // Go's own percentage, which begins at 4 MiB
	late  = 8 * usual
)

// Set is whether the first collection was put off; not where GOGC says what is wanted.
var Set = putOff()

func putOff() bool {
	if os.Getenv("GOGC") != "" { //nolint:forbidigo // it is the Go runtime's own setting, and there is no Env yet
		return false
	}
	debug.SetGCPercent(late)
	// The first collection finds this object dead.
	runtime.SetFinalizer(new([16]byte), func(*[16]byte) { debug.SetGCPercent(usual) })
	return true
}

// Early has the collector work from the beginning again: for commands that keep little of the much that passes them,
// whose memory would otherwise be what they threw away.
func Early() {
	if Set {
		debug.SetGCPercent(usual)
	}
}
