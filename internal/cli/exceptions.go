package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/source"
	"github.com/coaming/coaming/internal/verdict"
)

// defaultExceptions is read when it is there and no file is named.
const defaultExceptions = ".coaming/exceptions.yaml"

// maxExceptions bounds a file of exceptions or a baseline, in bytes: some hundred thousand findings.
const maxExceptions = 64 << 20

// exceptionFlags say what may excuse findings.
type exceptionFlags struct {
	files    []string
	from     []string
	noInline bool
	maxDays  int
	baseline string
}

var exceptionSources = []string{"files", "inline", "cluster", "none"}

func (f *exceptionFlags) register(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.files, "exceptions", nil, "a `FILE` of exceptions; may be given several times ("+defaultExceptions+" otherwise, where there is one)")
	flags.StringSliceVar(&f.from, "exceptions-from", []string{"files", "inline", "cluster"},
		"who may grant exceptions: `SOURCES` files, inline (what stands in the manifests and annotations), cluster (Exception objects in it), or none")
	flags.BoolVar(&f.noInline, "no-inline-exceptions", false, "take no exception from what is scanned itself")
	flags.IntVar(&f.maxDays, "exception-max-days", int(judge.DefaultLifetime/(24*time.Hour)), "refuse exceptions that expire more than `DAYS` ahead")
	flags.StringVar(&f.baseline, "baseline", "", "a `FILE` of findings that were there before: they do not fail")
}

func (f *exceptionFlags) complete(cmd *cobra.Command) {
	completeFlag(cmd, "exceptions-from", exceptionSources...)
}

func (f *exceptionFlags) check() []error {
	var errs []error
	for _, s := range f.from {
		if !slices.Contains(exceptionSources, s) {
			errs = append(errs, fmt.Errorf("--exceptions-from: %q is none of %s", s, strings.Join(exceptionSources, ", ")))
		}
	}
	if slices.Contains(f.from, "none") && len(f.from) > 1 {
		errs = append(errs, errors.New("--exceptions-from: none stands alone"))
	}
	if len(f.files) > 0 && !f.takes("files") {
		errs = append(errs, errors.New("--exceptions: --exceptions-from leaves files out"))
	}
	if f.maxDays < 1 {
		errs = append(errs, errors.New("--exception-max-days: less than 1"))
	}
	return errs
}

func (f *exceptionFlags) takes(from string) bool {
	return slices.Contains(f.from, from) && (from != "inline" || !f.noInline)
}

func (f *exceptionFlags) lifetime() time.Duration { return time.Duration(f.maxDays) * 24 * time.Hour }

// excuses is what may excuse findings, as far as it is known before anything is scanned.
type excuses struct {
	exceptions []verdict.Exception
	baseline   *verdict.Baseline
}

// load reads the files.
func (f *exceptionFlags) load() (excuses, error) {
	var x excuses
	var errs []error
	for _, name := range f.paths() {
		text, err := readBounded(name)
		if err != nil {
			errs = append(errs, fmt.Errorf("read exceptions: %w", err))
			continue
		}
		list, err := exception.File(filepath.ToSlash(name), text)
		if err != nil {
			errs = append(errs, err)
		}
		x.exceptions = append(x.exceptions, list...)
	}
	if f.baseline != "" {
		b, err := readBaseline(f.baseline)
		if err != nil {
			errs = append(errs, err)
		}
		x.baseline = b
	}
	return x, errors.Join(errs...)
}

// paths are the files of exceptions that are to be read.
func (f *exceptionFlags) paths() []string {
	if !f.takes("files") {
		return nil
	}
	if len(f.files) > 0 {
		return f.files
	}
	if _, err := os.Stat(defaultExceptions); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return []string{defaultExceptions} // one that cannot be read is an error
}

// find adds the exceptions that stand in what was read, and refuses those for rules that there are
// not; ids are those of all rules.
func (f *exceptionFlags) find(x *excuses, objects []*fact.Object, ids []string) {
	x.exceptions = append(x.exceptions, exception.Of(objects, f.takes("inline"), f.takes("cluster"))...)
	if len(x.exceptions) == 0 {
		return
	}
	known := make(map[string]bool, len(ids))
	for _, id := range ids {
		known[id] = true
	}
	exception.Check(x.exceptions, known, func(id string) string { return nearest(id, ids) })
}

// readBounded reads a file of exceptions, a baseline, a plan or a template.
func readBounded(name string) (string, error) {
	file, err := source.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxExceptions+1))
	if err == nil && len(text) > maxExceptions {
		err = &verdict.RemedyError{Err: fmt.Errorf("%s: over %d MiB", name, maxExceptions>>20), Remedy: "Split the file."}
	}
	return string(text), err
}

func readBaseline(name string) (*verdict.Baseline, error) {
	text, err := readBounded(name)
	if err != nil {
		return nil, &verdict.RemedyError{
			Err: fmt.Errorf("read baseline: %w", err), Remedy: "Write one with 'coaming scan --write-baseline " + name + "'.",
		}
	}
	return exception.ReadBaseline(filepath.ToSlash(name), text)
}

// saveBaseline writes what fails as a baseline, and judges the result by it.
func saveBaseline(name string, res *verdict.Result) error {
	var text strings.Builder
	if err := exception.WriteBaseline(&text, res.Findings); err != nil {
		return err
	}
	if err := replaceFile(name, text.String()); err != nil {
		return fmt.Errorf("write baseline: %w", err)
	}
	b, err := exception.ReadBaseline(filepath.ToSlash(name), text.String())
	if err != nil {
		return err
	}
	judge.Accept(res, b)
	return nil
}

// replaceFile writes a file whole or not at all, and keeps its mode.
func replaceFile(name, text string) error {
	mode := fs.FileMode(0o644)
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
		if info, err := os.Stat(name); err == nil {
			mode = info.Mode().Perm()
		}
	}
	file, err := os.CreateTemp(filepath.Dir(name), ".coaming-*")
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	err = errors.Join(err, file.Chmod(mode), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // the error that matters is told
	}
	return err
}
