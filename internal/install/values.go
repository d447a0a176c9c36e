package install

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	chartloader "helm.sh/helm/v4/pkg/chart/v2/loader"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/coaming/coaming/internal/verdict"
)

// keptConfigMap holds what was said when the gate was installed, so that an upgrade, and 'coaming status', go by it.
const keptConfigMap = "coaming-installation"

// Kept is what an earlier installation left: its values and the version of the program.
type Kept struct {
	Values  map[string]any
	Version string
}

// Kept reads what an earlier installation left; nil where there is none.
func (c *Cluster) Kept(ctx context.Context) (*Kept, error) {
	o, err := c.get(ctx, c.kindNamed("ConfigMap"), Namespace, keptConfigMap)
	if o == nil || err != nil {
		return nil, err
	}
	text, _, _ := unstructured.NestedString(o.Object, "data", "values.yaml")
	version, _, _ := unstructured.NestedString(o.Object, "data", "version")
	values, err := chartloader.LoadValues(strings.NewReader(text))
	if err != nil {
		return nil, &verdict.RemedyError{
			Err:    fmt.Errorf("read the values of the earlier installation in ConfigMap %s/%s: %w", Namespace, keptConfigMap, err),
			Remedy: "Give all values anew, with --reset-values.",
		}
	}
	return &Kept{Values: values, Version: version}, nil
}

// keep is the ConfigMap that Kept reads.
func keep(values map[string]any, version string) (*Object, error) {
	text, err := yaml.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("write the values: %w", err)
	}
	return &Object{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": keptConfigMap, "namespace": Namespace, "labels": ownLabels()},
		"data":     map[string]any{"values.yaml": string(text), "version": version},
	}}, nil
}

// Merge lays values over others; neither is changed.
func Merge(under, over map[string]any) map[string]any {
	return chartloader.MergeMaps(copied(under), copied(over))
}

// Forget leaves out what is null and none of the chart's own values: so a template, or a value that an earlier version had, is
// forgotten (--set templates.forwarder=null). A null of the chart's own stays, and takes its default away.
func Forget(values map[string]any) (map[string]any, error) {
	defaults, err := Defaults()
	if err != nil {
		return nil, err
	}
	values = copied(values)
	forget(values, defaults)
	return values, nil
}

func forget(values, defaults map[string]any) {
	for name, value := range values {
		below, _ := value.(map[string]any)
		own, known := defaults[name]
		switch {
		case value == nil && !known:
			delete(values, name)
		case below != nil:
			under, _ := own.(map[string]any)
			forget(below, under)
		}
	}
}

// copied is a copy that shares no map with the original.
func copied(values map[string]any) map[string]any {
	if values == nil {
		return map[string]any{}
	}
	return copyOf(values).(map[string]any)
}

func copyOf(v any) any {
	switch x := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(x))
		for name, item := range x {
			m[name] = copyOf(item)
		}
		return m
	case []any:
		list := make([]any, len(x))
		for i, item := range x {
			list[i] = copyOf(item)
		}
		return list
	}
	return v
}

var (
	referenceForm = regexp.MustCompile(`^([^@\s]+?)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$`)
	errNoImage    = &verdict.RemedyError{
		Err:    errors.New("the gate's image is not named"),
		Remedy: "Name it by its digest: --image REGISTRY/coaming@sha256:…",
	}
)

// Image are the values for an image: REPOSITORY[:TAG]@sha256:DIGEST. Without a digest it is refused, unless a tag is allowed: who
// can push to the repository would else run code in the cluster's admission.
func Image(reference string, allowTag bool) (map[string]any, error) {
	parts := referenceForm.FindStringSubmatch(reference)
	if parts == nil || strings.Contains(parts[1], "@") {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("--image %q is no name of an image", reference), Remedy: "Write REGISTRY/coaming@sha256: and 64 hexadecimal digits."}
	}
	repository, tag, digest := parts[1], parts[2], parts[3]
	if digest == "" && (!allowTag || tag == "") {
		return nil, &verdict.RemedyError{
			Err:    fmt.Errorf("--image %q has no digest: who can push to the repository would run code in the cluster's admission", reference),
			Remedy: "Append the digest, @sha256:…; or say --allow-tag, and name a tag.",
		}
	}
	return map[string]any{"image": map[string]any{"repository": repository, "tag": tag, "digest": digest, "allowTag": allowTag && digest == ""}}, nil
}

// hasImage says whether values name an image that can be pulled.
func hasImage(values map[string]any) bool {
	digest, _, _ := unstructured.NestedString(values, "image", "digest")
	tag, _, _ := unstructured.NestedString(values, "image", "tag")
	allowed, _, _ := unstructured.NestedBool(values, "image", "allowTag")
	return digest != "" && strings.Trim(strings.TrimPrefix(digest, "sha256:"), "0") != "" || allowed && tag != ""
}
