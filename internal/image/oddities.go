package image

import (
	"errors"
	"fmt"
	"strings"
)

// oddities are what a package database holds and does not tell: packages without a version, which stay in the list, those
// without a name, which cannot, and lines of no form.
type oddities struct {
	versionless int
	nameless    int
	lines       int
	first       string // the first package without a version
}

func (o *oddities) check(name, version string) {
	switch {
	case name == "":
		o.nameless++
	case version == "":
		if o.versionless++; o.versionless == 1 {
			o.first = name
		}
	}
}

// settle leaves out what has no name, and makes of what is odd the error of a reader that had none.
func (o *oddities) settle(f *find, err error) (*find, error) {
	if o.nameless > 0 {
		kept := f.packages[:0]
		for i := range f.packages {
			if f.packages[i].Name != "" {
				kept = append(kept, f.packages[i])
			}
		}
		clear(f.packages[len(kept):])
		f.packages = kept
	}
	if err != nil {
		return f, err
	}
	var parts []string
	if o.versionless > 0 {
		parts = append(parts, fmt.Sprintf("%d packages have no version, %.100q the first", o.versionless, o.first))
	}
	if o.nameless > 0 {
		parts = append(parts, fmt.Sprintf("%d packages have no name", o.nameless))
	}
	if o.lines > 0 {
		parts = append(parts, fmt.Sprintf("%d lines are not understood", o.lines))
	}
	if len(parts) == 0 {
		return f, nil
	}
	return f, errors.New(strings.Join(parts, ", "))
}
