package report

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/verdict"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestGolden(t *testing.T) {
	strict := Meta{Version: "0.1.0", FailOn: verdict.Low}
	lax := Meta{Version: "0.1.0", FailOn: verdict.Critical, AllowUnknown: true}
	onlyUnknown := sample()
	onlyUnknown.Findings = onlyUnknown.Findings[:1]
	terminal := func(res *verdict.Result, opts TerminalOptions) func(io.Writer) error {
		return func(w io.Writer) error { return Terminal(w, res, opts) }
	}
	tests := map[string]func(io.Writer) error{
		"terminal.txt":         terminal(sample(), TerminalOptions{}),
		"terminal-color.txt":   terminal(sample(), TerminalOptions{Color: true, Width: 80}),
		"terminal-verbose.txt": terminal(sample(), TerminalOptions{Verbose: true, Width: 120, FailOn: verdict.High}),
		"terminal-narrow.txt":  terminal(sample(), TerminalOptions{Width: 40, FailOn: verdict.Critical, AllowUnknown: true}),
		"terminal-empty.txt":   terminal(empty(), TerminalOptions{}),
		"terminal-clean.txt":   terminal(clean(), TerminalOptions{}),
		"terminal-unknown.txt": terminal(onlyUnknown, TerminalOptions{FailOn: verdict.High}),
		"result.json":          func(w io.Writer) error { return JSON(w, sample(), strict) },
		"result-empty.json":    func(w io.Writer) error { return JSON(w, empty(), strict) },
		"result.sarif":         func(w io.Writer) error { return SARIF(w, sample(), strict) },
		"result-lax.sarif":     func(w io.Writer) error { return SARIF(w, sample(), lax) },
		"result-empty.sarif":   func(w io.Writer) error { return SARIF(w, empty(), strict) },
		"compared.json":        func(w io.Writer) error { return JSON(w, compared(), strict) },
		"compared.txt":         terminal(compared(), TerminalOptions{}),
	}
	for _, f := range Formats {
		if f.Name == "json" || f.Name == "sarif" {
			continue
		}
		tests["result."+f.Name] = func(w io.Writer) error { return f.Write(w, sample(), strict) }
		tests["empty."+f.Name] = func(w io.Writer) error { return f.Write(w, empty(), strict) }
		tests["compared."+f.Name] = func(w io.Writer) error { return f.Write(w, compared(), lax) }
	}
	for name, write := range tests {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := write(&got); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("%s (-want +got), 'go test -update' accepts it:\n%s", file, diff)
			}
		})
	}
}

func TestSameInputSameBytes(t *testing.T) {
	for name, write := range formats {
		var first, second bytes.Buffer
		if err := errors.Join(write(&first, sample()), write(&second, sample())); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("%s: two runs differ", name)
		}
	}
}

// TestWriteError: a full disk or a closed pipe is told, not lost in a buffer.
func TestWriteError(t *testing.T) {
	full := errors.New("no space left")
	for name, write := range formats {
		if err := write(failing{full}, many(1000)); !errors.Is(err, full) {
			t.Errorf("%s: error %v, want %v", name, err, full)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// TestTerminalShape holds for every page: no blanks at the end of a line, nothing that acts on the
// terminal but our own colours, nothing but paths and names wider than the page.
func TestTerminalShape(t *testing.T) {
	for _, width := range []int{40, 80, 100, 200} {
		for _, color := range []bool{false, true} {
			var out bytes.Buffer
			if err := Terminal(&out, sample(), TerminalOptions{Width: width, Color: color, Verbose: true}); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(out.String()) {
				line = strings.TrimSuffix(line, "\n")
				for _, code := range codes {
					line = strings.ReplaceAll(line, "\x1b["+code+"m", "")
				}
				line = strings.ReplaceAll(line, "\x1b[0m", "")
				if line != strings.TrimRight(line, " ") {
					t.Errorf("width %d: blanks at the end of %q", width, line)
				}
				if visible(line) != line {
					t.Errorf("width %d: %q acts on the terminal", width, line)
				}
				if width >= 80 && widthOf(line) > width+20 && !strings.Contains(line, "/") {
					t.Errorf("width %d: %d columns: %q", width, widthOf(line), line)
				}
			}
		}
	}
}

// formats are all pages that can be made of a result.
var formats = func() map[string]func(io.Writer, *verdict.Result) error {
	all := map[string]func(io.Writer, *verdict.Result) error{
		"terminal": func(w io.Writer, res *verdict.Result) error { return Terminal(w, res, TerminalOptions{}) },
	}
	for _, f := range Formats {
		all[f.Name] = func(w io.Writer, res *verdict.Result) error { return f.Write(w, res, Meta{Version: "0.1.0"}) }
	}
	return all
}()

func BenchmarkReport(b *testing.B) {
	res := many(100_000)
	for _, name := range slices.Sorted(maps.Keys(formats)) {
		b.Run(name, func(b *testing.B) {
			var size counter
			b.ReportAllocs()
			for b.Loop() {
				size = 0
				if err := formats[name](&size, res); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(size)/(1<<20), "MiB/report")
		})
	}
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
