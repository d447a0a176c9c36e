package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/coaming/coaming/test/bench/generate"
	"github.com/coaming/coaming/test/bench/process"
)

// seed is that of the made-up clusters.
const seed = 1

// question is one command about who can become whom.
type question struct {
	title string
	args  func(input string) []string
}

var questions = []question{
	{"paths", func(input string) []string { return []string{"paths", input} }},
	{"cut", func(input string) []string { return []string{"cut", input} }},
	{"reach", func(input string) []string { return []string{"reach", "-f", input} }},
	{"who-can get secrets", func(input string) []string { return []string{"who-can", "get", "secrets", input} }},
}

// graphs measures the questions about clusters of 1,000 pods and more, each as files and as a snapshot.
func (b *bench) graphs(ctx context.Context, most int) error {
	type cell struct{ title, form string }
	before := map[cell]process.Figures{}
	fmt.Printf("%-8s %-9s %-20s %8s %8s %8s   %s\n", "pods", "form", "question", "cpu s", "wall s", "peak MiB", "grows as pods to the power of: cpu, wall, peak")
	var shapes []string
	for n := 1000; n <= most; n *= 10 {
		inputs, shape, err := b.cluster(ctx, n)
		if err != nil {
			return err
		}
		shapes = append(shapes, shape)
		for _, form := range []string{"files", "snapshot"} {
			commands := []question{{"floor", nil}}
			commands = append(commands, questions...)
			for _, q := range commands {
				f, err := b.ask(ctx, q, inputs[form], n < large)
				if err != nil {
					return err
				}
				growth := ""
				if earlier, known := before[cell{q.title, form}]; known {
					growth = fmt.Sprintf("%.2f, %.2f, %.2f", exponent(earlier.CPU, f.CPU), exponent(earlier.Wall, f.Wall), exponent(earlier.Peak, f.Peak))
				}
				before[cell{q.title, form}] = f
				fmt.Printf("%-8d %-9s %-20s %8.2f %8.2f %8.0f   %s\n", n, form, q.title, f.CPU, f.Wall, f.Peak, growth)
			}
		}
	}
	fmt.Println("\nThe clusters:")
	for _, shape := range shapes {
		fmt.Println("-", shape)
	}
	return nil
}

// cluster writes a cluster in both forms. Another process does: the peak memory of a process counts
// that of the one that started it.
func (b *bench) cluster(ctx context.Context, pods int) (inputs map[string]string, shape string, err error) {
	dir := filepath.Join(b.dir, "graph-"+strconv.Itoa(pods))
	self, err := os.Executable()
	if err != nil {
		return nil, "", fmt.Errorf("find this program: %w", err)
	}
	text, err := exec.CommandContext(ctx, self, "-make", dir, "-most", strconv.Itoa(pods)).Output()
	if err != nil {
		return nil, "", fmt.Errorf("make a cluster of %d pods: %w", pods, err)
	}
	return map[string]string{"files": filepath.Join(dir, "files"), "snapshot": filepath.Join(dir, "cluster.coaming")}, string(text), nil
}

// writeCluster is what that process does.
func writeCluster(dir string, pods int) error {
	c := generate.NewCluster(seed, pods)
	if err := c.Files(filepath.Join(dir, "files")); err != nil {
		return err
	}
	if err := c.Snapshot(filepath.Join(dir, "cluster.coaming")); err != nil {
		return err
	}
	fmt.Print(c.Shape())
	return nil
}

// large is the number of pods from which a command runs once: it takes so long that caches and chance
// do not count.
const large = 100_000

// ask is the median of the counted runs of one command, after one that fills caches; or of one run.
func (b *bench) ask(ctx context.Context, q question, input string, often bool) (process.Figures, error) {
	name, args := b.floor, []string{input}
	if q.args != nil {
		name, args = b.coaming, q.args(input)
	}
	var counted []process.Figures
	runs := 1
	if often {
		runs += b.runs
	}
	for n := range runs {
		f, err := run(ctx, name, args...)
		if err != nil {
			return process.Figures{}, err
		}
		if n > 0 || !often {
			counted = append(counted, f)
		}
	}
	return process.Median(counted), nil
}

// exponent is how a figure grows when pods become ten times as many: 1 is linear.
func exponent(before, after float64) float64 { return math.Log10(after / before) }
