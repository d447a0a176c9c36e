package exception

import (
	"errors"
	"fmt"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// File reads a file of exceptions: a map with the list "exceptions", or Exception objects, or both
// as documents of their own. Every fault is reported at once, with its place and what to do; a file
// with a fault is read as none.
func File(name, text string) ([]verdict.Exception, error) {
	f := file{name: name}
	t, bad := document.Decode(text)
	if bad != nil {
		return nil, f.broken(bad)
	}
	docs, errs := document.Read(t, 1)
	for _, e := range errs {
		f.errs = append(f.errs, f.broken(e))
	}
	for _, d := range docs {
		if doubt := d.Doubt(); doubt != nil {
			f.errs = append(f.errs, f.broken(doubt))
		}
		f.document(d.Root())
	}
	if err := errors.Join(f.errs...); err != nil {
		return nil, err
	}
	return f.list, nil
}

type file struct {
	name string
	list []verdict.Exception
	errs []error
}

func (f *file) broken(e *document.Error) error {
	return f.fault(fault{e.Line, e.Column, e.Message, e.Remedy})
}

func (f *file) fault(x fault) error {
	return fmt.Errorf("%s:%d:%d: %s. %s", f.name, x.line, max(x.column, 1), x.text, x.remedy)
}

func (f *file) wrong(at document.Value, text, remedy string) {
	line, column := at.Position()
	f.errs = append(f.errs, f.fault(fault{line, column, text, remedy}))
}

func (f *file) document(root document.Value) {
	switch {
	case root.Kind() <= document.Null:
		return
	case root.Kind() == document.Map && root.Get("kind").Exists():
		e, faults := fromObject(fact.NewObject(root, &fact.Origin{Source: "files", File: f.name}))
		f.take(e, faults, root)
		return
	case root.Kind() != document.Map || !root.Get("exceptions").Exists():
		f.wrong(root, "no list of exceptions", "Write a map with one key, exceptions, and the list below it.")
		return
	}
	for key, at := range root.Fields() {
		if key != "exceptions" {
			f.wrong(at, fmt.Sprintf("unknown key %q", short(key)), "The only key is exceptions.")
			continue
		}
		if k := at.Kind(); k != document.List && k != document.Null {
			f.wrong(at, "exceptions is of type "+k.String()+", not a list", "Write each exception as an item: - rules: […].")
		}
		for _, item := range at.Items() {
			r := readRecord(item, "")
			f.take(r.exception, r.faults, item)
		}
	}
}

func (f *file) take(e verdict.Exception, faults []fault, at document.Value) {
	for _, x := range faults {
		f.errs = append(f.errs, f.fault(x))
	}
	e.Grant = verdict.GrantFile
	e.Location = verdict.Location{Source: "files", File: f.name}
	e.Location.Line, e.Location.Column = at.Position()
	f.list = append(f.list, e)
}
