// Package attack is the graph of what an attacker can do in a cluster: from the internet, from a
// container or as an identity, step by step, to what must not be reached. Its knowledge is its steps,
// literals of one file each with manifests beside them in which the step can be taken and others in
// which it cannot. The engine finds paths, ranks them, and finds the fewest changes that leave none.
//
// What a step rests on that nobody has seen makes it doubtful, and doubtful steps are kept apart from
// certain ones. It is pure: facts in, paths out.
package attack

import (
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// Step is one thing that an attacker can do: from where they are to what they get.
type Step struct {
	// ID is lower case with dashes; the step stands in the file step_ID.go, its manifests in
	// testdata/steps/ID.
	ID    string
	Title string // what is done, in the imperative
	// Technique is the id in MITRE ATT&CK: "T1611".
	Technique string
	// Needs and Gives are what one must have, and what one has afterwards.
	Needs, Gives string
	// Why is how it works, Fix what ends it; sentences.
	Why, Fix string
	Effort   Effort
	// Network marks what goes over the network: what a node has by itself is told without it.
	Network bool
	// Find takes every step of this kind that the world allows.
	Find func(w *World, take func(Taken))
}

// Effort is how hard a step is for somebody who knows the trade. Efforts of a path add up.
type Effort uint8

// The efforts. Joint is that of what is no deed at all: a step that only ties nodes together.
const (
	Joint    Effort = 0
	Trivial  Effort = 1 // one command
	Easy     Effort = 2 // published tools, works each time
	Moderate Effort = 4 // wants a condition that is often there, or patience
	Hard     Effort = 8 // wants a flaw in a program, or skill
)

// Taken is a step between two nodes.
type Taken struct {
	From, To Node
	Evidence []Evidence
	// Changes each end it alone. Two causes of the same step are two of Taken.
	Changes []Change
	// Doubt says why it may not be possible after all; "" for what is certain. Doubt of an object in
	// the evidence need not be told again.
	Doubt string
	// Elsewhere marks a doubt about an object that was not read at all: files are seldom the whole of a
	// cluster, and of what they leave out rules say nothing.
	Elsewhere bool
	// Effort is the step's own unless it is given; Joint cannot be.
	Effort Effort
	// Joint marks what ties two nodes together and is no deed: it costs nothing, and is told only
	// as evidence of the step behind it.
	Joint bool
}

// Evidence is a place that shows why a step works.
type Evidence struct {
	Object *fact.Object
	// At is the value that shows it; the object's root when it is the whole of it, or something that
	// is missing.
	At document.Value
	// Text is one sentence in plain words without a full stop; it holds no secret.
	Text string
}
