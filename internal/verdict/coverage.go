package verdict

import (
	"slices"
	"time"
)

// GapCode says why something was not looked at.
type GapCode string

// The reasons, stable for machines.
const (
	GapSyntax      GapCode = "syntax"      // text that does not parse
	GapDuplicate   GapCode = "duplicate"   // a key given twice: which one is meant is a guess
	GapTooLarge    GapCode = "too-large"   // over a bound
	GapBinary      GapCode = "binary"      // not text
	GapUnreadable  GapCode = "unreadable"  // no permission, a loop of links, an I/O error
	GapTemplate    GapCode = "template"    // a template nobody rendered
	GapRender      GapCode = "render"      // a chart or an overlay that does not render
	GapRemote      GapCode = "remote"      // stands elsewhere; fetching it was not asked for
	GapNotObject   GapCode = "not-object"  // looks like an object but lacks apiVersion, kind or name, or is of a kind that does not exist
	GapWrongType   GapCode = "wrong-type"  // a field of a type that the API would refuse
	GapForbidden   GapCode = "forbidden"   // the credentials may not list it
	GapUnreachable GapCode = "unreachable" // the cluster went away or refused the credentials
	GapMissing     GapCode = "missing"     // named by the input and not in it
	GapStale       GapCode = "stale"       // too old to say what is known today
)

// Gap is one entry of the coverage ledger: something that was to be looked at and was not.
type Gap struct {
	Code     GapCode  `json:"code"`
	Location Location `json:"location"`
	// Message says what happened, in one sentence.
	Message string `json:"message"`
	// Remedy says what to do about it, in one sentence in the imperative.
	Remedy string `json:"remedy"`
	// Kinds are the object kinds ("Kind" or "Kind.group") that may have stood there; empty when
	// it could have been anything.
	Kinds []string `json:"kinds,omitempty"`
	// Namespace bounds the gap to one namespace; empty when it could have been any.
	Namespace string `json:"namespace,omitempty"`
	// Known is set when an earlier result, which this one was compared with, has the same gap.
	Known bool `json:"known,omitempty"`
}

// Exclusion is something that was left out because somebody asked for it or the design says so;
// it is told, and opens no gap.
type Exclusion struct {
	What   string `json:"what"`
	Reason string `json:"reason"`
	Count  int    `json:"count,omitempty"`
}

// Coverage is the ledger of what was looked at and what was not.
type Coverage struct {
	Sources   []string `json:"sources"`
	Files     int      `json:"files"`
	Documents int      `json:"documents"`
	Objects   int      `json:"objects"`
	Workloads int      `json:"workloads"`
	// Images is how many images were judged, Packages how many packages they hold.
	Images   int `json:"images,omitempty"`
	Packages int `json:"packages,omitempty"`
	// Advisories is the index of advisories that the packages were put to; nil where none was.
	Advisories *Advisories `json:"advisories,omitempty"`
	// Rules is how many rules were asked, Evaluations how often.
	Rules       int `json:"rules"`
	Evaluations int `json:"evaluations"`
	// Version is the Kubernetes version that was judged for, Namespaces the only ones that were
	// judged; empty for all.
	Version    string      `json:"version,omitempty"`
	Namespaces []string    `json:"namespaces,omitempty"`
	Gaps       []Gap       `json:"gaps,omitempty"`
	Exclusions []Exclusion `json:"exclusions,omitempty"`
}

// Advisories says of which day an index of advisories is.
type Advisories struct {
	Created  time.Time `json:"created"`
	Sequence int64     `json:"sequence"` // a later index of the same keeper has a greater one
	Days     int       `json:"days"`     // its age in whole days when it was asked
	Records  int       `json:"records"`
	Sources  []string  `json:"sources"` // what it was made of
	// Stale is why what passes by it is unknown; "" where it is young enough.
	Stale string `json:"stale,omitempty"`
}

func (c *Coverage) hasNewGap() bool {
	return slices.ContainsFunc(c.Gaps, func(g Gap) bool { return !g.Known })
}

// Complete says that nothing was left unlooked at.
func (c *Coverage) Complete() bool { return len(c.Gaps) == 0 }
