package enforcement

import (
	"fmt"
	"slices"
	"strings"
)

// Mode is what becomes of a violation.
type Mode uint8

// The modes, from the mildest to the strictest.
const (
	Off     Mode = iota // the rule is not asked
	Audit               // the violation stands in the API server's audit log
	Warn                // who asked is warned, too
	Enforce             // the request is refused
)

var modeNames = []string{"off", "audit", "warn", "enforce"}

// String is the mode's word.
func (m Mode) String() string { return modeNames[m] }

// MarshalText writes the mode's word.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads the mode's word.
func (m *Mode) UnmarshalText(text []byte) error {
	i := slices.Index(modeNames, string(text))
	if i < 0 {
		return fmt.Errorf("mode %q is none of %s", text, strings.Join(modeNames, ", "))
	}
	*m = Mode(i)
	return nil
}

// Unseen is what becomes of a request whose image nobody has looked at yet.
type Unseen uint8

// What becomes of it.
const (
	UnseenAudit Unseen = iota // let through, and told
	UnseenDeny                // refused
	UnseenWait                // waited for, and then refused or let through by what is known of it
)

var unseenNames = []string{"audit", "deny", "wait"}

// String is its word.
func (u Unseen) String() string { return unseenNames[u] }
