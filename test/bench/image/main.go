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
	"slices"
	"syscall"
	"time"
)

func main() {
	runs := flag.Int("n", 5, "counted runs of each command")
	dir := flag.String("dir", ".cache/bench-image", "where images are made and kept")
	coaming := flag.String("coaming", "bin/coaming", "the program that is measured")
	flag.Parse()
	if err := measure(context.Background(), *dir, *coaming, *runs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, dir, coaming string, runs int) error {
	for _, program := range []string{"debootstrap", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			fmt.Println("skipped: the images are made by", program, "which is not there")
			return nil
		}
	}
	if os.Geteuid() != 0 {
		fmt.Println("skipped: debootstrap wants root")
		return nil
	}
	made, err := build(ctx, dir, coaming)
	if err != nil {
		return err
	}
	floor := filepath.Join(dir, "floor")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", floor, "./test/bench/image/floor").CombinedOutput(); err != nil {
		return fmt.Errorf("build the floor: %w: %s", err, out)
	}
	fmt.Printf("%-34s %8s %8s %8s | %8s %8s %8s | %s\n", "medians of "+fmt.Sprint(runs), "wall s", "CPU s", "MiB", "floor s", "CPU s", "MiB", "wall, CPU")
	for _, m := range []struct {
		title, path string
		floor       bool
	}{
		{"Debian, three layers", made.debian, true},
		{"another on two of these layers", made.second, true},
		{"small, like Alpine", made.small, true},
		{"Debian's root, mounted", made.root, false},
	} {
		if err := compare(ctx, m.title, coaming, floor, m.path, m.floor, runs); err != nil {
			return err
		}
	}
	return nil
}

// compare runs both in turn, once uncounted.
func compare(ctx context.Context, title, coaming, floor, path string, withFloor bool, runs int) error {
	var ours, least []figures
	for n := range runs + 1 {
		f, err := run(ctx, coaming, "image", "list", path, "--allow-unknown", "--format", "json")
		if err != nil {
			return err
		}
		g := figures{}
		if withFloor {
			if g, err = run(ctx, floor, path); err != nil {
				return err
			}
		}
		if n > 0 {
			ours, least = append(ours, f), append(least, g)
		}
	}
	c, f := median(ours), median(least)
	fmt.Printf("%-34s %8.3f %8.3f %8.0f |", title, c.wall, c.cpu, c.peak)
	if withFloor {
		fmt.Printf(" %8.3f %8.3f %8.0f | %.2f, %.2f", f.wall, f.cpu, f.peak, c.wall/f.wall, c.cpu/f.cpu)
	}
	fmt.Println()
	return nil
}

// figures are wall and CPU seconds (user and system), and peak resident MiB of one process.
type figures struct{ wall, cpu, peak float64 }

func run(ctx context.Context, name string, args ...string) (figures, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "HOME=/dev/null", "XDG_CACHE_HOME=")
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if err != nil {
		return figures{}, fmt.Errorf("run %s %v: %w", name, args, err)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return figures{}, errors.New("no resource usage on this system")
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return figures{wall.Seconds(), cpu.Seconds(), float64(usage.Maxrss) / 1024}, nil
}

// median is the median of each figure.
func median(list []figures) figures {
	pick := func(of func(figures) float64) float64 {
		values := make([]float64, 0, len(list))
		for _, f := range list {
			values = append(values, of(f))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return figures{
		pick(func(f figures) float64 { return f.wall }), pick(func(f figures) float64 { return f.cpu }), pick(func(f figures) float64 { return f.peak }),
	}
}
