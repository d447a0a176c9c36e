package image

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// Bounds on a list of files that are known to be bad.
const (
	maxKnownBad      = 1 << 20 // files
	maxKnownBadName  = 200     // bytes of what a file is called
	maxKnownBadTold  = 20      // lines with errors that are told
	knownBadAlphabet = "0123456789abcdef"
)

// knownDigest is a file that somebody knows to be bad.
type knownDigest struct {
	name string
	size int64 // 0 where only the digest is known
}

// KnownBad is a list of files that are known to be bad.
type KnownBad struct {
	files map[string]knownDigest // by SHA-256 in hex
	sizes map[int64]bool         // of those whose size is known
	every bool                   // of some it is not, so that a file of any size may be one
	sum   string                 // of the text that the list was read from; "" of the built-in one
}

// eicar is known without a list: the test file of EICAR (eicar.org, the published SHA-256 of its 68 bytes).
func eicar() *KnownBad {
	k := &KnownBad{files: map[string]knownDigest{}, sizes: map[int64]bool{}}
	k.add("275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f", knownDigest{"EICAR test file", 68})
	return k
}

// builtIn is asked where no list is given.
var builtIn = eicar()

func (k *KnownBad) add(digest string, d knownDigest) {
	if before, twice := k.files[digest]; twice && before.size != d.size {
		d.size = 0 // one of the two is wrong
	}
	k.files[digest] = d
	if d.size == 0 {
		k.every = true
	} else {
		k.sizes[d.size] = true
	}
}

// mayHave says whether a file of that size may be one of the list, so that it is worth its hash.
func (k *KnownBad) mayHave(size int64) bool { return k.every || k.sizes[size] }

// ReadKnownBad reads a list of one file a line: the SHA-256, then, where it is known, size=BYTES, then what to call it, as sha256sum
// prints it or in words. Empty lines and those that begin with # say nothing. Every line that is none is told, up to twenty.
func ReadKnownBad(name string, r io.Reader) (*KnownBad, error) {
	k := eicar()
	sum := newHashOf(r)
	lines := bufio.NewScanner(sum)
	lines.Buffer(make([]byte, 0, 4096), 64<<10)
	var errs []error
	n := 0
	for lines.Scan() {
		n++
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		digest, d, err := knownBadLine(line)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: line %d: %w", name, n, err))
			if len(errs) >= maxKnownBadTold {
				break
			}
			continue
		}
		if k.add(digest, d); len(k.files) > maxKnownBad {
			return nil, fmt.Errorf("read %s: it has more than %d files", name, maxKnownBad)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: line %d: %w", name, n+1, err)
	}
	if len(errs) > 0 {
		return nil, &verdict.RemedyError{Err: errors.Join(errs...), Remedy: "Write one file a line: SHA256 [size=BYTES] NAME."}
	}
	k.sum = sum.text()
	return k, nil
}

// knownBadLine reads one line of a list.
func knownBadLine(line string) (digest string, d knownDigest, err error) {
	digest, rest := cutWord(line)
	digest = strings.ToLower(strings.TrimPrefix(digest, "sha256:"))
	if len(digest) != 2*32 || strings.Trim(digest, knownBadAlphabet) != "" {
		return "", d, errors.New("it begins with no SHA-256, which has 64 hexadecimal digits")
	}
	if word, after := cutWord(rest); strings.HasPrefix(word, "size=") {
		d.size, err = strconv.ParseInt(word[len("size="):], 10, 64)
		if err != nil || d.size <= 0 {
			return "", d, fmt.Errorf("%.40q is no size in bytes", word)
		}
		rest = after
	}
	d.name = strings.ToValidUTF8(strings.TrimPrefix(rest, "*"), "?") // sha256sum --binary writes a star
	if d.name == "" {
		return "", d, errors.New("nothing behind the digest says what the file is")
	}
	if len(d.name) > maxKnownBadName {
		return "", d, fmt.Errorf("the name has more than %d bytes", maxKnownBadName)
	}
	return digest, d, nil
}

// cutWord is the first word of a line, and what follows it.
func cutWord(line string) (word, rest string) {
	if i := strings.IndexAny(line, " \t"); i >= 0 {
		return line[:i], strings.TrimSpace(line[i:])
	}
	return line, ""
}

// hashOf sums up what is read through it.
type hashOf struct {
	io.Reader
	eye *digestEye
}

func newHashOf(r io.Reader) *hashOf {
	eye := newDigestEye(nil)
	return &hashOf{io.TeeReader(r, eye.sum), eye}
}

func (h *hashOf) text() string { return hex.EncodeToString(h.eye.sum.Sum(nil)) }
