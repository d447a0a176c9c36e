package document

import "fmt"

// Code says what kind of fault a text has.
type Code string

// The faults; the words are those of the coverage ledger.
const (
	CodeSyntax    Code = "syntax"
	CodeDuplicate Code = "duplicate"
	CodeTooLarge  Code = "too-large"
	CodeBinary    Code = "binary"
	CodeTemplate  Code = "template"
)

// Error is a document that could not be read, or in the case of CodeDuplicate not without doubt.
type Error struct {
	Line, Column int // from 1; Column 0 when only the line is known
	Code         Code
	Message      string
	Remedy       string
	// Kind is what the broken document says of its kind on a line of its own, "" when it does not.
	Kind string
	// APIVersion is the same for apiVersion.
	APIVersion string
}

// Error is the place and the message.
func (e *Error) Error() string {
	if e.Column == 0 {
		return fmt.Sprintf("line %d: %s", e.Line, e.Message)
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

const remedySyntax = "Mend the YAML at this place; kubectl refuses the document too."
