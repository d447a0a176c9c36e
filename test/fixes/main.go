// Command fixes measures the share of findings with a proved fix over real manifests: it scans a
// copy of them, lets coaming fix --apply write what it proves, scans again, and counts what is gone;
// then once more with every choice taken. What it prints is what two scans say, not what fix says.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

func main() {
	trees := os.Args[1:]
	if len(trees) == 0 {
		trees = []string{filepath.Join("..", "shared", "corpus")}
	}
	for _, tree := range trees {
		if _, err := os.Stat(tree); err != nil {
			fmt.Printf("skipped: no %s\n", tree)
			continue
		}
		if err := measure(context.Background(), tree); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// finding is what is read of a report.
type finding struct {
	Fingerprint, Verdict, Rule, Practice string
}

// count is the findings of one rule or practice, and how many of them are gone.
type count struct {
	name                 string
	all, plain, choosing int
}

func measure(ctx context.Context, tree string) error {
	dir, err := os.MkdirTemp("", "coaming-fixes-")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.CopyFS(filepath.Join(dir, "tree"), os.DirFS(tree)); err != nil {
		return fmt.Errorf("copy %s: %w", tree, err)
	}
	var scans [3]map[string]finding
	for i, flags := range [][]string{nil, {"fix", "--apply"}, {"fix", "--apply", "--accept-proposed"}} {
		if flags != nil {
			if _, err := run(ctx, dir, append(flags, "tree")...); err != nil {
				return err
			}
		}
		if scans[i], err = scan(ctx, dir); err != nil {
			return err
		}
	}
	show(tree, scans)
	return nil
}

func run(ctx context.Context, dir string, args ...string) ([]byte, error) {
	binary, err := filepath.Abs(filepath.Join("bin", "coaming"))
	if err != nil {
		return nil, fmt.Errorf("find coaming: %w", err)
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() == 2) {
		return nil, fmt.Errorf("coaming %v: %w", args, err)
	}
	return out, nil
}

func scan(ctx context.Context, dir string) (map[string]finding, error) {
	out, err := run(ctx, dir, "scan", "--format", "json", "tree")
	if err != nil {
		return nil, err
	}
	var report struct{ Findings []finding }
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	found := map[string]finding{}
	for _, f := range report.Findings {
		found[f.Verdict+" "+f.Fingerprint] = f
	}
	return found, nil
}

func show(tree string, scans [3]map[string]finding) {
	total := &count{name: "all"}
	counts := map[string]*count{}
	for key, f := range scans[0] {
		if f.Verdict != "fail" {
			continue
		}
		_, plain := scans[1][key]
		_, choosing := scans[2][key]
		for _, name := range []string{"1 " + f.Practice, "2 " + f.Rule} {
			if counts[name] == nil {
				counts[name] = &count{name: name}
			}
			counts[name].add(plain, choosing)
		}
		total.add(plain, choosing)
	}
	news := 0
	for _, after := range scans[1:] {
		for key := range after {
			if _, old := scans[0][key]; !old {
				news++
			}
		}
	}
	fmt.Printf("%s: findings, and the share that is gone after fix --apply: without a choice, with the choices taken, both\n", tree)
	var list []*count
	for _, c := range counts {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *count) int {
		return cmp.Or(cmp.Compare(a.name[0], b.name[0]), cmp.Compare(b.all, a.all), cmp.Compare(a.name, b.name))
	})
	for _, c := range append(list, total) {
		fmt.Printf("%-40s %6d %5.1f%% %5.1f%% %5.1f%%\n", c.title(), c.all, c.share(c.plain), c.share(c.choosing), c.share(c.plain+c.choosing))
	}
	fmt.Printf("new findings after fixing: %d\n", news)
}

func (c *count) title() string {
	if c.name[1] == ' ' {
		return c.name[2:]
	}
	return c.name
}

func (c *count) add(plain, choosing bool) {
	c.all++
	switch {
	case !plain:
		c.plain++
	case !choosing:
		c.choosing++
	}
}

func (c *count) share(n int) float64 { return 100 * float64(n) / float64(c.all) }
