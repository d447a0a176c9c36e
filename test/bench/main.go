// Command bench measures whole processes: coaming beside the floor, which only reads and parses
// the same files, both in one run on one machine, in turn. It prints medians; ratios are what to
// compare between machines.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/test/bench/generate"
	"github.com/coaming/coaming/test/bench/process"
)

func main() {
	runs := flag.Int("n", 5, "counted runs of each command")
	most := flag.Int("most", 100_000, "the largest made-up cluster, in objects, or with -graph in pods")
	rules := flag.Bool("rules", false, "measure the rules alone")
	graph := flag.Bool("graph", false, "measure who can become whom")
	folder := flag.String("make", "", "write a cluster of -most pods to `FOLDER`, and measure nothing")
	advisories := flag.Bool("advisory", false, "measure the index of advisories")
	index := flag.String("ask", "", "ask the `INDEX` about -packages once, for -advisory")
	packages := flag.String("packages", "", "the `FILE` of packages for -ask")
	flag.Parse()
	var err error
	switch ctx := context.Background(); {
	case *rules:
		err = dearest()
	case *folder != "":
		err = writeCluster(*folder, *most)
	case *index != "":
		err = answerOnce(*index, *packages)
	case *advisories:
		err = measureAdvisories(ctx, *runs)
	case *graph:
		err = measureGraphs(ctx, *runs, *most)
	default:
		err = measure(ctx, *runs, *most)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// bench is what the measurements share.
type bench struct {
	dir, coaming, floor string
	runs                int
}

// newBench builds what is measured; end removes it.
func newBench(ctx context.Context, runs int) (b *bench, end func(), err error) {
	dir, err := os.MkdirTemp("", "coaming-bench-")
	if err != nil {
		return nil, nil, fmt.Errorf("make folder: %w", err)
	}
	end = func() { _ = os.RemoveAll(dir) }
	b = &bench{dir: dir, coaming: filepath.Join(dir, "coaming"), floor: filepath.Join(dir, "floor"), runs: runs}
	if err := b.build(ctx); err != nil {
		end()
		return nil, nil, err
	}
	return b, end, nil
}

func measureGraphs(ctx context.Context, runs, most int) error {
	b, end, err := newBench(ctx, runs)
	if err != nil {
		return err
	}
	defer end()
	if err := b.graphs(ctx, most); err != nil {
		return err
	}
	return b.access(ctx, min(most, 10_000))
}

func measure(ctx context.Context, runs, most int) error {
	b, end, err := newBench(ctx, runs)
	if err != nil {
		return err
	}
	defer end()
	if err := b.startUp(ctx); err != nil {
		return err
	}
	if err := b.fix(ctx); err != nil {
		return err
	}
	if err := b.faulty(ctx); err != nil {
		return err
	}
	fmt.Printf("%-26s %8s %8s %8s | %8s %8s %8s | %8s %8s | %s\n", "", "coaming", "", "", "floor", "", "", "floor that keeps", "", "coaming over")
	fmt.Printf("%-26s %8s %8s %8s | %8s %8s %8s | %8s %8s | %s\n", "input", "cpu s", "wall s", "peak MiB", "cpu s", "wall s", "peak MiB", "cpu s", "peak MiB", "floor: cpu; keeping: cpu, peak")
	corpus := filepath.Join("..", "shared", "corpus")
	if _, err := os.Stat(corpus); err != nil {
		fmt.Println("skipped: no ../shared/corpus beside this checkout")
	} else if err := b.compare(ctx, "real manifests", corpus, runs); err != nil {
		return err
	}
	for n := 100; n <= most; n *= 10 {
		input := filepath.Join(b.dir, strconv.Itoa(n))
		if err := generate.Objects(input, n); err != nil {
			return err
		}
		counted := runs
		if n >= 100_000 {
			counted = min(runs, 3)
		}
		if err := b.compare(ctx, fmt.Sprintf("%d made-up objects", n), input, counted); err != nil {
			return err
		}
		if n == 10_000 {
			if err := b.repeat(ctx, input, counted); err != nil {
				return err
			}
		}
	}
	return dearest()
}

// repeat compares a scan with the scan of the same tree right after it, which may recall what was found.
func (b *bench) repeat(ctx context.Context, input string, runs int) error {
	scan := []string{"scan", "--format", "json", "-o", os.DevNull, input}
	var first, again []process.Figures
	for range runs {
		keep := "XDG_CACHE_HOME=" + filepath.Join(b.dir, "cache", strconv.Itoa(len(first)))
		f, err := runWith(ctx, []string{keep}, b.coaming, scan...)
		if err != nil {
			return err
		}
		first = append(first, f)
		if f, err = runWith(ctx, []string{keep}, b.coaming, scan...); err != nil {
			return err
		}
		again = append(again, f)
	}
	f, a := process.Median(first), process.Median(again)
	fmt.Printf("%-26s %8.3f %8.3f %8.0f | first, and kept: %.3f s CPU, %.3f s wall | repeated over first: %.3f, %.3f\n",
		"the same, unchanged", a.CPU, a.Wall, a.Peak, f.CPU, f.Wall, a.CPU/f.CPU, a.Wall/f.Wall)
	return nil
}

func (b *bench) build(ctx context.Context) error {
	for out, pkg := range map[string]string{b.coaming: "./cmd/coaming", b.floor: "./test/bench/floor"} {
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, pkg)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", pkg, err, text)
		}
	}
	info, err := os.Stat(b.coaming)
	if err != nil {
		return fmt.Errorf("find binary: %w", err)
	}
	fmt.Printf("binary: %.1f MB\n", float64(info.Size())/1e6)
	return nil
}

// startUp measures one tiny manifest, start to end.
func (b *bench) startUp(ctx context.Context) error {
	tiny := filepath.Join(b.dir, "tiny.yaml")
	text := "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - name: a\n    image: nginx\n    securityContext:\n      privileged: true\n"
	if err := os.WriteFile(tiny, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	var list []process.Figures
	for range 4*b.runs + 1 {
		f, err := run(ctx, b.coaming, "scan", tiny)
		if err != nil {
			return err
		}
		list = append(list, f)
	}
	m := process.Median(list[1:])
	fmt.Printf("one tiny manifest, start to end: %.1f ms wall, %.1f ms cpu, %.0f MiB\n", m.Wall*1e3, m.CPU*1e3, m.Peak)
	return nil
}

// fix measures all fixes of the example shop, which are proved on copies that are judged anew.
func (b *bench) fix(ctx context.Context) error {
	f, err := run(ctx, b.coaming, "fix", filepath.Join("examples", "shop"))
	if err != nil {
		return err
	}
	fmt.Printf("fix examples/shop, once: %.1f s cpu, %.1f s wall, %.0f MiB\n", f.CPU, f.Wall, f.Peak)
	return nil
}

// faulty measures pods that are as short as can be: most findings for their text.
func (b *bench) faulty(ctx context.Context) error {
	const pods = 20_000
	var text strings.Builder
	for n := range pods {
		fmt.Fprintf(&text, "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p%d}\nspec: {containers: [{name: a, image: b}]}\n", n)
	}
	path := filepath.Join(b.dir, "faulty.yaml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("write pods: %w", err)
	}
	f, err := run(ctx, b.coaming, "scan", "--format", "json", "-o", os.DevNull, path)
	if err != nil {
		return err
	}
	fmt.Printf("%d pods in %.1f MiB, once: %.1f s cpu, %.0f MiB, %.0f bytes for each byte of text\n\n",
		pods, float64(text.Len())/(1<<20), f.CPU, f.Peak, f.Peak*(1<<20)/float64(text.Len()))
	return nil
}

// compare runs coaming, the floor, and the floor that keeps its maps, in turn.
func (b *bench) compare(ctx context.Context, title, input string, runs int) error {
	commands := [][]string{{b.coaming, "scan", "--format", "json", "-o", os.DevNull, input}, {b.floor, input}, {b.floor, "-keep", input}}
	lists := make([][]process.Figures, len(commands))
	for n := range runs + 1 {
		for i, c := range commands {
			f, err := run(ctx, c[0], c[1:]...)
			if err != nil {
				return err
			}
			if n > 0 { // the first fills caches
				lists[i] = append(lists[i], f)
			}
		}
	}
	c, f, k := process.Median(lists[0]), process.Median(lists[1]), process.Median(lists[2])
	fmt.Printf("%-26s %8.3f %8.3f %8.0f | %8.3f %8.3f %8.0f | %8.3f %8.0f | %.2f; %.2f, %.2f\n",
		title, c.CPU, c.Wall, c.Peak, f.CPU, f.Wall, f.Peak, k.CPU, k.Peak, c.CPU/f.CPU, c.CPU/k.CPU, c.Peak/k.Peak)
	return nil
}

// run measures one process that keeps nothing.
func run(ctx context.Context, name string, args ...string) (process.Figures, error) {
	return runWith(ctx, []string{"XDG_CACHE_HOME="}, name, args...)
}

func runWith(ctx context.Context, env []string, name string, args ...string) (process.Figures, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = slices.Concat(os.Environ(), []string{"HOME=/dev/null", "CI="}, env)
	f, err := process.Measure(cmd)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && (exit.ExitCode() == 1 || exit.ExitCode() == 3) {
		err = nil // findings, and what is unknown
	}
	return f, err
}
