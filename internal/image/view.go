package image

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// view is the files of an image as a container sees them: what layers hold, each under those above it.
type view struct{ strata []*stratum }

func viewOf(strata ...*stratum) view { return view{strata} }

// standing is what stands at a path.
type standing int

const (
	nothing standing = iota
	file
	directory
)

// at says what stands at a path, in which layer, and the record of it where there is one. No link is followed.
func (t *view) at(name string) (what standing, layer int, r *record) {
	own, parents := t.hashes(name)
	for i, s := range slices.Backward(t.strata) {
		switch {
		case in(s.paths, own):
			return file, i, s.notes.records[name]
		case in(s.dirs, own):
			return directory, i, s.notes.records[name]
		case s.covers(own, parents):
			return nothing, i, nil
		}
	}
	return nothing, -1, nil
}

// hashes are those of a path and of the directories above it.
func (t *view) hashes(name string) (own uint64, parents []uint64) {
	if len(t.strata) == 0 {
		return 0, nil
	}
	o := t.strata[0].options
	return o.sum(name), o.parentsOf(name)
}

// hiddenBy is the lowest layer above one that hides a path of it, -1 where none does.
func (t *view) hiddenBy(name string, layer int) int {
	own, parents := t.hashes(name)
	for i := layer + 1; i < len(t.strata); i++ {
		if t.strata[i].covers(own, parents) {
			return i
		}
	}
	return -1
}

// maxLinks is how many symbolic links a path may lead over, as in Linux (path_resolution(7)).
const maxLinks = 40

// resolve is the path that a path leads to when symbolic links are followed from the root of the image; ok is
// false where they lead in a circle.
func (t *view) resolve(name string) (at string, ok bool) {
	todo := strings.Split(strings.Trim(path.Clean("/"+name), "/"), "/")
	var done []string
	for links := 0; len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			done = done[:max(0, len(done)-1)]
			continue
		}
		next := path.Join(append(slices.Clone(done), part)...)
		_, _, r := t.at(next)
		if r == nil || r.mode&fs.ModeSymlink == 0 {
			done = append(done, part)
			continue
		}
		if links++; links > maxLinks {
			return next, false
		}
		if strings.HasPrefix(r.link, "/") {
			done = nil
		}
		todo = append(strings.Split(r.link, "/"), todo...)
	}
	return path.Join(done...), true
}

// find follows links, and says what stands at the end.
func (t *view) find(name string) (at string, what standing, layer int, r *record) {
	at, ok := t.resolve(name)
	if !ok || at == "" {
		return at, nothing, -1, nil
	}
	what, layer, r = t.at(at)
	return at, what, layer, r
}

// records calls yield with every record of every layer, lowest layer first and sorted by path; by is the layer that
// hides it, -1 for none.
func (t *view) records(yield func(r *record, layer, by int)) {
	for i, s := range t.strata {
		names := make([]string, 0, len(s.notes.records))
		for name := range s.notes.records {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			yield(s.notes.records[name], i, t.hiddenBy(name, i))
		}
	}
}
