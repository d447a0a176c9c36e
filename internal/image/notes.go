package image

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/bits"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/credential"
	"github.com/coaming/coaming/internal/fact"
)

// notes are what a layer's files have that rules ask for. Most files have nothing, and of these nothing is kept
// but their size.
type notes struct {
	records map[string]*record // by path
	weights weights
	unseen  string // why not all of the layer was seen
	// unsearched is why not all was searched for credentials.
	unsearched string
}

// record is a file with something about it.
type record struct {
	path     string
	mode     fs.FileMode
	uid, gid int
	size     int64
	link     string // what a symbolic link holds
	caps     []string
	program  *elfFile           // of an executable
	script   *script            // of a text that starts one
	secrets  []string           // kinds of credentials in it
	certs    []fact.Certificate // in it
	accounts []fact.Account     // in /etc/passwd
	shadow   map[string]string  // in /etc/shadow, what each account's password is: "none", "set", "locked"
	known    *fact.KnownFile
	sudo     []fact.Passwordless // in files of sudo and doas
}

const (
	anybodyWrites = 0o002
	anybodyRuns   = 0o111
)

// maxRecords is how many files of a layer may have something about them.
const maxRecords = 1 << 18

func newNotes(o *Options) *notes {
	return &notes{records: map[string]*record{}, weights: weights{options: o}}
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

// hygiene watches for what rules on images ask for.
type hygiene struct {
	*notes
	known  *KnownBad
	search credential.Search
	buffer []byte // for reading
	first  []byte // for the first segment of a program
}

// observe notes what the entry's own fields tell, and wants to read those whose content may tell more.
func (h *hygiene) observe(e *entry) reader {
	if e.hard {
		h.hardLink(e.path, e.link)
		return nil
	}
	r := &record{mode: e.mode, uid: e.uid, gid: e.gid, size: e.size, link: e.link}
	if raw := e.xattr(capabilityAttribute); raw != "" {
		r.caps = capabilities([]byte(raw))
	}
	delete(h.records, e.path)
	if r.isSpecial() || !e.mode.IsDir() && isNotable(e.path) {
		h.note(e.path, r)
	}
	if !e.mode.IsRegular() {
		return nil
	}
	h.weights.add(e.path, h.weights.options.sum(e.path), e.size)
	eyes := h.eyes(e)
	if len(eyes) == 0 {
		return nil
	}
	r.path = strings.Clone(e.path)
	return func(in *input) (*find, error) {
		h.look(in, r, eyes)
		return nil, nil
	}
}

func (h *hygiene) finish() { h.buffer, h.first, h.search = nil, nil, credential.Search{} }

// isSpecial says whether a file stands out by its type or its rights. Setuid and setgid of a directory only pass on whose its
// files are.
func (r *record) isSpecial() bool {
	switch {
	case r.mode.IsDir():
		return r.mode.Perm()&anybodyWrites != 0
	case r.mode&fs.ModeSymlink != 0:
		return true
	case !r.mode.IsRegular():
		return false
	}
	return r.mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 || r.mode.Perm()&(anybodyWrites|anybodyRuns) != 0 || len(r.caps) > 0
}

// note keeps a record.
func (n *notes) note(at string, r *record) {
	if len(n.records) >= maxRecords {
		n.unseen = fmt.Sprintf("more than %d files of a layer have something special", maxRecords)
		return
	}
	r.path = strings.Clone(at)
	n.records[r.path] = r
}

// hardLink notes a file under another name of it.
func (n *notes) hardLink(at, target string) {
	delete(n.records, at)
	if r := n.records[target]; r != nil {
		same := *r
		n.note(at, &same)
	}
}

// look shows a file to eyes, and keeps a record of it where they saw something. That a layer is cut off is told once for all
// of it, not here.
func (h *hygiene) look(in *input, r *record, eyes []eye) {
	if h.buffer == nil {
		h.buffer = make([]byte, 64<<10)
	}
	w := &watched{r: in, eyes: append([]eye{}, eyes...)}
	_ = w.finish(h.buffer)
	for _, e := range eyes {
		e.tell(r)
	}
	if h.records[r.path] == nil && r.tells() {
		h.note(r.path, r)
	}
}

// tells says whether the content of a file told anything.
func (r *record) tells() bool {
	return len(r.secrets) > 0 || len(r.certs) > 0 || len(r.accounts) > 0 || r.shadow != nil || r.known != nil || r.program != nil || len(r.sudo) > 0
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
		Path: r.path, Layer: layer, Mode: strconv.FormatInt(int64(octal(r.mode)), 8), UID: r.uid, GID: r.gid, Size: r.size,
		Executable: r.mode.Perm()&anybodyRuns != 0, Setuid: r.mode&fs.ModeSetuid != 0, Setgid: r.mode&fs.ModeSetgid != 0,
		Sticky: r.mode&fs.ModeSticky != 0, Writable: r.mode.Perm()&anybodyWrites != 0, Capabilities: append([]string{}, r.caps...),
	}
}

// octal is a mode as chmod writes it.
func octal(m fs.FileMode) fs.FileMode {
	n := m.Perm()
	for bit, is := range map[fs.FileMode]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if m&is != 0 {
			n |= bit
		}
	}
	return n
}
