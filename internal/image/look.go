package image

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/fact"
)

// maxCerts is how many certificates of one file are noted.
const maxCerts = 1000

func newHygiene(s *stratum) *hygiene {
	h := &hygiene{notes: s.notes, known: builtIn}
	if s.options.Known != nil {
		h.known = s.options.Known
	}
	return h
}

// eyes are those that look at the content of a file; none at that of most.
func (h *hygiene) eyes(e *entry) []eye {
	var list []eye
	if e.size == 0 {
		return nil
	}
	if e.executable() || isLibrary(e.path) {
		list = append(list, &programEye{size: e.size, buffer: &h.first})
	}
	switch at := e.path; {
	case at == "etc/passwd":
		list = append(list, &headEye{most: maxText, read: readAccounts})
	case at == "etc/shadow":
		list = append(list, &headEye{most: maxText, read: readShadow})
	case e.size <= maxText && passwordlessReader(at) != nil:
		list = append(list, &headEye{most: int(e.size), read: passwordlessReader(at)})
	case isCertificate(at) && e.size <= maxText:
		list = append(list, &headEye{most: int(e.size), read: readCertificates})
	}
	if mayHoldSecret(e.path) {
		list = append(list, h.searcher(e))
	}
	if h.known.mayHave(e.size) {
		list = append(list, newDigestEye(h.known))
	}
	return list
}

// isLibrary says whether a file may be a library that programs are linked with.
func isLibrary(at string) bool {
	base := path.Base(at)
	return strings.HasSuffix(base, ".so") || strings.Contains(base, ".so.")
}

// isCertificate says whether a file may hold certificates.
func isCertificate(at string) bool {
	switch path.Ext(at) {
	case ".pem", ".crt", ".cer", ".cert":
		return !strings.Contains("/"+at, "/node_modules/") && !strings.Contains("/"+at, "/site-packages/") && !strings.Contains("/"+at, "/dist-packages/") && !strings.Contains(at, "/test")
	}
	return false
}

// readCertificates notes the certificates of a file, PEM or DER.
func readCertificates(r *record, text []byte) {
	add := func(der []byte) {
		c, err := x509.ParseCertificate(der)
		if err != nil || len(r.certs) >= maxCerts {
			return
		}
		name := c.Subject.CommonName
		if name == "" {
			name = c.Subject.String()
		}
		if name == "" && len(c.DNSNames) > 0 {
			name = c.DNSNames[0]
		}
		r.certs = append(r.certs, fact.Certificate{
			Path: r.path, Subject: strings.ToValidUTF8(name, "?"), Expires: c.NotAfter.UTC().Format(time.DateOnly), Authority: c.IsCA,
			Trusted: slices.ContainsFunc(trustStores, func(dir string) bool { return strings.HasPrefix(r.path, dir) }),
		})
	}
	if !bytes.Contains(text, []byte("-----BEGIN")) {
		if len(text) > 2 && text[0] == 0x30 && text[1] == 0x82 {
			add(text)
		}
		return
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" || block.Type == "TRUSTED CERTIFICATE" {
			add(block.Bytes)
		}
	}
}

// trustStores are where programs look for the authorities that they trust.
var trustStores = []string{
	"etc/ssl/", "usr/share/ca-certificates/", "usr/local/share/ca-certificates/", "etc/pki/", "usr/lib/ssl/", "etc/ca-certificates/", "usr/share/pki/",
}

// readAccounts reads passwd(5).
func readAccounts(r *record, text []byte) {
	r.accounts = []fact.Account{}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimRight(line, "\n\r"), ":")
		if len(f) < 7 || len(r.accounts) >= 10_000 {
			continue
		}
		a := fact.Account{Name: f[0], Shell: f[6], Password: "shadow", Path: r.path}
		if f[1] != "x" {
			a.Password = passwordOf(f[1])
		}
		var err error
		if a.UID, err = strconv.Atoi(f[2]); err != nil {
			a.UID = -1
		}
		if a.GID, err = strconv.Atoi(f[3]); err != nil {
			a.GID = -1
		}
		r.accounts = append(r.accounts, a)
	}
}

// readShadow reads of shadow(5) only what kind of password each account has.
func readShadow(r *record, text []byte) {
	r.shadow = map[string]string{}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(line, ":"); len(f) > 1 && len(r.shadow) < 10_000 {
			r.shadow[f[0]] = passwordOf(strings.TrimSpace(f[1]))
		}
	}
}

func passwordOf(field string) string {
	switch {
	case field == "":
		return "none"
	case field[0] == '!' || field[0] == '*':
		return "locked"
	}
	return "set"
}
