package rule

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"

	"github.com/coaming/coaming/internal/document"
)

// Fault is an error of a rule file with its place.
type Fault struct {
	File         string
	Line, Column int
	Message      string
}

// Error is the place and what is wrong there.
func (f *Fault) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
}

// FaultAt is a fault at a value of the rule's file; at its beginning where there is no value.
func (r *Rule) FaultAt(v document.Value, format string, args ...any) error {
	line, column := v.Position()
	return &Fault{File: r.File, Line: max(line, 1), Column: max(column, 1), Message: fmt.Sprintf(format, args...)}
}

// Root is the rule's file as it was read.
func (r *Rule) Root() document.Value { return r.root }

// source is the value of the rule's file that holds the expression of a field.
func (r *Rule) source(field string) document.Value {
	n, ok := strings.CutPrefix(field, "fix.")
	if !ok {
		return r.root.Get(field)
	}
	i, _ := strconv.Atoi(n) // written by expressions
	v := r.root.Get("fix").Index(i)
	if add := v.Get(string(FixAdd)); add.Exists() {
		return add
	}
	return v.Get("expr")
}

// fault is an error of a whole expression.
func (r *Rule) fault(field, message string) error {
	return r.FaultAt(r.source(field), "%s: %s", field, message)
}

// faultWithin is an error at an offset of an expression.
func (r *Rule) faultWithin(field string, offset int, message string) error {
	line, column := r.source(field).PositionWithin(offset)
	return &Fault{File: r.File, Line: max(line, 1), Column: max(column, 1), Message: field + ": " + message}
}

// offsetOf is the offset of a line (from 1) and a column (in characters, from 0) of a text.
func offsetOf(text string, line, column int) int {
	offset := 0
	for ; line > 1; line-- {
		end := strings.IndexByte(text[offset:], '\n')
		if end < 0 {
			return len(text)
		}
		offset += end + 1
	}
	for i := range text[offset:] {
		if column == 0 {
			return offset + i
		}
		column--
	}
	return len(text)
}

// celFaults are the errors that CEL finds in an expression, each at its place, with what may have been meant.
func (r *Rule) celFaults(field, expression string, issues *cel.Issues, known *vocabulary) error {
	var errs []error
	for _, e := range issues.Errors() {
		offset := offsetOf(expression, e.Location.Line(), e.Location.Column())
		if name, ok := quotedBehind(e.Message, "undefined field "); ok { // CEL points at the dot, or at has
			offset += max(strings.Index(expression[offset:], name), 0)
		}
		errs = append(errs, r.faultWithin(field, offset, known.mend(e.Message)))
	}
	return errors.Join(errs...)
}

// vocabulary is what an expression may name: for a person who misspelt it.
type vocabulary struct {
	types.Provider
	variables []string
	missed    map[string][]string // a field that does not exist -> the types in which it was looked for
}

// FindStructFieldType remembers what is not found.
func (v *vocabulary) FindStructFieldType(structure, field string) (*types.FieldType, bool) {
	t, found := v.Provider.FindStructFieldType(structure, field)
	if !found && v.missed != nil {
		v.missed[field] = append(v.missed[field], structure)
	}
	return t, found
}

// shownFields is how many fields of a type a message lists.
const shownFields = 12

// mend makes of CEL's message one for people: with the name that was probably meant, or those that there are.
func (v *vocabulary) mend(message string) string {
	message = strings.ReplaceAll(message, " (in container '')", "")
	message, _, _ = strings.Cut(message, " expecting {")
	message = strings.Replace(message, "mismatched input '<EOF>'", "the expression ends too soon", 1)
	if field, ok := quotedBehind(message, "undefined field "); ok && len(v.missed[field]) > 0 {
		structure := v.missed[field][0]
		names, _ := v.FindStructFieldNames(structure)
		if near := Nearest(field, names); near != "" {
			return message + "; did you mean '" + near + "'?"
		}
		slices.Sort(names)
		if more := len(names) - shownFields; more > 0 {
			names = append(names[:shownFields], fmt.Sprintf("and %d more", more))
		}
		return message + "; " + structure[strings.LastIndexByte(structure, '.')+1:] + " has " + strings.Join(names, ", ")
	}
	if name, ok := quotedBehind(message, "undeclared reference to "); ok {
		if near := Nearest(name, slices.Concat(v.variables, functionNames())); near != "" {
			return message + "; did you mean '" + near + "'?"
		}
		return message + "; here a rule reads " + strings.Join(slices.Sorted(slices.Values(v.variables)), ", ")
	}
	return message
}

func quotedBehind(message, before string) (string, bool) {
	_, rest, found := strings.Cut(message, before+"'")
	name, _, closed := strings.Cut(rest, "'")
	return name, found && closed
}

// Nearest is the known name that a mistaken one most probably means, "" when none is like it: one
// that differs in few letters, or shares most of its words.
func Nearest(name string, known []string) string {
	best, least := "", max(1, len(name)/3)+1
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	if best != "" {
		return best
	}
	most := 2
	for _, k := range known {
		shared := 0
		for word := range strings.SplitSeq(name, "-") {
			if len(word) > 2 && strings.Contains(k, word) {
				shared += len(word)
			}
		}
		if shared > most {
			best, most = k, shared
		}
	}
	return best
}

// distance is how many letters must be put in, taken out or changed to make one name of the other;
// two neighbours in the wrong order count one.
func distance(a, b string) int {
	if max(len(a), len(b)) > 64 {
		return 64
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// InOrder sorts faults by their place and drops those that are told twice.
func InOrder(err error) error {
	if err == nil {
		return nil
	}
	list := Faults(err)
	slices.SortStableFunc(list, func(a, b error) int {
		x, xPlaced := errors.AsType[*Fault](a)
		y, yPlaced := errors.AsType[*Fault](b)
		if !xPlaced || !yPlaced {
			return 0
		}
		return cmp.Or(strings.Compare(x.File, y.File), x.Line-y.Line, x.Column-y.Column)
	})
	return errors.Join(slices.CompactFunc(list, func(a, b error) bool { return a.Error() == b.Error() })...)
}

// Faults takes joined errors apart.
func Faults(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		if err == nil {
			return nil
		}
		return []error{err}
	}
	var list []error
	for _, e := range joined.Unwrap() {
		list = append(list, Faults(e)...)
	}
	return list
}
