// Package catalog is the built-in knowledge: rules, frameworks and support calendars, as embedded YAML. It
// judges nothing and knows no object; adding knowledge is adding a file.
package catalog

import (
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/rule"
)

//go:generate go run ../../tools/catalog checked.bin ../../docs

//go:embed rules support frameworks
var files embed.FS

//go:embed checked.bin
var checkedExpressions string

// Rules reads the built-in rules with their examples, by practice and id. An error is a fault of
// the catalogue itself.
func Rules() ([]*rule.Rule, error) {
	return readRules(func(path string) (string, error) {
		text, err := files.ReadFile(path)
		return string(text), err
	})
}

// Brief reads the built-in rules without their examples, which are most of their text: all that a
// judgement wants.
func Brief() ([]*rule.Rule, error) {
	texts := checked()
	return readRules(func(path string) (string, error) {
		text, found := texts[path]
		if !found {
			return "", errors.New("it has no brief form: run 'make gen'")
		}
		return text, nil
	})
}

// BriefTexts are the rules without their examples, by path, as JSON, which is read faster than the
// YAML that they are written in: part of what is embedded in checked.bin.
func BriefTexts() (map[string][]byte, error) {
	paths, err := fs.Glob(files, "rules/*/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list rules: %w", err)
	}
	texts := map[string][]byte{}
	for _, path := range paths {
		text, err := files.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		docs, errs := document.Read(document.NewText(string(text)), 1)
		if len(errs) > 0 || len(docs) != 1 {
			return nil, fmt.Errorf("%s: want one document: %w", path, errors.Join(asErrors(errs)...))
		}
		texts[path] = docs[0].Root().AppendJSONWithout(nil, func(depth int, key string, _ document.Value) bool { return depth == 1 && key == "examples" })
	}
	return texts, nil
}

func readRules(textOf func(path string) (string, error)) ([]*rule.Rule, error) {
	paths, err := fs.Glob(files, "rules/*/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list rules: %w", err)
	}
	rules, errs := make([]*rule.Rule, len(paths)), make([]error, len(paths))
	var group sync.WaitGroup
	half := len(paths) / 2
	read := func(from, to int) {
		for i := from; i < to; i++ {
			rules[i], errs[i] = readRule(paths[i], textOf)
		}
	}
	group.Go(func() { read(0, half) }) // a start waits for this, so two cores share it
	read(half, len(paths))
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	slices.SortFunc(rules, func(a, b *rule.Rule) int {
		if c := slices.Index(rule.Practices, a.Practice) - slices.Index(rule.Practices, b.Practice); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return rules, nil
}

func readRule(path string, textOf func(path string) (string, error)) (*rule.Rule, error) {
	text, err := textOf(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	r, err := rule.Parse(path, text)
	if err != nil {
		return nil, err
	}
	if want := "rules/" + r.Practice + "/" + r.ID + ".yaml"; path != want {
		return nil, fmt.Errorf("%s: by its practice and id it belongs in %s", path, want)
	}
	return r, nil
}

// Compile makes built-in rules ready to judge.
func Compile(rules []*rule.Rule) ([]*rule.Compiled, error) {
	list := make([]*rule.Compiled, 0, len(rules))
	for _, r := range rules {
		c, err := rule.Compile(r, Checked)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// Checked serves the expressions that were checked when the program was built.
func Checked(key string) string { return checked()[key] }

var checked = sync.OnceValue(func() map[string]string {
	m, err := readChecked(checkedExpressions)
	if err != nil {
		return nil // TestChecked notices
	}
	return m
})

// The form of checked.bin: entries of a key and a checked expression, or of a rule's path and its
// brief text, each with its length before it as 4 bytes, little-endian.

// WriteChecked puts checked expressions and brief texts into the form of checked.bin.
func WriteChecked(m map[string][]byte) []byte {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var out []byte
	for _, key := range keys {
		out = append(binary.LittleEndian.AppendUint32(out, uint32(len(key))), key...)
		out = append(binary.LittleEndian.AppendUint32(out, uint32(len(m[key]))), m[key]...)
	}
	return out
}

func readChecked(s string) (map[string]string, error) {
	m := map[string]string{}
	next := func() (string, error) {
		if len(s) < 4 {
			return "", errors.New("checked expressions end early")
		}
		n := int(binary.LittleEndian.Uint32([]byte(s[:4])))
		if n > len(s)-4 {
			return "", errors.New("checked expressions end early")
		}
		part := s[4 : 4+n]
		s = s[4+n:]
		return part, nil
	}
	for s != "" {
		key, err := next()
		if err != nil {
			return nil, err
		}
		if m[key], err = next(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// support reads one of the support files.
func support(name string) (document.Value, error) {
	text, err := files.ReadFile("support/" + name)
	if err != nil {
		return document.Value{}, fmt.Errorf("read support/%s: %w", name, err)
	}
	docs, errs := document.Read(document.NewText(string(text)), 1)
	if len(errs) > 0 || len(docs) != 1 {
		return document.Value{}, fmt.Errorf("support/%s: want one document: %w", name, errors.Join(asErrors(errs)...))
	}
	return docs[0].Root(), nil
}

func asErrors(list []*document.Error) []error {
	errs := make([]error, 0, len(list))
	for _, e := range list {
		errs = append(errs, e)
	}
	return errs
}
