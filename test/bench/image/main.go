// Command image measures what looking into images costs: whole processes, coaming beside the floor, which only
// decompresses and hashes the same layers, both in one run on one machine, in turn. The images are made from real
// packages, once, and kept. It prints medians; ratios are what to compare between machines.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/coaming/coaming/test/bench/process"
)

func main() {
	runs := flag.Int("n", 5, "counted runs of each command")
	dir := flag.String("dir", ".cache/bench-image", "where images are made and kept")
	coaming := flag.String("coaming", "bin/coaming", "the program that is measured")
	level := flag.Int("level", 6, "of gzip, in which layers are made")
	flag.Parse()
	if err := measure(context.Background(), *dir, *coaming, *level, *runs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, dir, coaming string, level, runs int) error {
	if why := lacking(); why != "" {
		fmt.Println("skipped:", why)
		return nil
	}
	made, err := build(ctx, dir, coaming, level)
	if err != nil {
		return err
	}
	b := &bench{coaming: coaming, floor: filepath.Join(dir, "floor"), runs: runs}
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", b.floor, "./test/bench/image/floor").CombinedOutput(); err != nil {
		return fmt.Errorf("build the floor: %w: %s", err, out)
	}
	fmt.Printf("%-34s %8s %8s %8s | %8s %8s %8s | %s\n", "medians of "+strconv.Itoa(runs), "wall s", "CPU s", "MiB", "floor s", "CPU s", "MiB", "wall, CPU")
	for _, m := range []struct {
		title, path string
		floor       bool
	}{
		{"Debian, three layers", made.debian, true},
		{"another on two of these layers", made.second, true},
		{"small, like Alpine", made.small, true},
		{"Debian's root, mounted", made.root, false},
	} {
		if err := b.compare(ctx, m.title, m.path, m.floor); err != nil {
			return err
		}
	}
	return b.again(ctx, filepath.Join(dir, "store"), made)
}

// again scans an image into an empty store, and then another one on the same layers but one.
func (b *bench) again(ctx context.Context, store string, made *images) error {
	var first, second []process.Figures
	for range min(b.runs, 3) {
		if err := os.RemoveAll(store); err != nil {
			return fmt.Errorf("empty the store: %w", err)
		}
		for _, image := range []struct {
			path string
			list *[]process.Figures
		}{{made.debian, &first}, {made.second, &second}} {
			f, err := run(ctx, b.coaming, "image", "scan", image.path, "--store", store, "--allow-unknown", "--format", "json")
			if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != 1) { // 1 is findings
				return err
			}
			*image.list = append(*image.list, f)
		}
	}
	f, s := process.Median(first), process.Median(second)
	fmt.Printf("%-34s %8.3f %8.3f %8.0f | after the first: %.3f s wall, %.3f s CPU, %.0f MiB | %.2f, %.3f of it\n",
		"scanned, another on what is stored", s.Wall, s.CPU, s.Peak, f.Wall, f.CPU, f.Peak, s.Wall/f.Wall, s.CPU/f.CPU)
	return nil
}

// lacking says why the images cannot be made here.
func lacking() string {
	for _, program := range []string{"debootstrap", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return "the images are made by " + program + ", which is not there"
		}
	}
	if os.Geteuid() != 0 {
		return "debootstrap wants root"
	}
	return ""
}

// bench is what is measured, the program that only decompresses, and how often.
type bench struct {
	coaming, floor string
	runs           int
}

// compare runs both in turn, once uncounted.
func (b *bench) compare(ctx context.Context, title, path string, withFloor bool) error {
	var ours, least []process.Figures
	for n := range b.runs + 1 {
		f, err := run(ctx, b.coaming, "image", "list", path, "--allow-unknown", "--format", "json")
		if err != nil {
			return err
		}
		g := process.Figures{}
		if withFloor {
			if g, err = run(ctx, b.floor, path); err != nil {
				return err
			}
		}
		if n > 0 {
			ours, least = append(ours, f), append(least, g)
		}
	}
	c, f := process.Median(ours), process.Median(least)
	fmt.Printf("%-34s %8.3f %8.3f %8.0f |", title, c.Wall, c.CPU, c.Peak)
	if withFloor {
		fmt.Printf(" %8.3f %8.3f %8.0f | %.2f, %.2f", f.Wall, f.CPU, f.Peak, c.Wall/f.Wall, c.CPU/f.CPU)
	}
	fmt.Println()
	return nil
}

func run(ctx context.Context, name string, args ...string) (process.Figures, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "HOME=/dev/null", "XDG_CACHE_HOME=")
	return process.Measure(cmd)
}
