package image

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/credential"
)

// vendored are pieces of paths below which others' code stands, with the keys and passwords of its tests and documentation.
var vendored = []string{
	"/node_modules/", "/site-packages/", "/dist-packages/", "/vendor/", "/gems/", "/examples/", "/doc/", "/docs/",
	"/go/pkg/mod/", "/.cargo/registry/", "/fixtures/", "/spec/", "/__tests__/",
}

// tests are pieces of paths below which tests stand. Those of toolchains are looked at: which keys they publish is known.
var (
	tests      = []string{"/test/", "/tests/", "/testdata/"}
	toolchains = []string{"usr/local/go/", "usr/lib/go", "usr/local/lib/python", "usr/lib/python", "usr/local/src/openssl", "usr/src/openssl"}
)

// distributed are directories whose files a distribution brings: of these only telling names are looked at.
var distributed = []string{
	"usr/share/", "usr/lib/", "usr/lib32/", "usr/lib64/", "usr/libexec/", "usr/bin/", "usr/sbin/", "usr/include/", "usr/local/lib/", "usr/local/share/", "usr/local/include/",
	"lib/", "lib64/", "bin/", "sbin/", "var/lib/dpkg/", "var/lib/apt/", "var/lib/rpm/", "var/cache/", "proc/", "sys/", "dev/", "boot/", "usr/local/go/", "go/pkg/",
	"etc/ssl/certs/", "etc/ca-certificates/", "etc/pki/ca-trust/", "lib/apk/", "usr/src/",
}

// secretNames are files that are made to hold credentials.
var secretNames = []string{
	".env", ".npmrc", ".pypirc", ".netrc", ".git-credentials", ".pgpass", ".my.cnf", ".dockercfg", ".s3cfg", ".boto", ".htpasswd", "credentials", "kubeconfig",
	"id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", ".vault-token", "terraform.tfstate", "wp-config.php", ".bash_history", ".zsh_history", ".psql_history", ".mysql_history",
	"kube.config", "admin.conf", "service-account.json", "client_secret.json",
}

// secretEnds are ends of names of files that hold keys.
var secretEnds = []string{".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk", ".env", ".kubeconfig", ".tfstate", ".tfvars", ".ovpn"}

// opaque are ends of names of files that are no text, or one that others made from what is elsewhere.
var opaque = map[string]bool{
	".png": true, ".jpg": true, ".jpeg": true, ".gif": true, ".svg": true, ".ico": true, ".webp": true, ".avif": true, ".bmp": true, ".mp3": true, ".mp4": true, ".webm": true, ".ogg": true,
	".wav": true, ".woff": true, ".woff2": true, ".ttf": true, ".otf": true, ".eot": true, ".pdf": true, ".css": true, ".map": true, ".pyc": true, ".pyo": true, ".class": true, ".jar": true,
	".war": true, ".ear": true, ".zip": true, ".gz": true, ".tgz": true, ".xz": true, ".bz2": true, ".zst": true, ".7z": true, ".br": true, ".so": true, ".a": true, ".o": true, ".dll": true,
	".exe": true, ".wasm": true, ".mo": true, ".po": true, ".pot": true, ".lock": true, ".sum": true, ".crl": true,
}

// mayHoldSecret says whether a file is worth a look: those with telling names anywhere, texts where people put their own.
func mayHoldSecret(at string) bool {
	base := strings.ToLower(path.Base(at))
	if base == "nsswitch.conf" || base == "package-lock.json" { // "passwd: files" is no password
		return false
	}
	if among(at, vendored) || among(at, tests) && !beneath(at, toolchains) {
		return false
	}
	if isTellingName(at, base) {
		return !strings.HasPrefix(at, "etc/ssl/certs/") && !strings.HasPrefix(at, "usr/share/ca-certificates/")
	}
	return !beneath(at, distributed) && !opaque[path.Ext(base)] && !strings.HasSuffix(base, ".min.js")
}

// among says whether one of the pieces is part of a path, which has none before its first directory.
func among(at string, pieces []string) bool {
	inside := "/" + at
	return slices.ContainsFunc(pieces, func(piece string) bool { return strings.Contains(inside, piece) })
}

// beneath says whether a path leads into one of the directories.
func beneath(at string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return strings.HasPrefix(at, dir) })
}

func isTellingName(at, base string) bool {
	if slices.Contains(secretNames, base) || strings.HasPrefix(base, ".env.") || strings.HasPrefix(base, "ssh_host_") && strings.HasSuffix(base, "_key") {
		return true
	}
	if strings.HasSuffix(at, ".docker/config.json") || strings.HasSuffix(at, ".kube/config") || strings.HasSuffix(at, ".git/config") {
		return true
	}
	return slices.ContainsFunc(secretEnds, func(end string) bool { return strings.HasSuffix(base, end) })
}

// secretEye searches a text for credentials. Of their values nothing is kept.
type secretEye struct {
	search *credential.Search
	notes  *notes
	size   int64
}

// searcher begins a search. Of one layer only one file passes at a time, so that one window does for all.
func (h *hygiene) searcher(e *entry) *secretEye {
	h.search.Reset(e.path)
	return &secretEye{&h.search, h.notes, e.size}
}

func (s *secretEye) see(piece []byte) bool {
	_, _ = s.search.Write(piece) // never fails
	return s.search.More()
}

func (s *secretEye) tell(r *record) {
	cut := s.search.Cut()
	r.secrets = s.search.Kinds()
	if cut && s.notes.unsearched == "" {
		s.notes.unsearched = fmt.Sprintf("%.300q has %d bytes, and the first %d of a text are searched for credentials", r.path, s.size, credential.MaxFile)
	}
}
