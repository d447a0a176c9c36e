package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// FileOptions says which files, charts and overlays to read, and how far.
type FileOptions struct {
	// Paths are files, directories, patterns ("**" goes through directories) and "-" for Stdin.
	Paths []string
	Stdin io.Reader
	// Releases are charts to render beside those that are found in Paths.
	Releases []Release
	// KubeVersion is what charts are rendered for; "" is DefaultKubeVersion.
	KubeVersion string
	// Values and the like are for the charts found in Paths, and for Releases before their own.
	Values, Set, SetString, SetFile []string

	// The bounds; zero is the default.
	MaxFile   int64 // bytes of one file; 512 MiB
	MaxTotal  int64 // bytes of all files; 1 GiB
	MaxRender int64 // bytes that one chart may print; 256 MiB

	RenderTime time.Duration // for one chart; 30 s
	BuildTime  time.Duration // for one overlay; 60 s

	// Replace is files as they would be, by path: their texts are read in place of what stands there.
	Replace map[string]string
	// Memo keeps what was read for the next reading of the same; nil keeps nothing.
	Memo *Memo

	// Progress is told how many of the files, charts and overlays are done; one call at a time.
	Progress func(done, total int)

	disk disk
}

// wide is the size from which one file is worth all processors.
const wide = 4 << 20

func (o FileOptions) withDefaults() FileOptions {
	o.MaxFile = cmp.Or(o.MaxFile, 512<<20)
	o.MaxTotal = cmp.Or(o.MaxTotal, 1<<30)
	o.MaxRender = cmp.Or(o.MaxRender, 256<<20)
	o.RenderTime = cmp.Or(o.RenderTime, 30*time.Second)
	o.BuildTime = cmp.Or(o.BuildTime, 60*time.Second)
	o.disk = newDisk(o.Replace)
	o.KubeVersion = cmp.Or(o.KubeVersion, DefaultKubeVersion)
	return o
}

// Files reads files, renders charts and builds overlays. What cannot be read is a gap; an error is
// returned for what was asked wrongly, and when ctx ends. Results are in the order of the paths.
func Files(ctx context.Context, o FileOptions) (*Reading, error) {
	p, err := Prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	return p.Read(ctx)
}

// Prepare looks up what the paths lead to. Errors are as those of Files.
func Prepare(ctx context.Context, o FileOptions) (*Plan, error) {
	o = o.withDefaults()
	if len(o.Paths) == 0 && len(o.Releases) == 0 {
		return nil, &verdict.RemedyError{Err: errors.New("nothing to read"), Remedy: "Name a file, a directory, a chart, or - for standard input."}
	}
	p := &plan{ctx: ctx, o: &o, seen: map[string]int{}, units: map[string]bool{}, reals: map[string]string{}}
	if err := p.fill(); err != nil {
		return nil, err
	}
	tasks, err := p.tasks()
	if err != nil {
		return nil, err
	}
	return &Plan{plan: p, tasks: tasks}, nil
}

// Read reads what was found; once.
func (p *Plan) Read(ctx context.Context) (*Reading, error) { return p.plan.run(ctx, p.tasks) }

// task makes one Reading, or several.
type task struct {
	path string
	// done is how many steps of progress the task stands for.
	done int
	run  func(ctx context.Context) ([]*Reading, error)
	// digest is of everything that decides what run makes; nil where that cannot be told.
	digest func(ctx context.Context) []byte
}

// run does the tasks, each on one of a few goroutines, and joins their readings in order.
func (p *plan) run(ctx context.Context, tasks []task) (*Reading, error) {
	results := make([][]*Reading, len(tasks))
	progress := p.progress(tasks)
	var taken atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range min(runtime.GOMAXPROCS(0), len(tasks)) {
		group.Go(func() error {
			for {
				i := int(taken.Add(1)) - 1
				if i >= len(tasks) {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return fmt.Errorf("read files: %w", err)
				}
				var err error
				if results[i], err = tasks[i].run(ctx); err != nil {
					return err
				}
				progress(tasks[i].done)
			}
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return p.join(tasks, results), nil
}

func (p *plan) join(tasks []task, results [][]*Reading) *Reading {
	order := make([]int, len(tasks))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(tasks[a].path, tasks[b].path) })
	total := &p.found
	count := len(total.Objects)
	for _, readings := range results {
		for _, r := range readings {
			count += len(r.Objects)
		}
	}
	total.Objects = slices.Grow(total.Objects, count)
	for _, i := range order {
		for _, r := range results[i] {
			total.Join(r)
		}
	}
	if len(total.Objects) == 0 && len(total.Coverage.Gaps) == 0 {
		total.gap(verdict.Gap{
			Code: verdict.GapMissing, Location: verdict.Location{Source: "files", File: filepath.ToSlash(p.first())},
			Message: "no Kubernetes object was found in what was named",
			Remedy:  "Name a directory or file with manifests, a chart or an overlay.",
		})
	}
	return total
}

func (p *plan) first() string {
	if len(p.o.Paths) > 0 {
		return p.o.Paths[0]
	}
	return p.o.Releases[0].Chart
}

func (p *plan) progress(tasks []task) func(steps int) {
	if p.o.Progress == nil {
		return func(int) {}
	}
	total := 0
	for _, t := range tasks {
		total += t.done
	}
	var mutex sync.Mutex
	done := 0
	return func(steps int) {
		mutex.Lock()
		defer mutex.Unlock()
		done += steps
		p.o.Progress(done, total)
	}
}

// tasks orders the work: overlays first, which one goroutine builds one after another, then
// charts, which take longest, then files.
func (p *plan) tasks() ([]task, error) {
	tasks := p.overlayTasks()
	charts, err := p.chartTasks()
	if err != nil {
		return nil, err
	}
	tasks = append(tasks, charts...)
	var total int64
	slices.SortStableFunc(p.files, func(a, b input) int { return strings.Compare(a.path, b.path) })
	for i := range p.files {
		in := &p.files[i]
		if in.dropped {
			continue
		}
		if total += in.size; total > p.o.MaxTotal {
			p.found.gap(in.gap(verdict.GapTooLarge, fmt.Sprintf("left out: all files together are over the bound of %s", bytesText(p.o.MaxTotal)),
				"Scan the tree in parts, or leave files out in .coamingignore."))
			total -= in.size
			continue
		}
		t := task{path: in.path, done: 1, run: func(ctx context.Context) ([]*Reading, error) {
			r, err := p.o.read(ctx, in)
			return []*Reading{r}, err
		}, digest: func(context.Context) []byte { return in.digest(p.o) }}
		_, replaced := p.o.disk.at(in.path)
		tasks = append(tasks, p.o.keep("file "+in.overlay+" "+in.path, t, replaced))
	}
	return tasks, nil
}

// read reads one file, or standard input.
func (o *FileOptions) read(ctx context.Context, in *input) (*Reading, error) {
	r := &Reading{}
	origin := &fact.Origin{Source: cmp.Or(in.overlay, "files"), File: filepath.ToSlash(in.path)}
	text, gap, err := o.load(ctx, in)
	if err != nil {
		return nil, err
	}
	if gap != nil {
		r.gap(*gap)
		if text == "" {
			return r, nil
		}
	}
	o.readText(r, text, in, origin)
	return r, nil
}

func (o *FileOptions) readText(r *Reading, text string, in *input, origin *fact.Origin) {
	decoded, failed := document.Decode(text)
	if failed != nil {
		r.Coverage.Files++
		r.takeAs(nil, []*document.Error{failed}, intake{origin: origin})
		return
	}
	if !in.named && !mentionsObject(decoded.Content()) {
		r.leaveOut(verdict.Exclusion{What: "files that hold no Kubernetes object", Reason: "neither apiVersion nor kind is written in them", Count: 1})
		return
	}
	r.Coverage.Files++
	width := 1
	if len(text) >= wide {
		width = runtime.GOMAXPROCS(0)
	}
	docs, errs := document.Read(decoded, width)
	how := intake{origin: origin, chart: in.chart}
	if in.overlay != "" {
		how.drop = localConfig
	}
	r.takeAs(docs, errs, how)
	if in.named && len(r.Objects) == 0 && len(r.Coverage.Gaps) == 0 {
		r.gap(in.gap(verdict.GapNotObject, "nothing in it is a Kubernetes object", "Name a file that holds manifests, or the directory of a chart or an overlay."))
	}
}

// mentionsObject says whether the text may hold an object, before it is worth parsing.
func mentionsObject(text string) bool {
	return strings.Contains(text, "apiVersion") || strings.Contains(text, "kind:") || strings.Contains(text, `"kind"`)
}

// bytesText is a bound as people write it.
func bytesText(n int64) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	default:
		return fmt.Sprintf("%d bytes", n)
	}
}
