package workbench

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// Try judges the rule's own examples: each bad one must give it a fail, each good one must not,
// and none an unknown. Each fault stands at the example.
func Try(r *rule.Compiled, b Bench) error {
	var errs []error
	for i, e := range r.Bad {
		o := judged(r, e, b)
		switch {
		case len(o.unknown) > 0:
			errs = append(errs, at(r, e, "bad example %d cannot be judged: %s", i+1, strings.Join(o.unknown, "; ")))
		case len(o.fails) == 0:
			errs = append(errs, at(r, e, "bad example %d does not fail: %s", i+1, o.otherwise()))
		}
	}
	for i, e := range r.Good {
		o := judged(r, e, b)
		switch {
		case len(o.unknown) > 0:
			errs = append(errs, at(r, e, "good example %d cannot be judged: %s", i+1, strings.Join(o.unknown, "; ")))
		case len(o.fails) > 0:
			errs = append(errs, at(r, e, "good example %d fails: %s", i+1, strings.Join(o.fails, "; ")))
		}
	}
	return errors.Join(errs...)
}

// at is a fault at an example.
func at(r *rule.Compiled, e rule.Example, format string, args ...any) error {
	var where document.Value
	if len(e) > 0 {
		where = e[0]
	}
	return r.FaultAt(where, format, args...)
}

// outcome is what a rule said of an example.
type outcome struct {
	fails, unknown, messages  []string
	objects, workloads, asked int
}

// otherwise says in words why a rule that did not fail did not.
func (o *outcome) otherwise() string {
	switch {
	case o.objects == 0:
		return "it holds no object, which has an apiVersion, a kind and a name"
	case o.asked == 0:
		return "the rule was not asked, for nothing in it is what the rule matches, or its when does not hold"
	}
	return fmt.Sprintf("the assertion held each of the %d times it was asked", o.asked)
}

func judged(r *rule.Compiled, e rule.Example, b Bench) *outcome {
	res, inventory := Judge(r, e, b, nil)
	o := &outcome{objects: len(inventory.Objects), workloads: len(inventory.Workloads)}
	if r.Match.Fact == "cluster" {
		o.objects = 1
	}
	o.objects += len(inventory.Images)
	for _, t := range res.Tally {
		o.asked += t.Pass + t.Fail + t.Unknown
	}
	for i := range res.Findings {
		f := &res.Findings[i]
		where := f.Subject.Kind + " " + f.Subject.Name
		if f.Path != "" {
			where += " at " + f.Path
		}
		if f.Verdict == verdict.Fail {
			o.fails = append(o.fails, fmt.Sprintf("%s (%s)", f.Message, where))
			o.messages = append(o.messages, f.Message)
		} else {
			o.unknown = append(o.unknown, fmt.Sprintf("%s (%s)", f.Reason, where))
		}
	}
	return o
}

// Bench is what rules are tried with beside their own text.
type Bench struct {
	// Now is the moment with which calendars are compared.
	Now time.Time
	// Image builds and opens the image that an example of a rule on images describes; nil where none are tried.
	Image func(description document.Value) (*fact.Image, error)
}

// Judge asks one rule about objects, as a scan of files does; of a rule on clusters the objects are
// one {version: ...}, of one on images each describes an image. asked, where it is not nil, is told each question.
func Judge(r *rule.Compiled, objects []document.Value, b Bench, asked judge.Asked) (*verdict.Result, *fact.Inventory) {
	version, live := cmp.Or(r.ExampleVersion, catalog.Newest), false
	if r.Match.Fact == "cluster" && len(objects) == 1 && objects[0].Get("version").Exists() {
		version, live, objects = objects[0].Get("version").Text(), true, nil
	}
	list := make([]*fact.Object, 0, len(objects))
	for _, v := range objects {
		if r.Match.Fact != "image" && isObject(v) {
			list = append(list, fact.NewObject(v, &fact.Origin{Source: "files", File: r.File}))
		}
	}
	inventory := fact.NewInventory(list, version, live)
	if r.Match.Fact == "image" {
		inventory.Images = b.images(objects)
	}
	return judge.Judge(judge.Input{Inventory: inventory, Rules: []*rule.Compiled{r}, Settings: r.Settings, Now: b.Now, Asked: asked}), inventory
}

// images are those that descriptions make. Of one that cannot be made nothing is known, which a trial tells.
func (b Bench) images(descriptions []document.Value) []*fact.Image {
	var list []*fact.Image
	for _, v := range descriptions {
		img, err := (*fact.Image)(nil), errors.New("this command builds no images")
		if b.Image != nil {
			img, err = b.Image(v)
		}
		if err != nil {
			img = &fact.Image{Name: "example", Contents: &fact.Contents{Name: "example", Unseen: err.Error()}}
		}
		list = append(list, img)
	}
	return list
}

func isObject(v document.Value) bool { return v.Kind() == document.Map && v.Get("kind").Str() != "" }
