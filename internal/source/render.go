package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// render loads the chart and renders it.
func (j *rendering) render(ctx context.Context, m *meter) (outcome, error) {
	var result outcome
	c, left, err := loadChart(ctx, j.o.disk, j.release.Chart, j.within)
	if err != nil {
		return result, err
	}
	result.name = cmp.Or(j.release.Name, releaseName(c.Name()))
	if c.Metadata.Type == "library" {
		result.out = append(result.out, verdict.Exclusion{What: "library charts", Reason: "they render nothing by themselves", Count: 1})
		return result, nil
	}
	if want := c.Metadata.KubeVersion; want != "" && !chartutil.IsCompatibleRange(want, j.kube.String()) {
		return result, &kubeError{want, j.kube.Version}
	}
	for _, path := range left {
		result.gaps = append(result.gaps, fileGap(path, verdict.GapUnreadable, "a symbolic link that leads nowhere or out of the tree; the chart was rendered without it",
			"Scan a directory that holds both, or mend the link."))
	}
	missing := absent(ctx, j.o.disk, c, j.release.Chart, j.within, 0)
	if err := chartutil.ProcessDependencies(c, j.values); err != nil {
		return result, fmt.Errorf("dependencies: %w", err)
	}
	for _, d := range missing {
		if d.Enabled {
			result.gaps = append(result.gaps, j.missingGap(d))
		}
	}
	top, err := j.topValues(c, &result)
	if err != nil {
		return result, err
	}
	instrumentChart(c)
	e := engine.Engine{CustomTemplateFuncs: m.functions()} // no cluster to look things up in, and no DNS
	texts, err := e.RenderWithContext(ctx, c, top)
	if err != nil {
		return result, err
	}
	result.texts = j.collect(c, texts)
	return result, nil
}

func (j *rendering) missingGap(d *chart.Dependency) verdict.Gap {
	return fileGap(filepath.Join(j.release.Chart, "Chart.yaml"), verdict.GapMissing,
		strings.TrimSpace("the chart depends on "+d.Name+" "+d.Version)+", which is not in its charts directory",
		fmt.Sprintf("Run 'helm dependency build %s', then scan again.", j.release.Chart))
}

// releaseName is a chart's name as a release may have it.
func releaseName(name string) string {
	const longest = 53 // Helm's own bound
	return strings.Trim(name[:min(len(name), longest)], "-.")
}

// topValues is what the templates see.
func (j *rendering) topValues(c *chart.Chart, result *outcome) (common.Values, error) {
	release := common.ReleaseOptions{Name: result.name, Namespace: cmp.Or(j.release.Namespace, "default"), Revision: 1, IsInstall: true}
	capabilities := common.DefaultCapabilities.Copy()
	capabilities.KubeVersion = *j.kube
	top, err := commonutil.ToRenderValuesWithSchemaValidation(c, j.values, release, capabilities, true)
	if err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	values, err := top.Table("Values")
	if err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	unchecked, err := checkSchema(c, values)
	if err != nil {
		return nil, err
	}
	if unchecked > 0 {
		result.out = append(result.out, verdict.Exclusion{What: "values schemas that refer to other files or the network", Reason: "the values were not checked against them; nothing is fetched", Count: unchecked})
	}
	return top, nil
}

func instrumentChart(c *chart.Chart) {
	for _, t := range c.Templates {
		if t != nil {
			t.Data = []byte(instrument(string(t.Data)))
		}
	}
	for _, sub := range c.Dependencies() {
		instrumentChart(sub)
	}
}

// collect orders what was rendered by the template's name, the chart's own definitions first.
func (j *rendering) collect(c *chart.Chart, texts map[string]string) []rendered {
	var list []rendered
	for _, crd := range c.CRDObjects() {
		list = append(list, rendered{file: j.onDisk(crd.Filename), text: string(crd.File.Data), raw: true})
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if text := texts[name]; !strings.HasSuffix(name, "NOTES.txt") && strings.TrimSpace(text) != "" {
			list = append(list, rendered{file: j.onDisk(name), text: text})
		}
	}
	return list
}

// onDisk is the path of a template, which Helm calls by the chart's name.
func (j *rendering) onDisk(name string) string {
	_, below, _ := strings.Cut(name, "/")
	return filepath.ToSlash(filepath.Join(j.release.Chart, filepath.FromSlash(below)))
}

func (j *rendering) take(r *Reading, name string, t rendered) {
	in := intake{
		origin:    &fact.Origin{Source: j.source(name), File: t.file, Rendered: !t.raw},
		rendered:  !t.raw,
		namespace: j.release.Namespace,
		drop:      testHook,
	}
	r.Coverage.Files++
	text, failed := document.Decode(t.text)
	if failed != nil {
		r.takeAs(nil, []*document.Error{failed}, in)
		return
	}
	docs, errs := document.Read(text, 1)
	r.takeAs(docs, errs, in)
}

// testHook leaves out what "helm test" alone creates.
func testHook(o *fact.Object) (verdict.Exclusion, bool) {
	for hook := range strings.SplitSeq(o.Root.At("metadata", "annotations", "helm.sh/hook").Str(), ",") {
		switch strings.TrimSpace(hook) {
		case "test", "test-success", "test-failure":
			return verdict.Exclusion{What: "test hooks of charts", Reason: "only 'helm test' creates them", Count: 1}, true
		}
	}
	return verdict.Exclusion{}, false
}

// kubeError says that a chart is not for the Kubernetes it was to be rendered for.
type kubeError struct{ want, have string }

func (e *kubeError) Error() string {
	return fmt.Sprintf("the chart is for Kubernetes %s, not for %s", e.want, e.have)
}

// templatePlace finds the places in Helm's errors: CHART/templates/FILE:LINE:COLUMN.
var templatePlace = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`([^\s()"]+/[^\s()":]+):(\d+)(?::(\d+))?`)
})

// failure is the gap of a chart that did not render.
func (j *rendering) failure(name string, err error) verdict.Gap {
	g := verdict.Gap{
		Code:     verdict.GapRender,
		Location: verdict.Location{Source: j.source(name), File: filepath.ToSlash(j.release.Chart)},
		Remedy:   fmt.Sprintf("Give the values that it needs, or mend the chart; 'helm template %s' fails the same way.", j.release.Chart),
	}
	large, isLarge := errors.AsType[*largeError](err)
	kube, isKube := errors.AsType[*kubeError](err)
	switch {
	case isLarge:
		g.Code = verdict.GapTooLarge
		g.Message = fmt.Sprintf("a chart of over %s", bytesText(large.limit))
		g.Remedy = "Leave what is no part of the chart out in .helmignore."
	case isKube:
		g.Message = kube.Error()
		g.Remedy = "Say which version of Kubernetes the chart is for."
	case errors.Is(err, errSpent):
		g.Code = verdict.GapTooLarge
		g.Message = fmt.Sprintf("its templates print more than %s", bytesText(j.o.MaxRender))
		g.Remedy = "Look for a loop in the templates, or render it elsewhere and scan the output."
	case errors.Is(err, context.DeadlineExceeded):
		g.Message = fmt.Sprintf("its templates did not come to an end in %s", j.o.RenderTime)
		g.Remedy = "Look for a loop in the templates, or render it elsewhere and scan the output."
	default:
		j.explain(&g, err.Error())
	}
	return g
}

// explain takes the place and the cause out of Helm's error.
func (j *rendering) explain(g *verdict.Gap, text string) {
	places := templatePlace().FindAllStringSubmatch(text, -1)
	if len(places) > 0 {
		last := places[len(places)-1]
		g.Location.File = j.onDisk(last[1])
		g.Location.Line, _ = strconv.Atoi(last[2])
	}
	text = strings.TrimSpace(text)
	if at := strings.LastIndexByte(text, '\n'); at >= 0 && len(places) > 0 {
		text = strings.TrimSpace(text[at+1:])
	}
	for _, intro := range [...]string{"execution error at (", "parse error at ("} {
		if rest, found := strings.CutPrefix(text, intro); found {
			if _, cause, found := strings.Cut(rest, "): "); found {
				text = cause
			}
		}
	}
	g.Message = "the chart does not render: " + strings.Join(strings.Fields(text), " ")
}
