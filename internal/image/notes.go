package image

import (
	"archive/tar"
	"encoding/binary"
	"fmt"
	"math/bits"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// notes are what a layer's files have that rules ask for. Most files have nothing, and of these nothing is kept
// but their size.
type notes struct {
	records map[string]*record // by path
	weights weights
	unseen  string // why not all of the layer was seen
}

// record is a file with something about it.
type record struct {
	entry
	program  *program           // of an executable
	script   *script            // of a text that starts one
	secrets  []string           // kinds of credentials in it
	certs    []fact.Certificate // in it
	accounts []fact.Account     // in /etc/passwd
	shadow   map[string]string  // in /etc/shadow, what each account's password is: "none", "set", "locked"
	known    *fact.KnownFile
}

// entry is what a tar, or a file system, says of a file.
type entry struct {
	path     string
	kind     byte // tar's
	mode     int64
	uid, gid int
	size     int64
	link     string
	caps     []string
}

// The bits of mode.
const (
	modeSetuid   = 0o4000
	modeSetgid   = 0o2000
	modeSticky   = 0o1000
	modeWritable = 0o002
	modeExecute  = 0o111
)

// maxRecords is how many files of a layer may have something about them.
const maxRecords = 1 << 18

func newNotes() *notes { return &notes{records: map[string]*record{}} }

// entryOf reads a tar's header.
func entryOf(at string, h *tar.Header) entry {
	e := entry{path: at, kind: h.Typeflag, mode: h.Mode & 0o7777, uid: h.Uid, gid: h.Gid, size: h.Size, link: h.Linkname}
	if raw := h.PAXRecords["SCHILY.xattr.security.capability"]; raw != "" {
		e.caps = capabilities([]byte(raw))
	}
	return e
}

// capabilityNames are those of linux/capability.h by their number.
var capabilityNames = strings.Fields(`CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
	NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE
	SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF
	CHECKPOINT_RESTORE`)

// capabilities reads the permitted ones of struct vfs_cap_data (linux/capability.h): a word of magic, then one or
// two pairs of words.
func capabilities(raw []byte) []string {
	if len(raw) < 12 {
		return []string{"unreadable"}
	}
	set := uint64(binary.LittleEndian.Uint32(raw[4:]))
	if len(raw) >= 20 {
		set |= uint64(binary.LittleEndian.Uint32(raw[12:])) << 32
	}
	var names []string
	for ; set != 0; set &= set - 1 {
		n := bits.TrailingZeros64(set)
		name := "CAP_" + strconv.Itoa(n)
		if n < len(capabilityNames) {
			name = "CAP_" + capabilityNames[n]
		}
		names = append(names, name)
	}
	return names
}

// see takes note of an entry whose content is read later, if at all; the record is nil for nearly all.
func (n *notes) see(e *entry) *record {
	special := e.mode&(modeSetuid|modeSetgid) != 0 && e.kind != tar.TypeDir || len(e.caps) > 0 || // of a directory it only passes the group on
		e.mode&modeWritable != 0 && e.kind != tar.TypeSymlink || e.kind == tar.TypeSymlink ||
		e.kind != tar.TypeDir && (e.mode&modeExecute != 0 || isNotable(e.path))
	if !special {
		delete(n.records, e.path)
		return nil
	}
	if len(n.records) >= maxRecords {
		n.unseen = fmt.Sprintf("more than %d of its files have something special", maxRecords)
		return nil
	}
	r := &record{entry: *e}
	r.path = strings.Clone(e.path)
	n.records[r.path] = r
	return r
}

// link notes a hard link: it is the file that it links to, under another name.
func (n *notes) hardLink(at, target string) {
	if r := n.records[target]; r != nil && len(n.records) < maxRecords {
		same := *r
		same.path = strings.Clone(at)
		n.records[same.path] = &same
	}
}

// isNotable says whether a file is noted for its name, whatever its rights.
func isNotable(at string) bool {
	return at == "etc/passwd" || at == "etc/shadow" || isService(at) || repositoryOf(at) != ""
}

// isService says whether a file makes a service manager run something.
func isService(at string) bool {
	dir, base := path.Dir(at), path.Base(at)
	switch {
	case strings.HasSuffix(base, ".service"):
		return strings.HasSuffix(dir, "systemd/system")
	case dir == "etc/init.d":
		return base != "README"
	case dir == "etc/supervisor/conf.d" || dir == "etc/supervisor.d" || dir == "etc/supervisord.d":
		return true
	case base == "supervisord.conf":
		return true
	case base == "run":
		up := path.Dir(dir)
		return slices.Contains([]string{"etc/services.d", "etc/service", "etc/sv", "etc/s6"}, up) || strings.HasPrefix(up, "etc/s6-overlay/s6-rc.d")
	}
	return false
}

// repositoryOf is what kind of version control keeps its history where the file stands, "" for nearly all.
func repositoryOf(at string) string {
	dir, base := path.Dir(at), path.Base(at)
	switch base {
	case "HEAD", "config":
		if path.Base(dir) == ".git" && base == "HEAD" {
			return "git"
		}
	case "wc.db":
		if path.Base(dir) == ".svn" {
			return "subversion"
		}
	case "requires":
		if path.Base(dir) == ".hg" {
			return "mercurial"
		}
	}
	return ""
}

// file is the record as rules read it.
func (r *record) file(layer int) fact.ImageFile {
	return fact.ImageFile{
		Path: r.path, Layer: layer, Mode: strconv.FormatInt(r.mode, 8), UID: r.uid, GID: r.gid, Size: r.size,
		Executable: r.mode&modeExecute != 0, Setuid: r.mode&modeSetuid != 0, Setgid: r.mode&modeSetgid != 0,
		Sticky: r.mode&modeSticky != 0, Writable: r.mode&modeWritable != 0, Capabilities: append([]string{}, r.caps...),
	}
}
