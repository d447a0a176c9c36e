package image

import (
	"archive/tar"
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	doc "github.com/coaming/coaming/internal/document"
)

// specimenKeys are what a file may be described by.
var specimenKeys = []string{"mode", "content", "size", "link", "same", "uid", "gid", "capabilities", "elf", "certificate", "key", "random"}

// file writes one file: a text is its content; a name that ends in a slash is a directory's.
func (w *specimenWriter) file(tw *tar.Writer, name string, f doc.Value) {
	if w.count++; w.count > maxSpecimen {
		w.err(fmt.Errorf("an example has more than %d files", maxSpecimen))
		return
	}
	h := &tar.Header{Name: strings.TrimPrefix(name, "/"), Mode: 0o644, Typeflag: tar.TypeReg}
	var content []byte
	switch f.Kind() {
	case doc.String:
		content = []byte(f.Str())
	case doc.Map:
		content = w.described(h, name, f)
	case doc.Null, doc.Missing:
	default:
		w.err(fmt.Errorf("%s: a file is a text or a map", name))
	}
	if strings.HasSuffix(name, "/") {
		h.Typeflag = tar.TypeDir
		if h.Mode == 0o644 {
			h.Mode = 0o755
		}
	}
	if h.Typeflag == tar.TypeReg {
		h.Size = int64(len(content))
	} else {
		content = nil
	}
	w.err(tw.WriteHeader(h))
	_, err := tw.Write(content)
	w.err(err)
}

// described fills the header from a description, and gives the content.
func (w *specimenWriter) described(h *tar.Header, name string, f doc.Value) []byte {
	w.keys(f, name, w.known...)
	if mode := f.Get("mode"); mode.Exists() {
		n, err := strconv.ParseInt(mode.Text(), 8, 32)
		w.err(err)
		h.Mode = n
	}
	uid, _ := f.Get("uid").Int()
	gid, _ := f.Get("gid").Int()
	h.Uid, h.Gid = int(uid), int(gid)
	if link := f.Get("link"); link.Exists() {
		h.Typeflag, h.Linkname = tar.TypeSymlink, link.Str()
	}
	if same := f.Get("same"); same.Exists() {
		h.Typeflag, h.Linkname = tar.TypeLink, strings.TrimPrefix(same.Str(), "/")
	}
	if caps := words(f.Get("capabilities")); len(caps) > 0 {
		raw := make([]byte, 20)
		raw[3] = 2 // VFS_CAP_REVISION_2
		for _, c := range caps {
			n := slices.Index(capabilityNames, strings.TrimPrefix(strings.ToUpper(c), "CAP_"))
			if n < 0 {
				w.err(fmt.Errorf("%s: %q is no capability", name, c))
				continue
			}
			raw[4+n/32*8+n%32/8] |= 1 << (n % 8)
		}
		h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": string(raw)}
	}
	if e := f.Get("elf"); e.Exists() {
		if h.Mode == 0o644 {
			h.Mode = 0o755
		}
		text, err := elfOf(e)
		w.err(err)
		return text
	}
	if c := f.Get("certificate"); c.Exists() {
		text, err := certificateOf(c)
		w.err(err)
		return text
	}
	if f.Get("key").Bool() {
		der, err := x509.MarshalPKCS8PrivateKey(specimenKey())
		w.err(err)
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	content := []byte(f.Get("content").Str())
	if size, ok := f.Get("size").Int(); ok && size > int64(len(content)) && size <= 64<<20 {
		content = append(content, bytes.Repeat([]byte{'.'}, int(size)-len(content))...)
	}
	return content
}

// specimenKey signs and is nobody's secret: it is made of zeros.
var specimenKey = sync.OnceValue(func() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) })

// certificateOf makes a certificate: {subject: shop, expires: "2027-01-01", authority: true}.
func certificateOf(v doc.Value) ([]byte, error) {
	expires, err := time.Parse(time.DateOnly, v.Get("expires").Text())
	if err != nil {
		return nil, fmt.Errorf("certificate: expires: %w", err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: v.Get("subject").Str()}, NotBefore: expires.AddDate(-1, 0, 0), NotAfter: expires,
		IsCA: v.Get("authority").Bool(), BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(zeros{}, c, c, specimenKey().Public(), specimenKey())
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// zeros is no source of chance: an example is the same each time.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
