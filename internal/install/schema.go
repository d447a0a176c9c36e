package install

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	fault "github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"

	"github.com/coaming/coaming/deploy"
	"github.com/coaming/coaming/internal/credential"
	"github.com/coaming/coaming/internal/rule"
)

// valueSchema is what the chart takes (values.schema.json, which helm goes by too): ready to validate, and as it is written.
type valueSchema struct {
	compiled *jsonschema.Schema
	written  any
}

var chartSchema = sync.OnceValues(func() (*valueSchema, error) {
	data, err := fs.ReadFile(deploy.Chart, path.Join("chart", "values.schema.json"))
	if err != nil {
		return nil, fmt.Errorf("read the built-in chart: %w", err)
	}
	const name = "file:///values.schema.json"
	s := &valueSchema{}
	if s.written, err = jsonschema.UnmarshalJSON(bytes.NewReader(data)); err != nil {
		return nil, fmt.Errorf("read the built-in chart's values.schema.json: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(name, s.written); err != nil {
		return nil, fmt.Errorf("read the built-in chart's values.schema.json: %w", err)
	}
	if s.compiled, err = compiler.Compile(name); err != nil {
		return nil, fmt.Errorf("read the built-in chart's values.schema.json: %w", err)
	}
	return s, nil
})

// misfit is one value that the chart does not take.
type misfit struct {
	place, text, remedy string
	// unknown says that the chart has no such value at all.
	unknown bool
}

// Check tells of all values that the chart does not know, or not take, each with its place and what it is to be. A value that is
// misspelt would else be silence, and a text in the place of false would be true to a template.
func Check(values map[string]any) error {
	list, err := misfits(values)
	errs := []error{err}
	for _, m := range list {
		errs = append(errs, fmt.Errorf("value %s: %s. %s", m.place, m.text, m.remedy))
	}
	return errors.Join(errs...)
}

// CheckKept does the same for values that an earlier installation left, with others over them that were checked.
func CheckKept(values map[string]any) error {
	list, err := misfits(values)
	errs := []error{err}
	for _, m := range list {
		remedy := m.remedy + " Give it anew: --set " + m.place + "=VALUE."
		if m.unknown {
			remedy = "Have it forgotten: --set " + m.place + "=null."
		}
		errs = append(errs, fmt.Errorf("value %s, which an earlier installation left in ConfigMap %s/%s: %s. %s", m.place, Namespace, keptConfigMap, m.text, remedy))
	}
	return errors.Join(errs...)
}

// misfits are the values that the chart does not take, of those that hold where values are laid over its own.
func misfits(values map[string]any) ([]misfit, error) {
	s, err := chartSchema()
	if err != nil {
		return nil, err
	}
	c, err := loadChart()
	if err != nil {
		return nil, err
	}
	if values, err = Forget(values); err != nil {
		return nil, err
	}
	whole, err := commonutil.CoalesceValues(c, values)
	if err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	text, err := json.Marshal(whole)
	if err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	var invalid *jsonschema.ValidationError
	if err := s.compiled.Validate(instance); !errors.As(err, &invalid) {
		return nil, err
	}
	var list []misfit
	s.gather(invalid, instance, &list)
	slices.SortStableFunc(list, func(a, b misfit) int { return strings.Compare(a.place, b.place) })
	const most = 20
	if more := len(list) - most; more > 0 {
		return list[:most], fmt.Errorf("values: %d more are wrong", more)
	}
	return list, nil
}

// gather adds what is wrong by an error and those beneath it, each at its own place.
func (s *valueSchema) gather(e *jsonschema.ValidationError, instance any, list *[]misfit) {
	at := e.InstanceLocation
	written := s.at(e.SchemaURL)
	switch k := e.ErrorKind.(type) {
	case *fault.AdditionalProperties:
		known, _ := written["properties"].(map[string]any)
		names := slices.Sorted(maps.Keys(known))
		for _, name := range k.Properties {
			m := misfit{place: below(at, name), text: "there is no such value", remedy: "There are " + strings.Join(names, ", ") + ".", unknown: true}
			if near := rule.Nearest(name, names); near != "" {
				m.remedy = "Did you mean " + below(at, near) + "? " + m.remedy
			} else if known == nil {
				m.text, m.remedy = "its name does not fit", strings.Replace(s.remedy(written), "It is", placed(at)+" is", 1)
			}
			*list = append(*list, m)
		}
	case *fault.Required:
		for _, name := range k.Missing {
			properties, _ := written["properties"].(map[string]any)
			*list = append(*list, misfit{place: below(at, name), text: "it is missing, or null", remedy: s.remedy(properties[name])})
		}
	case *fault.AnyOf, *fault.Not:
		*list = append(*list, misfit{place: placed(at), text: "it is " + shown(at, instance), remedy: s.remedy(written)})
	default:
		if len(e.Causes) > 0 {
			for _, cause := range e.Causes {
				s.gather(cause, instance, list)
			}
			return
		}
		remedy := s.remedy(written)
		if remedy == "" {
			remedy = "It is wrong: " + e.ErrorKind.LocalizedString(message.NewPrinter(language.English)) + "."
		}
		*list = append(*list, misfit{place: placed(at), text: "it is " + shown(at, instance), remedy: remedy})
	}
}

// at is a part of the schema, by its address there, and what it refers to.
func (s *valueSchema) at(address string) map[string]any {
	_, pointer, _ := strings.Cut(address, "#")
	part := s.written
	for name := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		switch x := part.(type) {
		case map[string]any:
			if name != "" {
				part = x[name]
			}
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(x) {
				return nil
			}
			part = x[i]
		}
	}
	found, _ := part.(map[string]any)
	if to, ok := found["$ref"].(string); ok {
		return s.at(to)
	}
	return found
}

// remedy is what a part of the schema says of itself: what a value there is to be.
func (s *valueSchema) remedy(part any) string {
	found, _ := part.(map[string]any)
	if to, ok := found["$ref"].(string); ok {
		found = s.at(to)
	}
	if said, _ := found["description"].(string); said != "" {
		return "It is to be " + said + "."
	}
	if known, _ := found["properties"].(map[string]any); known != nil {
		return "It is to be a map of " + strings.Join(slices.Sorted(maps.Keys(known)), ", ") + "."
	}
	return ""
}

// placed is a place among values as --set takes it: gate.env[0].name.
func placed(at []string) string {
	var b strings.Builder
	for i, name := range at {
		if _, err := strconv.Atoi(name); err == nil && i > 0 {
			b.WriteString("[" + name + "]")
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(strings.ReplaceAll(short(name), ".", `\.`))
	}
	return b.String()
}

func below(at []string, name string) string { return placed(append(slices.Clone(at), name)) }

// shown is the value at a place as it may be told: nothing that may be secret, and not all of a long text.
func shown(at []string, instance any) string {
	v, name := instance, ""
	for _, step := range at {
		switch x := v.(type) {
		case map[string]any:
			v, name = x[step], step
		case []any:
			if i, err := strconv.Atoi(step); err == nil && i < len(x) {
				v = x[i]
			}
		}
	}
	switch x := v.(type) {
	case string:
		if credential.Masks(name, x) || strings.Contains(x, "\n") {
			return "a text"
		}
		return fmt.Sprintf("the text %q", short(x))
	case map[string]any:
		return "a map"
	case []any:
		if len(x) == 0 {
			return "an empty list"
		}
		return "a list"
	case nil:
		return "null"
	}
	return fmt.Sprint(v)
}

// short is a text of bounded length.
func short(text string) string {
	const most = 60
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
