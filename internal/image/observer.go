package image

import (
	"archive/tar"
	"io/fs"
	"time"
)

// entry is one thing that stands in a layer or in a root directory, on its way past: a file, a directory, a
// link, a device. Whiteouts and what leads out of the image are none.
type entry struct {
	path     string // from the root and without a leading slash
	layer    int
	mode     fs.FileMode // its type, the permissions, setuid, setgid and sticky
	size     int64       // of a regular file, in bytes; a hard link has none of its own
	uid, gid int
	modified time.Time // zero where nothing says
	link     string    // what a symbolic link holds, as it stands there; of a hard link the path that it shares
	hard     bool      // it is a hard link: its content has passed under the path in link
	header   *tar.Header
	caps     string // security.capability of a program in a root directory, which has no header
}

// capabilityAttribute is where Linux keeps a file's capabilities (capabilities(7)).
const capabilityAttribute = "security.capability"

// xattr is an extended attribute ("security.capability"), "" where there is none or nothing tells of them.
func (e *entry) xattr(name string) string {
	if e.header == nil {
		if name == capabilityAttribute {
			return e.caps
		}
		return ""
	}
	return e.header.PAXRecords["SCHILY.xattr."+name]
}

// executable says whether somebody may run the file.
func (e *entry) executable() bool { return e.mode.IsRegular() && e.mode&0o111 != 0 }

// observer watches one layer pass. All its methods are called from one goroutine; there is one for each layer.
//
// What belongs to a path, so that a layer above may hide it, an observer keeps as a find: right away by
// stratum.keep, or as what its reader returns. Finds of several observers for one path are put together.
type observer interface {
	// observe is told of every entry in the order of the layer, and returns what shall read the content of a
	// regular file; nil reads nothing of it. The entry must not be kept. A reader gets the content from its
	// beginning, whoever else reads it. It may run beside other observers' readers of the same file, so that
	// it touches nothing but its input and what it returns.
	observe(e *entry) reader
	// finish is called once, behind the last entry that was read.
	finish()
}

// newObservers are all that watch a layer. Who wants to see what is in images enters here.
func newObservers(s *stratum) []observer {
	return []observer{catalogue{s}, newHygiene(s)}
}

// catalogue looks for packages and the distribution.
type catalogue struct{ layer *stratum }

func (c catalogue) observe(e *entry) reader {
	if !e.mode.IsDir() {
		c.layer.foreign(e.path)
	}
	if e.hard {
		return nil // stratum.link finds what it shares
	}
	return readerOf(e.path, e.executable())
}

func (catalogue) finish() {}
