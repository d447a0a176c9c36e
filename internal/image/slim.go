package image

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// Slimming is what an image could do without.
type Slimming struct {
	Name  string `json:"name"`
	Base  string `json:"base"`  // the kind of image that it is
	Start string `json:"start"` // the program that it starts, "" where there is none
	// Proposal is the smallest base on which the program starts, with the reason; "" where that is not known.
	Proposal string `json:"proposal"`
	Reason   string `json:"reason"`
	// Runtime is what the program is run by ("static", "glibc", "musl", "python", "node", "java", "shell"…).
	Runtime string `json:"runtime"`
	// Observed says whether it is known which files were opened while the image ran.
	Observed bool `json:"observed"`
	// Needed are the files that the start of the program needs, or those that were opened; links are among them.
	Needed []string `json:"needed"`
	// Packages are those that nothing which is needed depends on. Without an observation they are candidates.
	Packages []UnusedPackage `json:"packages"`
	// Files are the largest files that were not opened and belong to no package: only of an observation.
	Files []UnusedFile `json:"files"`
	// Unknown are the files that were opened and are not in the image: made while it ran, or mounted.
	Unknown []string `json:"unknown"`
	// Capabilities are those that the image asks for by its own documents, each with the reason; what it uses is not known
	// until it was seen running.
	Capabilities []NeededCapability `json:"capabilities"`
	Total        int64              `json:"total"`  // bytes of all files
	Unused       int64              `json:"unused"` // bytes of the packages and files above
}

// UnusedPackage is a package that could go.
type UnusedPackage struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Size    int64  `json:"size"` // bytes of its files that are in the image, or what its manager tells; 0 where neither is known
	Files   int    `json:"files"`
}

// UnusedFile is a file that was not opened.
type UnusedFile struct {
	Path  string `json:"path"`
	Size  int64  `json:"size"`
	Layer int    `json:"layer"`
}

// NeededCapability is one that an image seems to need.
type NeededCapability struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Slim reads an image and tells what it could do without. used are the paths that were opened while it ran; nil where
// nobody saw it run.
func Slim(ctx context.Context, at string, o Options, used []string) (*Slimming, *verdict.Coverage, error) {
	var whole *described
	o.described = func(d *described) { whole = d }
	img, coverage, err := Read(ctx, at, o)
	if err != nil {
		return nil, nil, err
	}
	if whole == nil {
		return nil, nil, &verdict.RemedyError{Err: fmt.Errorf("%s is a bill of materials, which says nothing of files", at), Remedy: "Name the image itself."}
	}
	s := &slimmer{described: whole, out: &Slimming{Name: img.Name, Base: img.Contents.Base, Total: img.Contents.Size}, owners: map[string]int{}}
	s.slim(used)
	return s.out, coverage, nil
}

// described is an image with all that was noted of its files.
type described struct {
	image *fact.Image
	view  view
}

type slimmer struct {
	*described

	out    *Slimming
	owners map[string]int  // package by file, as index
	need   map[string]bool // files
}

func (s *slimmer) slim(used []string) {
	for i := range s.image.Packages {
		for _, f := range s.image.Packages[i].Files {
			for _, name := range spellings(f) {
				s.owners[name] = i
			}
		}
	}
	s.need = map[string]bool{}
	start := &s.image.Contents.Start
	s.out.Start = start.Path
	s.start(start)
	s.propose(start)
	s.capabilities()
	if used != nil {
		s.out.Observed = true
		s.used(used)
	}
	s.packages()
	if used != nil {
		s.files()
	}
	s.out.Needed = sortedNames(s.need)
	for _, p := range s.out.Packages {
		s.out.Unused += p.Size
	}
	for _, f := range s.out.Files {
		s.out.Unused += f.Size
	}
}

func sortedNames(m map[string]bool) []string {
	list := make([]string, 0, len(m))
	for name := range m {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// used requires the files that were opened.
func (s *slimmer) used(list []string) {
	for _, name := range list {
		if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name == "" || isVolatile(name) {
			continue
		}
		at, what, _, _ := s.view.find(name)
		if what == nothing {
			s.out.Unknown = append(s.out.Unknown, name)
			continue
		}
		s.require(name)
		s.require(at)
	}
	slices.Sort(s.out.Unknown)
	s.out.Unknown = slices.Compact(s.out.Unknown)
}

func isVolatile(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return slices.Contains(volatile, first)
}

// packages are those that nothing which is needed belongs to, or depends on. What was opened is all that was used, so that
// of an observation no dependencies are followed.
func (s *slimmer) packages() {
	list := s.image.Packages
	wanted := make([]bool, len(list))
	var queue []int
	for name := range s.need {
		if i, owned := s.owners[name]; owned && !wanted[i] {
			wanted[i] = true
			queue = append(queue, i)
		}
	}
	if !s.out.Observed {
		s.follow(wanted, queue)
	}
	for i := range list {
		p := &list[i]
		if wanted[i] || len(p.Files) == 0 && len(p.Needs) == 0 && p.Size == 0 || p.Ecosystem == "Go" {
			continue
		}
		s.out.Packages = append(s.out.Packages, UnusedPackage{Name: p.Name, Version: p.Version, Size: p.Size, Files: len(p.Files)})
	}
	slices.SortStableFunc(s.out.Packages, func(a, b UnusedPackage) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Name, b.Name))
	})
}

// follow wants what packages need.
func (s *slimmer) follow(wanted []bool, queue []int) {
	list := s.image.Packages
	by := map[string][]int{}
	for i := range list {
		for _, name := range append([]string{list[i].Name}, list[i].Provides...) {
			by[name] = append(by[name], i)
		}
		for _, f := range list[i].Files { // apk depends on files by their path
			if strings.HasPrefix(f, "bin/") || strings.HasPrefix(f, "usr/bin/") {
				by["/"+f] = append(by["/"+f], i)
			}
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		for _, group := range list[queue[0]].Needs {
			for name := range strings.SplitSeq(group, "|") {
				for _, i := range by[name] {
					if !wanted[i] && managedPackage(&list[i]) {
						wanted[i] = true
						queue = append(queue, i)
					}
				}
			}
		}
	}
}

func managedPackage(p *fact.Package) bool { return p.Needs != nil || p.Files != nil || p.Size > 0 }

// maxUnusedFiles is how many files are told one by one.
const maxUnusedFiles = 1000

// files are those with something noted of them that were not opened and belong to no package.
func (s *slimmer) files() {
	s.view.records(func(r *record, layer, by int) {
		if by >= 0 || !r.mode.IsRegular() || s.need[r.path] {
			return
		}
		if _, owned := s.owners[r.path]; owned {
			return
		}
		s.out.Files = append(s.out.Files, UnusedFile{r.path, r.size, layer})
	})
	slices.SortStableFunc(s.out.Files, func(a, b UnusedFile) int { return cmp.Compare(b.Size, a.Size) })
	s.out.Files = s.out.Files[:min(len(s.out.Files), maxUnusedFiles)]
}
