// Package report renders a [verdict.Result]: Terminal for people, JSON for machines and as input of
// later commands, and the other [Formats] for the services and programs that read them. It writes to the writer it is given and to
// nothing else: no clock, no environment, no files; the same result gives the same bytes. It judges
// nothing: what it says about the exit code it asks of the result. Floor 2; cli and hub import it.
package report

import (
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

const toolName = "coaming"

// Meta is what a machine-readable report tells beside the result.
type Meta struct {
	// Version is the tool's version, "0.1.0" or "devel".
	Version string
	// FailOn and AllowUnknown are the policy that the exit code follows from; of FailOn nil is the lowest severity.
	FailOn       verdict.Gate
	AllowUnknown bool
}

// count is the number with its noun: "1 file", "1,204 files".
func count(n int, noun string) string {
	if n != 1 {
		noun = plural(noun)
	}
	return thousands(n) + " " + noun
}

func plural(noun string) string {
	if last := len(noun) - 1; last > 0 && noun[last] == 'y' && noun[last-1] != 'a' { // a day, days
		return noun[:last] + "ies"
	}
	return noun + "s"
}

// thousands is the number with a comma between the thousands.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	if n < 0 {
		return digits
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// sentence is the text with a full stop, where it has none.
func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}
