// Package rule is the rule language: it reads rule files, compiles their CEL expressions, checks
// them against the types of the facts they match, and evaluates them on one fact at a time. It
// holds no knowledge of its own (that is internal/catalog) and does not walk an inventory (that
// is internal/judge). What the API server's own policies make of a rule is internal/policy.
package rule

import (
	"slices"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/verdict"
)

// Rule is a judgement on one kind of fact, as its file says it. docs/writing-rules.md describes
// the fields.
type Rule struct {
	ID       string
	Title    string
	Practice string
	Severity verdict.Severity
	Why      string
	Remedy   string
	Match    Match
	// With are the ids of other rules: whoever chooses one of them chooses this rule, too.
	With []string
	// EachName and EachPath judge every item of the list at that path below the matched fact.
	EachName string
	EachPath []string
	// When, Assert and Says are CEL; When may be empty.
	When, Assert, Says string
	// At is where the fault stands, below the matched fact or the item.
	At   []string
	Fix  []Fix
	Maps map[string][]string // framework -> control ids
	Bad  []Example
	Good []Example
	// Settings are those with which the examples are judged.
	Settings Settings
	// Cost is why the rule costs more than five times the median rule, where it does.
	Cost string
	// ExampleVersion is the Kubernetes version that the examples are judged for; "" for the newest.
	ExampleVersion string

	File string // where the rule was read
	// Origin is where a rule that is not built in came from, a folder or a bundle; "" for a built-in one.
	Origin string

	root document.Value // the file's text, for positions of errors
}

// IsChosenBy says whether an id by which people choose rules chooses this one.
func (r *Rule) IsChosenBy(id string) bool { return r.ID == id || slices.Contains(r.With, id) }

// File is the text of a rule file.
type File struct {
	Name   string // as messages show it
	Text   string
	Origin string // where it was found, a folder or a bundle; "" for the catalogue
}

// Match says which facts a rule judges.
type Match struct {
	// Fact is "container", "workload", "namespace", "object", "cluster", "image", or "kinds".
	Fact string
	// Kinds is the object kinds of "kinds": "Kind" or "Kind.group".
	Kinds []string
}

// Fix is one change of the text that clears the fault, or one step of it.
type Fix struct {
	Op FixOp
	// Path is where, below the matched fact or the item; empty means the fact or the item itself.
	Path []string
	// Value is the literal that Op wants; Expr is CEL in its place.
	Value document.Value
	Expr  string
	// Ask is what a person must know before the change is made; "" where nobody needs to be asked.
	Ask string
}

// FixOp is what a fix does at its path; docs/writing-rules.md describes each.
type FixOp string

// What a fix can do.
const (
	FixRemove FixOp = "remove" // the field or the item goes
	FixSet    FixOp = "set"    // the field becomes the value; missing maps on the way are made
	FixChoose FixOp = "choose" // the field becomes one of the values: a person says which
	FixAppend FixOp = "append" // the list gains the value unless it holds it
	FixTake   FixOp = "take"   // the list loses the values; an empty one goes
	FixAdd    FixOp = "add"    // a new object beside the judged one; no path
)

// Example is one object, or several that are judged together.
type Example []document.Value

// Info is what reports tell of the rule.
func (r *Rule) Info() verdict.RuleInfo {
	return verdict.RuleInfo{
		ID: r.ID, Title: r.Title, Practice: r.Practice, Severity: r.Severity,
		Why: r.Why, Remedy: r.Remedy, Maps: r.Maps,
	}
}
