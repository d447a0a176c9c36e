package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// ReadFolder reads the rule files of a folder and of the folders below it, or the one file that the
// path names, in the order of their paths. Hidden files and folders are passed over, and links are
// not followed: a folder of rules is what stands in it.
func ReadFolder(root string) ([]rule.File, error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("read rules: %w", err), Remedy: "Name a folder of rule files, a rule file, a bundle (.tgz) or oci://REGISTRY/NAME@sha256:DIGEST."}
	}
	if !info.IsDir() {
		f, err := readRuleFile(root, root)
		return []rule.File{f}, err
	}
	var files []rule.File
	var errs []error
	total := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("read rules: %w", err))
			return nil
		case path != root && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir() || !isRuleFile(d.Name()):
			return nil
		case !d.Type().IsRegular():
			errs = append(errs, fmt.Errorf("%s is no plain file; put the rule itself there, not a link", path))
			return nil
		}
		f, err := readRuleFile(path, root)
		if err != nil {
			errs = append(errs, err)
			return nil
		}
		files = append(files, f)
		if total += len(f.Text); total > maxTotal || len(files) > maxFiles {
			return fmt.Errorf("%s holds over %d rule files or %d MiB; name a smaller folder", root, maxFiles, maxTotal>>20)
		}
		return nil
	})
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("%s holds no rule file", root), Remedy: "Rule files end in .yaml or .yml; 'coaming rule new ID' begins one."}
	}
	return files, nil
}

func readRuleFile(path, origin string) (rule.File, error) {
	raw, err := readBounded(path, maxFile)
	if err != nil {
		return rule.File{}, err
	}
	text, fault := document.Decode(string(raw))
	if fault != nil {
		return rule.File{}, fmt.Errorf("%s:%d:%d: %s", path, fault.Line, max(fault.Column, 1), fault.Message)
	}
	return rule.File{Name: path, Text: text.Content(), Origin: origin}, nil
}

// ReadFile reads a bundle's file as it is.
func ReadFile(path string) ([]byte, error) { return readBounded(path, MaxBundle) }

// readBounded reads a plain file of a size that it may have. It never waits for whoever may write to
// a pipe: hence O_NONBLOCK.
func readBounded(path string, most int64) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("read %s: it is no file", path), Remedy: "Name a file; pipes and devices are not read."}
	}
	raw, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(raw)) > most {
		return nil, fmt.Errorf("read %s: it has over %d bytes", path, most)
	}
	return raw, nil
}
