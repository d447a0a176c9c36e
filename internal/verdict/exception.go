package verdict

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// Exception is an owned, expiring, minimally scoped record that turns named fails into Exempt. All
// parts of the scope that are given must match a finding; docs/exceptions.md tells what each means.
type Exception struct {
	// Rules are ids; a finding's rule must be among them. There is no pattern.
	Rules []string `json:"rules"`
	// Fingerprints name single faults; a finding's must be among them when there are any.
	Fingerprints []string `json:"fingerprints,omitempty"`
	Selector     Selector `json:"selector,omitzero"`
	// Namespace is where the object must stand, or the namespace that it is.
	Namespace string `json:"namespace,omitempty"`
	// Container is the one that must have been judged.
	Container string `json:"container,omitempty"`
	// Image is the digest ("sha256:…") that the judged container's image reference must carry.
	Image string `json:"image,omitempty"`
	// AtMost is how many findings it may excuse; 0 when its scope says that by itself.
	AtMost int `json:"atMost,omitempty"`

	Owner   string    `json:"owner"`
	Reason  string    `json:"reason"`
	Expires time.Time `json:"expires,omitzero"`
	Ticket  string    `json:"ticket,omitempty"`

	// Grant says by what it was granted, Location where that stands.
	Grant    Grant    `json:"grant"`
	Location Location `json:"location"`
	// Within is set for one that stands in the very object it is for: it reaches nothing else.
	Within *Within `json:"-"`
	// Fault says why its reader refuses it, Remedy what to do; one with a fault excuses nothing.
	Fault  string `json:"-"`
	Remedy string `json:"-"`
}

// Selector picks objects.
type Selector struct {
	// Kind is "Kind", or "Kind.group" where that is not enough.
	Kind   string            `json:"kind,omitempty"`
	Name   string            `json:"name,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
}

// Within is one object as it was read at one place, or a part of it.
type Within struct {
	// Object's APIVersion, Kind, Namespace and Name must be the finding's.
	Object Subject
	// The finding must stand in that file, from From on and before To. A served object has no lines:
	// all are 0, and its path alone counts.
	From             Location
	ToLine, ToColumn int
	// Made is set when a controller made the object and copied what stands at its owner: that it is
	// not used is no news.
	Made bool
}

// Contains says whether a place is within.
func (w *Within) Contains(l *Location) bool {
	if l.Source != w.From.Source || l.File != w.From.File || l.Rendered != w.From.Rendered {
		return false
	}
	if w.From.Line == 0 {
		return true
	}
	return !before(l.Line, l.Column, w.From.Line, w.From.Column) && before(l.Line, l.Column, w.ToLine, w.ToColumn)
}

func before(line, column, otherLine, otherColumn int) bool {
	return line < otherLine || line == otherLine && column < otherColumn
}

// Grant is by what an exception was granted. Who may write there may grant.
type Grant string

// The grants. Those of which Inline is true stand in what is judged, and can be switched off.
const (
	GrantFile       Grant = "file"       // a file that the caller named, or .coaming/exceptions.yaml
	GrantComment    Grant = "comment"    // a comment beside the field, container or object
	GrantAnnotation Grant = "annotation" // an annotation of the object
	GrantManifest   Grant = "manifest"   // an Exception object among the manifests
	GrantCluster    Grant = "cluster"    // an Exception object that a cluster stores
	GrantBaseline   Grant = "baseline"   // a list of what was there before
	GrantVEX        Grant = "vex"        // a statement that a vulnerability does not apply
)

// Inline says whether whoever wrote what is judged granted it.
func (g Grant) Inline() bool {
	return g == GrantComment || g == GrantAnnotation || g == GrantManifest
}

// Problem is one reason why a record cannot be an exception.
type Problem struct {
	Field  string // the record's key that it is about: "owner", "selector.labels"
	Text   string // what is wrong
	Remedy string // one sentence in the imperative
}

var (
	ruleForm      = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	namespaceForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	kindForm      = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*(\.[a-z0-9.-]+)?$`)
)

// isHex says whether the text is that many hex digits in lower case.
func isHex(s string, digits int) bool {
	return len(s) == digits && strings.Trim(s, "0123456789abcdef") == ""
}

func isDigest(s string) bool {
	algorithm, sum, _ := strings.Cut(s, ":")
	return algorithm == "sha256" && isHex(sum, 64) || algorithm == "sha512" && isHex(sum, 128)
}

// Problems is all that is wrong with the record as it stands, whatever it is put to; nil when it
// is whole. One that names less than whose faults it excuses, why, until when and whose, is no exception.
func (e *Exception) Problems() []Problem {
	var list []Problem
	wrong := func(field, text, remedy string) { list = append(list, Problem{field, text, remedy}) }
	if len(e.Rules) == 0 {
		wrong("rules", "rules is missing", "Name the rules by their ids; 'coaming rules' lists them.")
	}
	for _, id := range e.Rules {
		if !ruleForm.MatchString(id) {
			wrong("rules", "rule "+quote(id)+" is no rule's id", "Name each rule by its id: there is no pattern for several, so that a new rule is never excused unseen.")
		}
	}
	if strings.TrimSpace(e.Owner) == "" {
		wrong("owner", "owner is missing", "Name who answers for it: a person or a team.")
	}
	if strings.TrimSpace(e.Reason) == "" {
		wrong("reason", "reason is missing", "Say in a sentence why it may be so.")
	}
	if e.Expires.IsZero() {
		wrong("expires", "expires is missing", "Give the day on which it ends: 2027-01-31.")
	}
	for _, f := range e.Fingerprints {
		if !isHex(f, 16) {
			wrong("fingerprints", "fingerprint "+quote(f)+" is not 16 hex digits", "Copy it from a report.")
		}
	}
	if e.Image != "" && !isDigest(e.Image) {
		wrong("image", "image "+quote(e.Image)+" is no digest", "Write the digest alone: sha256: and 64 hex digits.")
	}
	if e.Namespace != "" && (len(e.Namespace) > 63 || !namespaceForm.MatchString(e.Namespace)) {
		wrong("namespace", "namespace "+quote(e.Namespace)+" is no name of a namespace", "Name one namespace; there is no pattern for several.")
	}
	if k := e.Selector.Kind; k != "" && !kindForm.MatchString(k) {
		wrong("selector.kind", "kind "+quote(k)+" is no object kind", "Write Kind or Kind.group.")
	}
	if strings.ContainsAny(e.Selector.Name+e.Container, "*?") {
		wrong("selector.name", "a name with a pattern in it", "Write the whole name, or pick objects by their labels.")
	}
	return append(list, e.scopeProblems()...)
}

// scopeProblems says where the scope is wider than a named set of faults.
func (e *Exception) scopeProblems() []Problem {
	s := &e.Selector
	switch {
	case e.AtMost < 0:
		return []Problem{{"atMost", "atMost is less than 1", "Say how many findings it may excuse."}}
	case e.Within != nil || len(e.Fingerprints) > 0:
		return nil
	case s.Name != "" && s.Kind == "":
		return []Problem{{"selector", "selector has a name and no kind", "Add the kind of the object: kind: Deployment."}}
	case s.Name == "" && len(s.Labels) == 0 && e.Namespace == "" && e.Image == "":
		return []Problem{{"scope", "it has no scope: it would excuse every finding of its rules", "Name fingerprints, a selector with kind and name or with labels, a namespace, or an image digest."}}
	case s.Name == "" && e.AtMost == 0:
		return []Problem{{"scope", "it names neither faults nor one object, and does not say how many findings it may excuse", "Add atMost with the number that it is for, or name fingerprints, or kind and name."}}
	}
	return nil
}

// Names says whether the rule is among the exception's.
func (e *Exception) Names(rule string) bool { return slices.Contains(e.Rules, rule) }

// quote bounds and quotes what outside text said.
func quote(s string) string {
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return `"` + strings.ToValidUTF8(s, "?") + `"`
}
