package verdict

import (
	"slices"
	"time"
)

// Exception is an owned, expiring, minimally scoped record that turns named fails into Exempt.
type Exception struct {
	// Rules and Fingerprints both must name the finding; an empty list names nothing.
	Rules        []string  `json:"rules"`
	Fingerprints []string  `json:"fingerprints"`
	Owner        string    `json:"owner"`
	Reason       string    `json:"reason"`
	Expires      time.Time `json:"expires"`
}

// Covers says whether the exception excuses the finding at that moment. One without an owner, a
// reason or an expiry excuses nothing.
func (e *Exception) Covers(f *Finding, now time.Time) bool {
	if e.Owner == "" || e.Reason == "" || !now.Before(e.Expires) {
		return false
	}
	return slices.Contains(e.Rules, f.Rule) && slices.Contains(e.Fingerprints, f.Fingerprint)
}
