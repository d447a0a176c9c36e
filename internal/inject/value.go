package inject

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/kubetype"
)

// Sidecar is a template with its values: what a pod gains to the letter.
type Sidecar struct {
	*Template
	// sidecars are native sidecars where the server has them, containers ordinary ones everywhere.
	sidecars, containers []any
	volumes              []any
	annotations          map[string]string
	// env and mounts are what the pod's own containers gain.
	env, mounts []any
}

// longestValue bounds one value, in bytes: annotations hold 256 KiB in all.
const longestValue = 64 << 10

// Fill puts values into a template. All that is wrong with them is told at once.
func (t *Template) Fill(values map[string]string) (*Sidecar, error) {
	var errs []error
	given := map[string]string{}
	for _, p := range t.Parameters {
		value, found := values[p.Name]
		if !found {
			value = p.Default
		}
		if p.Required && strings.TrimSpace(value) == "" {
			errs = append(errs, fmt.Errorf("sidecar %s needs the value %s: %s", t.Name, p.Name, p.About))
		}
		if len(value) > longestValue {
			errs = append(errs, fmt.Errorf("sidecar %s: the value %s has over %d bytes", t.Name, p.Name, longestValue))
		}
		if p.Name == "image" && strings.ContainsAny(value, " \t\r\n\"'") {
			errs = append(errs, fmt.Errorf("sidecar %s: the value image is no reference of an image", t.Name))
		}
		given[p.Name] = value
	}
	for name := range values {
		if !t.takes(name) {
			errs = append(errs, fmt.Errorf("sidecar %s has no value %q; there are %s", t.Name, name, t.parameterNames()))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s := &Sidecar{Template: t, annotations: map[string]string{}}
	for key, v := range t.spec.Get("annotations").Fields() {
		s.annotations[key] = filled(v.Str(), given)
	}
	for _, list := range []struct {
		from document.Value
		part string
		to   *[]any
	}{
		{t.spec.Get("sidecars"), "Container", &s.sidecars},
		{t.spec.Get("containers"), "Container", &s.containers},
		{t.spec.Get("volumes"), "Volume", &s.volumes},
		{t.spec.At("programs", "env"), "EnvVar", &s.env},
		{t.spec.At("programs", "volumeMounts"), "VolumeMount", &s.mounts},
	} {
		for _, item := range list.from.Items() {
			value, err := fill(item, list.part, given)
			if err != nil {
				errs = append(errs, fmt.Errorf("sidecar %s: %w", t.Name, err))
				continue
			}
			*list.to = append(*list.to, value)
		}
	}
	return s, errors.Join(errs...)
}

func (t *Template) parameterNames() string {
	var names []string
	for _, p := range t.Parameters {
		names = append(names, p.Name)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func filled(s string, values map[string]string) string {
	return placeholder.ReplaceAllStringFunc(s, func(m string) string { return values[m[2:len(m)-1]] })
}

// fill is one part with its values. A text that is nothing but a placeholder becomes the number or the switch that the
// value is, where the API wants one.
func fill(v document.Value, part string, values map[string]string) (any, error) {
	literal := map[string]bool{}
	for {
		tree := plant(v, values, "", literal)
		text, err := json.Marshal(tree)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", part, err)
		}
		doc, fault := document.ParseJSON(string(text))
		if fault != nil {
			return nil, fault
		}
		misfits := kubetype.Misfits(doc.Root(), part, func(string) bool { return false })
		if len(misfits) == 0 {
			return tree, nil
		}
		if len(literal) > 0 {
			return nil, fmt.Errorf("%s %s with its values: %s", part, v.Get("name").Str(), misfits[0].Message)
		}
		for _, m := range misfits {
			literal[place(m.At.Steps())] = true
		}
	}
}

// place is a path in a part as one text.
func place(steps []document.Step) string {
	var at strings.Builder
	for _, s := range steps {
		if at.WriteString("/" + escape(s.Key)); s.Key == "" {
			at.WriteString(strconv.Itoa(s.Index))
		}
	}
	return at.String()
}

// plant copies a value, with its placeholders replaced; what stands alone at a literal place is read as the number or
// switch that it is.
func plant(v document.Value, values map[string]string, at string, literal map[string]bool) any {
	switch v.Kind() {
	case document.Map:
		out := map[string]any{}
		for key, entry := range v.Fields() {
			out[key] = plant(entry, values, at+"/"+escape(key), literal)
		}
		return out
	case document.List:
		out := []any{}
		for i, item := range v.Items() {
			out = append(out, plant(item, values, at+"/"+strconv.Itoa(i), literal))
		}
		return out
	case document.String:
		text := filled(v.Text(), values)
		if literal[at] && placeholder.FindString(v.Text()) == v.Text() {
			return literally(text)
		}
		return text
	case document.Bool:
		return v.Bool()
	case document.Int, document.Float:
		return json.Number(v.Text())
	case document.Missing, document.Null:
	}
	return nil
}

// literally is the number or the switch that a text is, else the text.
func literally(text string) any {
	if text == "true" || text == "false" {
		return text == "true"
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return json.Number(strconv.FormatInt(n, 10))
	}
	return text
}

// names are the names of the items of a list.
func names(list []any) []string {
	var out []string
	for _, item := range list {
		if name := nameOf(item); name != "" {
			out = append(out, name)
		}
	}
	return out
}

// nameOf is the name of an item of a list.
func nameOf(item any) string {
	m, _ := item.(map[string]any)
	name, _ := m["name"].(string)
	return name
}

// holds says whether the sidecar has a container of that name.
func (s *Sidecar) holds(container string) bool {
	return slices.Contains(names(s.sidecars), container) || slices.Contains(names(s.containers), container)
}
