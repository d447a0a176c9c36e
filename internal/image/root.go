package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// volatile are directories of a running system in which nothing is installed.
var volatile = []string{"proc", "sys", "dev"}

// strangers are directories in which container engines keep what is in images: it is not the host's.
var strangers = []string{
	"var/lib/containerd", "var/lib/docker", "var/lib/containers/storage", "var/lib/kubelet/pods", "var/lib/rancher/k3s/agent/containerd",
	"var/lib/rancher/rke2/agent/containerd", "run/containerd", "run/k3s/containerd", "run/docker",
}

// Bounds on directories: how many are open at the same time, and how many entries of one are asked for at once.
const (
	maxNested = 250
	batch     = 1024
)

// How far the walk is ahead of who looks: entries that are handed over at once, and how often. The directories among them are open.
const (
	handed    = 32
	handovers = 2
)

// tree goes through a root directory: one layer without a tar. Links are not followed, and none leads out of it.
// Walking is done beside looking, which takes place in the order of the walk: only what is said so below is the walk's.
type tree struct {
	*stratum
	ctx       context.Context //nolint:containedctx // for as long as the one call lives
	device    uint64          // of the root
	mounts    bool            // go into other file systems, too
	entries   int             // the walk's
	elsewhere []string        // directories in which other file systems stand; the walk's
	next      []step          // that are handed over when there are enough; the walk's
	walked    chan []step
}

// step is what the walk has come to.
type step struct {
	dir  *os.Root
	name string // in it
	at   string
	info fs.FileInfo
	link string // what a symbolic link holds
	do   func() // nil for entries: what is to be told or closed when all before it was looked at
}

// hand hands a step over.
func (t *tree) hand(s step) {
	if t.next = append(t.next, s); len(t.next) == handed {
		t.handOver()
	}
}

func (t *tree) handOver() {
	t.walked <- t.next
	t.next = make([]step, 0, handed)
}

// later is for what the walk has to tell.
func (t *tree) later(do func()) { t.hand(step{do: do}) }

// look walks, and looks at what the walk comes to.
func (t *tree) look(root *os.Root) error {
	t.walked = make(chan []step, handovers)
	var walking sync.WaitGroup
	var err error
	walking.Go(func() {
		defer close(t.walked)
		err = t.walk(root, "", 0)
		t.handOver()
	})
	for steps := range t.walked {
		for i := range steps {
			t.take(&steps[i])
		}
	}
	walking.Wait()
	return err
}

// readRoot catalogues a root directory: that of an image, or of a host that runs.
func readRoot(ctx context.Context, dir string, root *os.Root, o *Options, l *ledger) (*fact.Image, *verdict.Coverage, error) {
	t := &tree{stratum: newStratum(0, o, l), ctx: ctx, mounts: o.Mounts}
	if info, err := root.Stat("."); err == nil {
		t.device = deviceOf(info)
	}
	err := t.look(root)
	if _, over := errors.AsType[boundError](err); over {
		t.gap("", verdict.GapTooLarge, err.Error(), "Name a directory further down.")
		t.notes.unseen = err.Error()
		err = nil
	}
	if o.Partial && err != nil && ctx.Err() != nil {
		t.gap(t.current.path, verdict.GapUnreadable, fmt.Sprintf("the reading was stopped here, after %d entries: what comes behind is not known", t.entries), "Ask again, and let it come to its end.")
		t.notes.unseen = "the reading was stopped"
		err = nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", dir, err)
	}
	if n := len(t.elsewhere); n > 0 {
		t.notes.unseen = t.elsewhere[0] + " is another file system, and was not read"
		t.gap(t.elsewhere[0], verdict.GapUnreadable, fmt.Sprintf("other file systems stand here and in %d more places, and are not read", n-1), "Read them too with --mounts, or each as a directory of its own.")
	}
	t.finish()
	img := &fact.Image{Name: dir, Form: "directory"}
	assemble(img, []*stratum{t.stratum}, o, l)
	describe(img, &manifest{config: &config{}}, []*stratum{t.stratum})
	if o.described != nil {
		o.described(&described{img, viewOf(t.stratum)})
	}
	return img, l.coverage(), nil
}

// walk goes through one directory, which stands at a path from the root. Its error ends the whole walk. It, entry and below
// are the walk's.
func (t *tree) walk(dir *os.Root, at string, depth int) error {
	f, err := dir.Open(".")
	if err != nil {
		t.later(func() { t.unreadable(at, err) })
		return nil
	}
	defer f.Close() //nolint:errcheck // nothing was written
	for {
		list, err := f.ReadDir(batch)
		for _, d := range list {
			if err := t.entry(dir, path.Join(at, d.Name()), d, depth); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			t.later(func() { t.unreadable(at, err) })
			return nil
		}
	}
}

func (t *tree) unreadable(at string, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		return // gone since
	}
	t.gap(at, verdict.GapUnreadable, err.Error(), "Run with permission to read it.")
	t.notes.unseen = at + " could not be read"
}

// entry takes one entry of a directory, and goes into it where it is one.
func (t *tree) entry(dir *os.Root, at string, d fs.DirEntry, depth int) error {
	if err := t.ctx.Err(); err != nil {
		return err
	}
	t.step()
	limits := &t.options.Limits
	if t.entries++; t.entries > limits.Entries {
		return boundError(fmt.Sprintf("it has more than %d entries", limits.Entries))
	}
	if len(at) > limits.Path {
		t.later(func() {
			t.gap(at[:100]+"…", verdict.GapTooLarge, fmt.Sprintf("the path has %d bytes", len(at)), "Name a directory further down.")
		})
		return nil
	}
	if d.IsDir() && (slices.Contains(volatile, at) || slices.Contains(strangers, at)) {
		return nil
	}
	info, err := d.Info() // which was asked for when the directory was listed, as it is in an os.Root
	if err != nil {
		t.later(func() { t.unreadable(at, err) })
		return nil //nolint:nilerr // it is told as a gap
	}
	s := step{dir: dir, name: d.Name(), at: at, info: info}
	if info.Mode()&fs.ModeSymlink != 0 {
		s.link, _ = dir.Readlink(d.Name())
	}
	t.hand(s)
	if info.IsDir() {
		return t.below(dir, at, info, depth)
	}
	return nil
}

// take looks at what the walk has come to.
func (t *tree) take(s *step) {
	if s.do != nil {
		s.do()
		return
	}
	e := &t.current
	*e = entry{path: s.at, layer: t.number, mode: s.info.Mode(), size: s.info.Size(), modified: s.info.ModTime(), link: s.link}
	e.uid, e.gid = ownerOf(s.info)
	if s.info.IsDir() {
		t.directory(s.at)
	} else {
		t.present(s.at)
	}
	if e.executable() {
		t.attributes(s.dir, s.name, e)
	}
	if readers := t.observe(e); len(readers) > 0 {
		t.content(s.dir, s.name, e, readers)
	}
}

// attributes reads what capabilities a program gives. What cannot be opened is told when its content is asked for.
func (t *tree) attributes(dir *os.Root, name string, e *entry) {
	file, _, err := openRegular(dir, name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			t.notes.unseen = e.path + " could not be read"
		}
		return
	}
	defer file.Close() //nolint:errcheck // nothing was written
	if e.caps, err = capabilitiesOf(file); err != nil {
		t.gap(e.path, verdict.GapUnreadable, "its capabilities: "+err.Error(), "Run with permission to read its extended attributes.")
		t.notes.unseen = "the capabilities of " + e.path + " could not be read"
	}
}

// below goes into a directory, unless another file system begins there.
func (t *tree) below(dir *os.Root, at string, info fs.FileInfo, depth int) error {
	if depth >= maxNested {
		t.later(func() {
			t.gap(at[:min(len(at), 100)]+"…", verdict.GapTooLarge, fmt.Sprintf("directories stand more than %d deep", maxNested), "Name a directory further down.")
		})
		return nil
	}
	inside, err := dir.OpenRoot(info.Name())
	if err != nil {
		t.later(func() { t.unreadable(at, err) })
		return nil
	}
	defer t.later(func() { _ = inside.Close() }) // nothing was written
	if deviceOf(info) != t.device {
		switch f, err := inside.Open("."); {
		case err != nil:
			t.later(func() { t.unreadable(at, err) })
			return nil
		case isPseudo(f):
			_ = f.Close()
			return nil
		default:
			_ = f.Close()
		}
		if !t.mounts {
			t.elsewhere = append(t.elsewhere, at)
			return nil
		}
	}
	return t.walk(inside, at, depth+1)
}

// content reads a file.
func (t *tree) content(dir *os.Root, name string, e *entry, readers []reader) {
	file, info, err := openRegular(dir, name)
	if err != nil {
		if strings.Contains(err.Error(), "regular") {
			return // it was replaced meanwhile
		}
		t.unreadable(e.path, err)
		return
	}
	defer file.Close() //nolint:errcheck // nothing was written
	e.size = info.Size()
	t.read(e, readers, file)
}
