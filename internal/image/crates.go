package image

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/zlib"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/coaming/coaming/internal/fact"
)

// maxAudit bounds the list of crates in a program, unpacked: some tens of thousands.
const maxAudit = 8 << 20

// zlibHead says whether two bytes begin a stream of zlib with the usual window (RFC 1950).
func zlibHead(a, b byte) bool {
	return a == 0x78 && (b == 0x01 || b == 0x5e || b == 0x9c || b == 0xda)
}

// cratesIn is where in a block a list of crates may begin: the section .dep-v0 that cargo-auditable adds to programs of
// every form is JSON in a stream of zlib, which unpacks to an object's beginning. Less than 0 where none does.
func cratesIn(block []byte) int {
	for at := 0; ; at++ {
		i := bytes.IndexByte(block[at:], 0x78)
		if i < 0 || at+i+16 > len(block) {
			return -1
		}
		if at += i; zlibHead(block[at], block[at+1]) && beginsObject(block[at:]) {
			return at
		}
	}
}

// beginsObject says whether a stream unpacks to {"packages or, in another order, {"format.
func beginsObject(block []byte) bool {
	// The kind of the first block: neither the third bit pattern, which there is not, nor an empty stored one.
	if block[2]&6 == 6 {
		return false
	}
	u := unpackers.Get().(*unpacker)
	defer unpackers.Put(u)
	u.source.Reset(block[2:min(len(block), 4096)])
	if u.flate.Reset(&u.source, nil) != nil {
		return false
	}
	n, _ := io.ReadFull(u.Reader, u.head[:])
	head := bytes.TrimLeft(u.head[:n], " \t\r\n")
	if !bytes.HasPrefix(head, []byte("{")) {
		return false
	}
	head = bytes.TrimLeft(head[1:], " \t\r\n")
	return bytes.HasPrefix(head, []byte(`"packages"`)) || bytes.HasPrefix(head, []byte(`"format"`))
}

// unpacker is kept from one try to the next: there are thousands in a large program.
type unpacker struct {
	io.Reader
	flate  flate.Resetter
	source bytes.Reader
	head   [24]byte
}

var unpackers = sync.Pool{New: func() any {
	u := &unpacker{}
	r := flate.NewReader(&u.source)
	u.Reader, u.flate = r, r.(flate.Resetter) // documented to be one
	return u
}}

// readCrates reads the list that begins here (github.com/rust-secure-code/cargo-auditable, PARSING.md). Crates that were needed for building
// alone are in no program. The crate that the program is made of has no version in a registry unless it came from one.
func readCrates(r *bufio.Reader) ([]fact.Package, error) {
	z, err := zlib.NewReader(r)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(z, maxAudit+1))
	if err != nil {
		return nil, fmt.Errorf("the list of crates in the program does not unpack: %w", err)
	}
	if len(text) > maxAudit {
		return nil, boundError(fmt.Sprintf("the list of crates in the program has more than %d bytes", maxAudit))
	}
	var audit struct {
		Packages []struct {
			Name    word `json:"name"`
			Version word `json:"version"`
			Kind    word `json:"kind"`
		} `json:"packages"`
	}
	if err := json.Unmarshal(text, &audit); err != nil {
		return nil, fmt.Errorf("the list of crates in the program does not parse: %w", err)
	}
	var list []fact.Package
	for _, p := range audit.Packages {
		if p.Name == "" || p.Version == "" {
			return list, errors.New("the list of crates in the program names one without name or version")
		}
		if p.Kind != "build" {
			list = append(list, fact.Package{Ecosystem: "crates.io", Name: string(p.Name), Version: string(p.Version)})
		}
	}
	return list, nil
}
