package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/inject"
	"github.com/coaming/coaming/internal/source"
	"github.com/coaming/coaming/internal/verdict"
)

// injectFormats are the forms in which patches, and drift, are shown; yaml is the objects as they would be.
var injectFormats = []string{"text", "json", "yaml"}

// shownChange is a change, or a drift, as JSON.
type shownChange struct {
	Kind      string             `json:"kind"`
	Namespace string             `json:"namespace,omitempty"`
	Name      string             `json:"name"`
	File      string             `json:"file,omitempty"`
	Reasons   []string           `json:"reasons,omitempty"`
	Patch     []inject.Operation `json:"patch,omitempty"`
	Template  string             `json:"template,omitempty"`
	Have      string             `json:"have,omitempty"`
	Want      string             `json:"want,omitempty"`
	Drift     string             `json:"drift,omitempty"`

	after document.Value
}

func shown(o *fact.Object) shownChange {
	return shownChange{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, File: o.Origin.File}
}

func (s *shownChange) title() string {
	title := s.Kind + " " + s.Name
	if s.Namespace != "" {
		title = s.Kind + " " + s.Namespace + "/" + s.Name
	}
	return title + " (" + s.File + ")"
}

// look asks for every object, and shows what comes of it.
func (o *injectOptions) look(ctx context.Context, env *Env, l looking, reading *source.Reading) error {
	list, untold := []shownChange{}, 0
	for _, object := range reading.Objects {
		of, err := o.changes(ctx, &l, object)
		list = append(list, of...)
		if err != nil {
			untold++
			s := shown(object)
			_, _ = fmt.Fprintf(env.Stderr, "%s: %s\n", s.title(), strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
	for i := range reading.Coverage.Gaps {
		g := &reading.Coverage.Gaps[i]
		_, _ = fmt.Fprintf(env.Stderr, "not looked at: %s: %s\n", g.Place(), g.Message)
	}
	if err := o.write(env.Stdout, list); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	switch {
	case untold > 0 || o.check && len(list) > 0:
		return exitError(verdict.ExitFindings)
	case len(reading.Coverage.Gaps) > 0 && !o.allowUnknown:
		return exitError(verdict.ExitUnknown)
	}
	return nil
}

// changes are what becomes of one object, or with --check its drifts.
func (o *injectOptions) changes(ctx context.Context, l *looking, object *fact.Object) ([]shownChange, error) {
	if o.check {
		drifts, err := l.injector.Drifts(object, l.place(object), l.version)
		var list []shownChange
		for _, d := range drifts {
			s := shown(object)
			s.Template, s.Have, s.Want, s.Drift = d.Template, d.Have, d.Want, d.Message
			list = append(list, s)
		}
		return list, err
	}
	c, err := l.injector.Change(ctx, object, l.place(object), l.version)
	s := shown(object)
	if c == nil {
		if s.after = object.Root; o.format != "yaml" {
			return nil, err
		}
		return []shownChange{s}, err
	}
	s.Reasons, s.Patch, s.after = c.Reasons, c.Operations, c.After
	return []shownChange{s}, err
}

func (o *injectOptions) write(w io.Writer, list []shownChange) error {
	switch {
	case o.format == "json":
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(list)
	case o.check:
		return writeDrifts(w, list)
	case o.format == "yaml":
		for i := range list {
			if _, err := io.WriteString(w, "---\n"+document.YAML(list[i].after)); err != nil {
				return err
			}
		}
		return nil
	}
	var b strings.Builder
	for i := range list {
		s := &list[i]
		b.WriteString(s.title() + "\n")
		for _, reason := range s.Reasons {
			b.WriteString("  " + reason + "\n")
		}
		for _, operation := range s.Patch {
			text, err := json.Marshal(operation)
			if err != nil {
				return err
			}
			b.WriteString("    " + string(text) + "\n")
		}
	}
	fmt.Fprintf(&b, "%s changed\n", objectCount(len(list)))
	_, err := io.WriteString(w, b.String())
	return err
}

func objectCount(n int) string {
	if n == 1 {
		return "1 object"
	}
	return fmt.Sprintf("%d objects", n)
}

func writeDrifts(w io.Writer, list []shownChange) error {
	for i := range list {
		if _, err := fmt.Fprintf(w, "%s: sidecar %s: %s\n", list[i].title(), list[i].Template, list[i].Drift); err != nil {
			return err
		}
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "nothing has drifted")
		return err
	}
	_, err := fmt.Fprintf(w, "%d drifted\n", len(list))
	return err
}

// showTemplate writes a shipped template.
func (o *injectOptions) showTemplate(env *Env) error {
	text, found := inject.ShippedText(o.show)
	if !found {
		return &verdict.RemedyError{Err: fmt.Errorf("--show: no template %q is shipped", o.show), Remedy: "See 'coaming inject --list' for those that are."}
	}
	_, err := io.WriteString(env.Stdout, text)
	return err
}

// listTemplates lists the templates with their values.
func (o *injectOptions) listTemplates(env *Env, injector *inject.Injector) error {
	all, err := inject.Shipped()
	if err != nil {
		return err
	}
	for _, t := range injector.Templates {
		all[t.Name] = t
	}
	table := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t := all[name]
		_, _ = fmt.Fprintf(table, "%s %s\t\t%s\n", t.Name, t.Version, t.About)
		for _, p := range t.Parameters {
			about := p.About
			switch first, more, _ := strings.Cut(p.Default, "\n"); {
			case p.Required:
				about += " (required)"
			case more != "":
				about += " (default: several lines)"
			default:
				about += fmt.Sprintf(" (default %q)", first)
			}
			_, _ = fmt.Fprintf(table, "\t%s\t%s\n", p.Name, about)
		}
	}
	return table.Flush()
}

// writePolicies writes the plan's mutations as policies, and tells on standard error what no policy can make.
func (o *injectOptions) writePolicies(env *Env, injector *inject.Injector) error {
	list, err := injector.Policies(cmp.Or(o.kubeVersion, catalog.Newest))
	if err != nil {
		return err
	}
	text, err := list.YAML()
	if err != nil {
		return err
	}
	if text == "" {
		return cmp.Or(errors.Join(list.Left...), errors.New("the plan asks for no mutations"))
	}
	for _, why := range list.Left {
		_, _ = fmt.Fprintf(env.Stderr, "not a policy: %v\n", why)
	}
	_, err = io.WriteString(env.Stdout, text)
	return err
}
