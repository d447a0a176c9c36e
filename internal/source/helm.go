package source

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"helm.sh/helm/v4/pkg/chart/common"

	"github.com/coaming/coaming/internal/verdict"
)

// DefaultKubeVersion is the Kubernetes that charts are rendered for when nobody says.
const DefaultKubeVersion = "v1.36.0"

// Release is a chart to render.
type Release struct {
	Name      string // "" is the chart's name
	Namespace string // "" is "default"; a namespace that was given is that of objects that leave it open
	Chart     string // a directory, or an archive
	// Values are files, Set, SetString and SetFile are what Helm's flags of that name take.
	Values, Set, SetString, SetFile []string
}

// rendering is one chart on its way to objects. Its fields are not written to.
type rendering struct {
	o       *FileOptions
	release Release
	within  string // links and paths of the chart do not lead out of it
	kube    *common.KubeVersion
	values  map[string]any // the user's
}

// outcome is what a rendering made, up to where it failed.
type outcome struct {
	name  string // the release's
	texts []rendered
	gaps  []verdict.Gap
	out   []verdict.Exclusion
}

// rendered is one text of a chart.
type rendered struct {
	file string // as on disk
	text string
	raw  bool // it stands on disk as it is
}

// chartTasks prepares a task for every release and for every chart that was found beside them.
func (p *plan) chartTasks() ([]task, error) {
	if len(p.charts) == 0 && len(p.o.Releases) == 0 {
		return nil, nil
	}
	kube, err := common.ParseKubeVersion(p.o.KubeVersion)
	if err != nil {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("version of Kubernetes %q: %w", p.o.KubeVersion, err), Remedy: "Write it as " + DefaultKubeVersion + "."}
	}
	all := Release{Values: p.o.Values, Set: p.o.Set, SetString: p.o.SetString, SetFile: p.o.SetFile}
	var tasks []task
	add := func(r Release, bound string) error {
		values, err := mergeValues(p.o.disk, all, r)
		if err != nil {
			return err
		}
		j := &rendering{o: p.o, release: r, within: bound, kube: kube, values: values}
		t := task{path: r.Chart, done: 1, run: func(ctx context.Context) ([]*Reading, error) {
			reading, err := j.run(ctx)
			return []*Reading{reading}, err
		}, digest: j.digest}
		used := all.with(r)
		tasks = append(tasks, p.o.keep("chart "+r.Name+" "+absolute(r.Chart), t, used.replaced(p.o.disk)))
		return nil
	}
	released := map[string]bool{}
	for _, r := range p.o.Releases {
		bound, err := p.releaseBound(&r)
		if err != nil {
			return nil, err
		}
		released[absolute(r.Chart)] = true
		if err := add(r, bound); err != nil {
			return nil, err
		}
	}
	for _, c := range p.charts {
		if released[absolute(c.path)] {
			continue
		}
		if err := add(Release{Chart: c.path}, c.within); err != nil {
			return nil, err
		}
	}
	return tasks, nil
}

// releaseBound checks a release's chart, and says what the chart's links may lead to: the chart
// itself, or what was named and holds it.
func (p *plan) releaseBound(r *Release) (string, error) {
	info, err := os.Stat(r.Chart)
	if err != nil {
		return "", &verdict.RemedyError{
			Err:    fmt.Errorf("chart %q: there is no such directory or archive", r.Chart),
			Remedy: "Name a chart on this disk; nothing is downloaded ('helm pull' does that).",
		}
	}
	r.Chart = filepath.Clean(r.Chart)
	bound := r.Chart
	if !info.IsDir() {
		bound = filepath.Dir(r.Chart)
	}
	for _, path := range p.o.Paths {
		if path != "-" && within(absolute(bound), absolute(path)) {
			bound = path
		}
	}
	return bound, nil
}

// run renders the chart and takes its objects. What goes wrong is a gap; only an ended context is
// an error.
func (j *rendering) run(ctx context.Context) (*Reading, error) {
	limited, cancel := context.WithTimeout(ctx, j.o.RenderTime)
	defer cancel()
	m := &meter{ctx: limited, limit: j.o.MaxRender}
	result, err := attempt(limited, func() (outcome, error) { return j.render(limited, m) })
	if ctx.Err() != nil {
		return nil, fmt.Errorf("render %s: %w", j.release.Chart, ctx.Err())
	}
	r := &Reading{}
	r.Coverage.Sources = []string{j.source(result.name)}
	r.Coverage.Gaps = result.gaps
	for _, e := range result.out {
		r.leaveOut(e)
	}
	if err != nil {
		if over := m.over(); over != nil {
			err = over
		}
		r.gap(j.failure(result.name, err))
	}
	for _, t := range result.texts {
		j.take(r, result.name, t)
	}
	if len(r.Objects)+len(r.Coverage.Gaps)+len(r.Coverage.Exclusions) == 0 {
		r.leaveOut(verdict.Exclusion{What: "charts that render to nothing", Reason: "with these values their templates print no object", Count: 1})
	}
	return r, nil
}

func (j *rendering) source(name string) string {
	return "helm:" + cmp.Or(name, j.release.Name, filepath.Base(absolute(j.release.Chart)))
}

// attempt does work that may panic or not come to an end. When the context ends first the work is
// left to itself: it can only be asked to stop.
func attempt[T any](ctx context.Context, work func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			if r := recover(); r != nil {
				a.err = fmt.Errorf("the library panicked: %v", r)
			}
			answers <- a
		}()
		a.value, a.err = work()
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
