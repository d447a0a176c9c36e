// Package install puts the gate into a cluster, takes it out again, and says how it stands. It renders the chart that the
// binary carries (deploy/chart) with Helm's library, applies the objects server-side in an order in which nothing
// can lock the cluster, and compares what is there with what was installed. It decides nothing about rules: what refuses
// natively it is handed (Native). Only cli imports it.
package install

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartloader "helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubeyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/coaming/coaming/deploy"
)

const (
	// Namespace is where the gate is, in every cluster: what is excluded by name must have one.
	Namespace = "coaming-system"
	gateName  = "coaming-gate"
	// manager is the field manager of everything that is applied.
	manager = "coaming-install"
	// ours selects what was installed, and what the gate keeps.
	ours      = managedBy + "=coaming"
	managedBy = "app.kubernetes.io/managed-by"
	release   = "coaming"
)

// Object is one object of the cluster's.
type Object = unstructured.Unstructured

// Render renders the chart with values for a version of Kubernetes ("1.36"), as 'coaming install' would apply it: in order, and
// without the Secret of the authority, which no rendering holds.
func Render(ctx context.Context, values map[string]any, version string) ([]*Object, error) {
	values, err := Forget(values)
	if err == nil {
		err = Check(values)
	}
	if err != nil {
		return nil, err
	}
	c, err := loadChart()
	if err != nil {
		return nil, err
	}
	kube, err := common.ParseKubeVersion(version)
	if err != nil {
		return nil, fmt.Errorf("version of Kubernetes %q: %w", version, err)
	}
	capabilities := common.DefaultCapabilities.Copy()
	capabilities.KubeVersion = *kube
	top, err := commonutil.ToRenderValuesWithSchemaValidation(c, values, common.ReleaseOptions{
		Name: release, Namespace: Namespace, Revision: 1, IsInstall: true,
	}, capabilities, true) // the schema was asked above
	if err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	// Objects carry the name of who keeps them: helm's are helm's to change.
	top["Release"].(map[string]any)["Service"] = "coaming"
	texts, err := engine.Engine{}.RenderWithContext(ctx, c, top)
	if err != nil {
		return nil, fmt.Errorf("render the chart: %w", lastLine(err))
	}
	var objects []*Object
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if strings.HasSuffix(name, ".txt") {
			continue
		}
		more, err := Parse(texts[name])
		if err != nil {
			return nil, fmt.Errorf("read what %s rendered to: %w", name, err)
		}
		objects = append(objects, more...)
	}
	return inOrder(objects)
}

// lastLine is what a template said by fail: Helm wraps it into the places of all templates on the way.
func lastLine(err error) error {
	text := err.Error()
	if _, said, found := strings.Cut(text, "error calling fail: "); found {
		return errors.New(strings.TrimSpace(said))
	}
	return err
}

// loadChart is the chart that the binary carries; each is the caller's own, for rendering writes into it.
func loadChart() (*chart.Chart, error) {
	files, err := chartFiles()
	if err != nil {
		return nil, err
	}
	c, err := chartloader.LoadFiles(files)
	if err != nil {
		return nil, fmt.Errorf("load the built-in chart: %w", err)
	}
	return c, nil
}

func chartFiles() ([]*archive.BufferedFile, error) {
	const root = "chart"
	var files []*archive.BufferedFile
	err := fs.WalkDir(deploy.Chart, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(deploy.Chart, name)
		files = append(files, &archive.BufferedFile{Name: strings.TrimPrefix(name, root+"/"), Data: data})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the built-in chart: %w", err)
	}
	return files, nil
}

// Defaults are the chart's own values.
func Defaults() (map[string]any, error) {
	data, err := fs.ReadFile(deploy.Chart, path.Join("chart", "values.yaml"))
	if err != nil {
		return nil, fmt.Errorf("read the built-in chart: %w", err)
	}
	return chartloader.LoadValues(bytes.NewReader(data))
}

// Parse reads a stream of YAML documents.
func Parse(text string) ([]*Object, error) {
	reader := kubeyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	var objects []*Object
	for {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		var fields map[string]any
		if err := yaml.Unmarshal(doc, &fields); err != nil {
			return nil, err
		}
		if len(fields) > 0 {
			objects = append(objects, &Object{Object: integers(fields).(map[string]any)})
		}
	}
}

// integers makes whole numbers of what the reader read as floats: unstructured objects hold int64 and float64 alone.
func integers(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for key, item := range x {
			x[key] = integers(item)
		}
	case []any:
		for i, item := range x {
			x[i] = integers(item)
		}
	case float64:
		if whole := int64(x); float64(whole) == x {
			return whole
		}
	}
	return v
}

// YAML writes objects as a stream of documents.
func YAML(w io.Writer, objects []*Object) error {
	for i, o := range objects {
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			return fmt.Errorf("write %s: %w", named(o), err)
		}
		if i > 0 {
			text = append([]byte("---\n"), text...)
		}
		if _, err := w.Write(text); err != nil {
			return fmt.Errorf("write objects: %w", err)
		}
	}
	return nil
}
