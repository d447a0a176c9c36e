package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/cli"
)

// TestReadmeNamesCommands holds the README to the program: who reads it finds each of its commands.
func TestReadmeNamesCommands(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	code := cli.Run(t.Context(), cli.Env{
		Args: []string{"--help"}, Name: "coaming", Version: "test", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
		Getenv: func(string) string { return "" }, Now: time.Now, CacheDir: t.TempDir(),
	})
	_, list, found := strings.Cut(out.String(), "Available Commands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	if code != 0 || !found {
		t.Fatalf("exit code %d\n%s", code, out.String())
	}
	for line := range strings.Lines(list) {
		command, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if command == "help" {
			continue // every program has it
		}
		if !regexp.MustCompile("(?m)^\\|[^|]*`(coaming )?" + regexp.QuoteMeta(command) + "[ `]").Match(text) {
			t.Errorf("README's table of commands has no `coaming %s`", command)
		}
	}
}

// TestPlansOfTheDocs hands each plan that a page shows, as it stands there, to the gate: who copies it has one that holds.
func TestPlansOfTheDocs(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	plans := 0
	for _, page := range append(pages, filepath.Join("..", "..", "README.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range strings.Split(string(text), "```yaml\n")[1:] {
			block, _, _ = strings.Cut(block, "```")
			if !strings.Contains(block, "\nkind: Enforcement\n") {
				continue
			}
			plans++
			file := filepath.Join(t.TempDir(), "plan.yaml")
			if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
				t.Fatal(err)
			}
			var out, faults bytes.Buffer
			code := cli.Run(t.Context(), cli.Env{
				Args: []string{"gate", "--plan", file, "--list", "--offline"}, Name: "coaming", Version: "test", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &faults,
				Getenv: func(string) string { return "" }, Now: time.Now, CacheDir: t.TempDir(),
			})
			if code != 0 {
				t.Errorf("%s, block %d: exit code %d\n%s", filepath.Base(page), i+1, code, faults.String())
			}
		}
	}
	if plans == 0 {
		t.Error("no page shows a plan")
	}
}
