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
