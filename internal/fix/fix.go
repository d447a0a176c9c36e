// Package fix turns what rules propose into changes of the text that was read, and proves them: each
// is made on a copy, the copy is judged again, and what does not clear its finding, or brings
// anything new, is not offered. It knows texts and verdicts; it neither reads nor writes files, and
// it judges through the one method of Court, so that there is no second judge.
package fix

import (
	"cmp"
	"context"
	"slices"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// Court judges a copy of everything that was read, by every rule, and says what rules propose for it.
type Court interface {
	Judge(ctx context.Context, c Copy) (*verdict.Result, []Proposal, error)
}

// Copy is how the copy differs from what was read.
type Copy struct {
	// Files are texts in place of those that were read, by path.
	Files map[string]string
	// Objects are the new contents of objects that a server sent.
	Objects map[*fact.Object]document.Value
	// Patches are strategic merge patches of what a chart renders, by the chart's source.
	Patches map[string][]string
	// Added are new objects that stand in no file: beside what a server sent, or a chart rendered.
	Added []Addition
}

// Addition is a new object, and the one that it is for, whose source it has.
type Addition struct {
	Beside *fact.Object
	Value  document.Value
}

// Place is an object in the text that it is written in.
type Place struct {
	// File is the path of the text, as it was read; of what a server sent it is the API path.
	File string
	Doc  *document.Doc
	// Begin is where the object begins in the document: in a list of objects, at its item.
	Begin []document.Step
	// Served is the object where a server sent it, or a chart rendered it: there is no file, and the text is made of it.
	Served *fact.Object
}

// Edit is changes at one place; their steps begin at the object.
type Edit struct {
	Place   Place
	Changes []rule.Change
}

// Route is one way to make a fix: in the file that the object stands in, in a chart's values, in an
// overlay. Routes are tried in order.
type Route struct {
	Edits []Edit
	// Through says what is changed in place of the object's own text; "" where that is changed.
	Through string
	// Source is a chart, and Patches are strategic merge patches of what it renders, kept beside it: one, or one for each
	// candidate of a choice, "" for those that no patch can say.
	Source  string
	Patches []string
}

// Case is a finding with what its rule proposes. One fault that was read in several places is one case.
type Case struct {
	Finding verdict.Finding
	// Changes is the fix in the rule's terms, for the object of the finding.
	Changes []rule.Change
	Routes  []Route
	// Refused is why there is no route.
	Refused string
	// Choices is how many candidates a person must choose from; 0 where nothing is to be chosen.
	Choices int
}

// State is what became of a case.
type State string

// The states.
const (
	Proved   State = "proved"     // part of the changes
	Offered  State = "choice"     // proved for some candidates; a person must choose
	Clashed  State = "conflict"   // left out: another fix wants the same place otherwise
	Unproved State = "not proved" // left out: the reason says why
)

// Outcome is what became of one case.
type Outcome struct {
	*Case
	State  State
	Reason string
	// Route is the one that was proved.
	Route *Route
	// Candidates are those of a choice, each with its own proof; Chosen is the one taken, -1 for none.
	Candidates []Candidate
	Chosen     int
	// Asks are what a person must know besides, for what the fix brings with it.
	Asks []string
}

// Candidate is one answer to a choice.
type Candidate struct {
	Value  string // as YAML
	Proved bool
	Reason string
}

// Options says how fixes are chosen.
type Options struct {
	// Choose is the candidate that a person chose for a case, by its index, -1 for none; nil chooses nothing.
	Choose func(c *Case, candidates []Candidate) int
	// Agreed is the candidate that was chosen before any was proved, -1 for none: where all of them hold together with what needs
	// no person, one judgement is enough. Choose is asked where they do not; nil agrees to nothing.
	Agreed func(c *Case) int
	// Trace finds the routes of what a fix brings to light; nil where every fix is made in the object's own file.
	Trace Tracer
	// Hides says whether a value must not be shown; Private leaves fixes out whose lines hold one.
	Hides   func(document.Value) bool
	Private bool
}

// Result is all that became of the cases.
type Result struct {
	Outcomes []Outcome
	// Files are the changed texts, in the order of their paths.
	Files []File
	// Objects are the changed objects of a server.
	Objects []Object
	// Patches are strategic merge patches of charts, by source.
	Patches map[string][]string
	// Added are new objects that stand in no file.
	Added []Addition
	// Rounds is how often a copy was judged.
	Rounds int
	after  census
}

// Clears says whether the changes clear a finding, one without a fix of its own too.
func (r *Result) Clears(fingerprint string) bool {
	return r.after != nil && !r.after.holds(fingerprint)
}

// File is one changed text.
type File struct {
	Path          string
	Before, After string
	Splices       []document.Splice
}

// Object is a changed object of a server.
type Object struct {
	Object        *fact.Object
	Before, After document.Value
	Operations    []Operation
}

// byWorth puts grave findings first, so that of two fixes in conflict the graver is made, and fixes
// that need no person before those that do.
func byWorth(a, b *item) int {
	x, y := &a.Finding, &b.Finding
	return cmp.Or(
		cmp.Compare(min(a.Choices, 1), min(b.Choices, 1)),
		-cmp.Compare(x.Severity, y.Severity),
		cmp.Compare(x.Location.File, y.Location.File),
		cmp.Compare(x.Location.Line, y.Location.Line),
		cmp.Compare(x.Path, y.Path),
		cmp.Compare(x.Rule, y.Rule),
		cmp.Compare(x.Fingerprint, y.Fingerprint),
	)
}

// Prove finds out which of the cases can be made, all together. before is the judgement of what was read.
func Prove(ctx context.Context, cases []*Case, before *verdict.Result, court Court, o Options) (*Result, error) {
	p := &prover{ctx: ctx, court: court, Options: o, before: takeCensus(before), sheets: newSheets()}
	for _, c := range cases {
		p.items = append(p.items, &item{Case: c, group: groupOf(&c.Finding), choice: -1})
	}
	slices.SortStableFunc(p.items, byWorth)
	if err := p.run(); err != nil {
		return nil, err
	}
	return p.result()
}

// groupOf is the object of a finding, whatever file it was read in.
func groupOf(f *verdict.Finding) string {
	group := ""
	for i := range f.Subject.APIVersion {
		if f.Subject.APIVersion[i] == '/' {
			group = f.Subject.APIVersion[:i]
		}
	}
	return group + "\x00" + f.Subject.Kind + "\x00" + f.Subject.Namespace + "\x00" + f.Subject.Name
}
