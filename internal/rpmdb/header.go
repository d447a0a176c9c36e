package rpmdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// The tags of a header that are read (rpm's lib/rpmtag.h, ids), and the types that they have.
const (
	tagName       = 1000
	tagVersion    = 1001
	tagRelease    = 1002
	tagEpoch      = 1003
	tagVendor     = 1011
	tagArch       = 1022
	tagOldFiles   = 1027
	tagSourceRPM  = 1044
	tagDirIndexes = 1116
	tagBasenames  = 1117
	tagDirnames   = 1118
	tagModule     = 5096

	typeInt32       = 4
	typeString      = 6
	typeStringArray = 8
	typeI18NString  = 9
)

const headerEntry = 16 // bytes of one entry of a header's index

// parseHeader reads a header as the database keeps it: the number of entries, the bytes of data, the entries (tag,
// type, offset into the data, count), the data; all numbers big-endian. Of the paths at most budget bytes are made;
// with an error about these the package counts all the same.
func parseHeader(blob []byte, budget int) (*Package, error) {
	if len(blob) < 8 {
		return nil, errors.New("a header is cut off")
	}
	count, length := int64(binary.BigEndian.Uint32(blob)), int64(binary.BigEndian.Uint32(blob[4:]))
	if count > maxHeader/headerEntry || length > maxHeader || 8+count*headerEntry+length > int64(len(blob)) {
		return nil, errors.New("a header claims more than it has")
	}
	h := header{data: blob[8+count*headerEntry:][:length], entries: blob[8:][:count*headerEntry]}
	p := &Package{
		Name: h.text(tagName), Version: h.text(tagVersion), Release: h.text(tagRelease),
		Arch: h.text(tagArch), SourceRPM: h.text(tagSourceRPM), Module: h.text(tagModule), Vendor: h.text(tagVendor),
	}
	if p.Name == "" || p.Version == "" {
		return nil, errors.New("a header names no package and version")
	}
	if e := h.numbers(tagEpoch); len(e) >= 4 {
		p.Epoch = binary.BigEndian.Uint32(e)
	}
	var err error
	p.Files, err = h.files(budget)
	if err != nil {
		return p, fmt.Errorf("%.100s: %w", p.Name, err)
	}
	return p, nil
}

type header struct{ entries, data []byte }

// find is the data of a tag from its beginning on, and how many values it has; nil where it is not there.
func (h *header) find(tag uint32, types ...uint32) (data []byte, count int) {
	for e := h.entries; len(e) >= headerEntry; e = e[headerEntry:] {
		if binary.BigEndian.Uint32(e) != tag {
			continue
		}
		kind, offset, n := binary.BigEndian.Uint32(e[4:]), binary.BigEndian.Uint32(e[8:]), binary.BigEndian.Uint32(e[12:])
		for _, t := range types {
			if kind == t && int64(offset) < int64(len(h.data)) && int64(n) <= int64(len(h.data)) {
				return h.data[offset:], int(n)
			}
		}
	}
	return nil, 0
}

// text is a tag that is one string, or the first of several.
func (h *header) text(tag uint32) string {
	data, n := h.find(tag, typeString, typeI18NString, typeStringArray)
	if n == 0 {
		return ""
	}
	if before, _, ok := bytes.Cut(data, []byte{0}); ok {
		return strings.ToValidUTF8(string(before), "?")
	}
	return ""
}

// numbers is the data of a tag of numbers of four bytes each.
func (h *header) numbers(tag uint32) []byte {
	data, n := h.find(tag, typeInt32)
	if 4*n > len(data) {
		return nil
	}
	return data[:4*n]
}

// texts is a tag of several strings.
func (h *header) texts(tag uint32) ([]string, error) {
	data, n := h.find(tag, typeStringArray, typeString)
	if n > maxNames {
		return nil, fmt.Errorf("its list of files is %w", ErrTooLarge)
	}
	list := make([]string, 0, n)
	for range n {
		end := bytes.IndexByte(data, 0)
		if end < 0 {
			return nil, errors.New("its list of files is cut off")
		}
		list = append(list, string(data[:end]))
		data = data[end+1:]
	}
	return list, nil
}

// files are the package's paths as `rpm -ql` prints them: each a directory by its number and a name, or, in
// headers of old, whole.
func (h *header) files(budget int) ([]string, error) {
	names, err1 := h.texts(tagBasenames)
	dirs, err2 := h.texts(tagDirnames)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	indexes := h.numbers(tagDirIndexes)
	if len(names) == 0 {
		return h.texts(tagOldFiles)
	}
	if len(indexes) != 4*len(names) {
		return nil, errors.New("its list of files has not as many directories as names")
	}
	files := make([]string, 0, len(names))
	for i, name := range names {
		dir := binary.BigEndian.Uint32(indexes[4*i:])
		if uint64(dir) >= uint64(len(dirs)) {
			return nil, errors.New("its list of files names a directory that it has not")
		}
		length := len(dirs[dir]) + len(name)
		if budget -= length + pathCost; length > maxFile || budget < 0 {
			return nil, fmt.Errorf("its list of files is %w", ErrTooLarge)
		}
		files = append(files, dirs[dir]+name)
	}
	return files, nil
}
