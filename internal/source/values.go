package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartloader "helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/strvals"

	"github.com/coaming/coaming/internal/verdict"
)

// maxValues bounds a file of values, in bytes.
const maxValues = 16 << 20

// ChartValues reads what flags of Helm's names say of a chart's values: files and assignments, the later over the earlier.
func ChartValues(r Release) (map[string]any, error) { return mergeValues(disk{}, r) }

// mergeValues reads what the user says of the values, the later over the earlier, in Helm's order.
func mergeValues(d disk, layers ...Release) (map[string]any, error) {
	values := map[string]any{}
	wrong := func(what, text string, err error) error {
		return &verdict.RemedyError{Err: fmt.Errorf("%s %s: %w", what, text, err), Remedy: "Write it as for 'helm template'; nothing is downloaded."}
	}
	for _, l := range layers {
		for _, file := range l.Values {
			text, err := d.read(file, maxValues)
			if err != nil {
				return nil, wrong("values", file, err)
			}
			more, err := chartloader.LoadValues(strings.NewReader(text))
			if err != nil {
				return nil, wrong("values", file, err)
			}
			values = chartloader.MergeMaps(values, more)
		}
		if err := checkKeys(l); err != nil {
			return nil, err
		}
		for _, s := range l.Set {
			if err := strvals.ParseInto(s, values); err != nil {
				return nil, wrong("set", s, err)
			}
		}
		for _, s := range l.SetString {
			if err := strvals.ParseIntoString(s, values); err != nil {
				return nil, wrong("set-string", s, err)
			}
		}
		for _, s := range l.SetFile {
			if err := strvals.ParseIntoFile(s, values, func(name []rune) (any, error) { return d.read(string(name), maxValues) }); err != nil {
				return nil, wrong("set-file", s, err)
			}
		}
	}
	return values, nil
}

// errElsewhere says that a schema refers to something outside of itself.
var errElsewhere = errors.New("the schema refers to something outside of itself")

// nowhere is a schema loader that loads nothing: Helm's would fetch references from the network.
type nowhere struct{ asked bool }

func (n *nowhere) Load(string) (any, error) {
	n.asked = true
	return nil, errElsewhere
}

// checkSchema checks values against the schemas of the chart and its dependencies, as Helm does
// before it renders. unchecked counts the schemas that refer to something outside of themselves.
func checkSchema(c *chart.Chart, values map[string]any) (unchecked int, err error) {
	if len(c.Schema) > 0 {
		err := checkOne(c.Schema, values)
		switch {
		case errors.Is(err, errElsewhere):
			unchecked++
		case err != nil:
			return unchecked, fmt.Errorf("the values do not fit the schema of chart %s: %w", c.Name(), err)
		}
	}
	for _, sub := range c.Dependencies() {
		below, ok := values[sub.Name()].(map[string]any)
		if !ok {
			continue
		}
		n, err := checkSchema(sub, below)
		unchecked += n
		if err != nil {
			return unchecked, err
		}
	}
	return unchecked, nil
}

func checkOne(schema []byte, values map[string]any) error {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return fmt.Errorf("values.schema.json: %w", err)
	}
	// Numbers as the values have them, whatever the reader made of them.
	plain, err := json.Marshal(values)
	if err != nil {
		return fmt.Errorf("values: %w", err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(plain))
	if err != nil {
		return fmt.Errorf("values: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	loader := &nowhere{}
	compiler.UseLoader(loader)
	const name = "file:///values.schema.json"
	if err := compiler.AddResource(name, parsed); err != nil {
		return fmt.Errorf("values.schema.json: %w", err)
	}
	compiled, err := compiler.Compile(name)
	if loader.asked {
		return errElsewhere
	}
	if err != nil {
		return fmt.Errorf("values.schema.json: %w", err)
	}
	if err := compiled.Validate(instance); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "jsonschema validation failed with '"+name+"#'\n"))
	}
	return nil
}
