package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/fix"
	"github.com/coaming/coaming/internal/source"
	"github.com/coaming/coaming/internal/verdict"
)

// to gives the writer that --output names.
func (o *fixOptions) to(env *Env, write func(io.Writer) error) error {
	if o.output == "" {
		return write(env.Stdout)
	}
	file, err := os.Create(o.output)
	if err != nil {
		return fmt.Errorf("create %s: %w", o.output, err)
	}
	if err := errors.Join(write(file), file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", o.output, err)
	}
	return nil
}

// apply writes the files: all of them are checked first, each then takes the old one's place at once.
func (c *court) apply(files []fix.File) error {
	var errs []error
	writes := make([]*pending, 0, len(files))
	for i := range files {
		w, err := prepare(&files[i])
		if err != nil {
			errs = append(errs, err)
		}
		writes = append(writes, w)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, w := range writes {
		if err := w.write(); err != nil {
			return err
		}
	}
	return nil
}

// pending is a file that is about to be written.
type pending struct {
	path string // behind all links
	text string
	info os.FileInfo
}

// prepare checks that a file is still what was read, and makes its bytes.
func prepare(f *fix.File) (*pending, error) {
	if f.Path == "-" {
		return nil, &verdict.RemedyError{Err: errors.New("standard input cannot be written to"), Remedy: "Use --patch, or name files."}
	}
	target, err := filepath.EvalSymlinks(filepath.FromSlash(f.Path))
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", f.Path, err)
	}
	info, err := os.Stat(target)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", f.Path, err)
	}
	raw, err := os.ReadFile(target)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	text, fault := document.Decode(string(raw))
	if fault != nil || text.Content() != f.Before {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("%s changed while its fixes were proved; nothing was written", f.Path), Remedy: "Run the command again."}
	}
	mark, found := strings.CutSuffix(string(raw), f.Before)
	if !found {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("%s is UTF-16 text, which is not written; nothing was written", f.Path), Remedy: "Save it as UTF-8."}
	}
	return &pending{path: target, text: mark + f.After, info: info}, nil
}

// write puts the new file in the old one's place, in one step, with its mode.
func (p *pending) write() error {
	temp, err := os.CreateTemp(filepath.Dir(p.path), ".coaming-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", p.path, err)
	}
	_, err = temp.WriteString(p.text)
	err = errors.Join(err, temp.Chmod(p.info.Mode().Perm()), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), p.path)
	}
	if err != nil {
		_ = os.Remove(temp.Name())
		return fmt.Errorf("write %s: %w", p.path, err)
	}
	return nil
}

// writeBeside writes patches of what is not changed in place: for a cluster's objects, and over
// what charts render.
func (o *fixOptions) writeBeside(env *Env, res *fix.Result) error {
	if len(res.Objects)+len(res.Patches)+len(res.Added) == 0 {
		return nil
	}
	files := besideFiles(res)
	names := slices.Sorted(maps.Keys(files))
	if o.beside == "" {
		if o.patch && len(res.Files) == 0 {
			return &verdict.RemedyError{
				Err:    fmt.Errorf("no patch was written: the changes, %d, are of charts, overlays or a cluster's objects, not of files that are changed in place", len(names)),
				Remedy: "Name a folder for them: --beside FOLDER.",
			}
		}
		if !o.patch && !o.comment {
			for _, name := range names {
				_, _ = fmt.Fprintf(env.Stdout, "\n# %s\n%s", name, files[name])
			}
		}
		_, _ = fmt.Fprintf(env.Stderr, "%s: hint: %d patches are not of files that are changed in place; --beside FOLDER writes them.\n", env.Name, len(names))
		return nil
	}
	for _, name := range names {
		path := filepath.Join(o.beside, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
		if err := os.WriteFile(path, []byte(files[name]), 0o644); err != nil {
			return fmt.Errorf("write patch: %w", err)
		}
	}
	_, err := fmt.Fprintf(env.Stderr, "%d patches written to %s\n", len(names), o.beside)
	return err
}

// besideFiles are the patches, and the new objects, by file name. Patches of a cluster's objects are for
// kubectl patch --type=json --patch-file.
func besideFiles(res *fix.Result) map[string]string {
	files := map[string]string{}
	var script strings.Builder
	added := map[string][]string{} // by folder
	for _, a := range res.Added {
		o := fact.NewObject(a.Value, a.Beside.Origin)
		dir, name := "cluster", safeName(strings.Join([]string{o.Namespace, o.GroupKind(), o.Name}, "."))+".yaml"
		if o.Origin.Served {
			fmt.Fprintf(&script, "kubectl apply -f %s\n", quoteShell(name))
		} else {
			dir = overlayFolder(o.Origin.Source)
			added[dir] = append(added[dir], name)
		}
		files[dir+"/"+name] = document.YAML(a.Value)
	}
	for i := range res.Objects {
		obj := &res.Objects[i]
		o := obj.Object
		name := safeName(strings.Join([]string{o.Namespace, o.GroupKind(), o.Name}, ".")) + ".json"
		files["cluster/"+name] = obj.JSON()
		namespace := ""
		if o.Namespace != "" {
			namespace = " -n " + quoteShell(o.Namespace)
		}
		fmt.Fprintf(&script, "kubectl patch%s %s %s --type=json --patch-file %s\n", namespace, quoteShell(strings.ToLower(o.GroupKind())), quoteShell(o.Name), quoteShell(name))
	}
	if script.Len() > 0 {
		files["cluster/apply.sh"] = "#!/bin/sh -e\n# Run it in this folder, once you have read what it patches.\n" + script.String()
	}
	patches := map[string][]string{}
	for from, list := range res.Patches {
		patches[overlayFolder(from)] = list
	}
	for dir := range added {
		if patches[dir] == nil {
			patches[dir] = nil // one that adds only has a kustomization, too
		}
	}
	for dir, list := range patches {
		files[dir+"/kustomization.yaml"] = "# Write what the chart renders to rendered.yaml: helm template ... > rendered.yaml\n" +
			source.Overlay(list, append([]string{"rendered.yaml"}, added[dir]...)...)
	}
	return files
}

// overlayFolder is where what is laid over a chart is written.
func overlayFolder(from string) string {
	return "overlay/" + safeName(strings.TrimPrefix(from, "helm:"))
}

// safeName is a name without what a path could mind.
func safeName(s string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, s), ".")
}

// quoteShell quotes a word for a shell: names are a server's, and a server may be hostile.
func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
