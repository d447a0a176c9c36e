package credential

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"strings"
	"sync"
)

// maxKey is how long the text of a private key may be.
const maxKey = overlap / 2

// hasPrivateKey finds the head of a key with key material behind it, on lines of its own or in a string of a program, unless the
// key is one that the file's project publishes. One that the end of a part cuts off is looked at with what follows, unless
// that is the last part.
func hasPrivateKey(at, s string, last bool) bool {
	const mark = "PRIVATE KEY-----"
	for i := strings.Index(s, mark); i >= 0; i = strings.Index(s, mark) {
		head := s[max(0, i-40):i]
		s = s[i+len(mark):]
		if !strings.Contains(head, "-----BEGIN ") {
			continue
		}
		body, _, whole := strings.Cut(s[:min(len(s), maxKey)], "-----END ")
		if !whole && !last && len(s) < maxKey {
			return false
		}
		if lines := materialOf(body); holdsKey(lines) && !isPublished(at, lines) {
			return true
		}
	}
	return false
}

// materialOf is the text behind a key's head with line ends where a string of a program writes them.
func materialOf(body string) string { return strings.NewReplacer(`\r`, "", `\n`, "\n").Replace(body) }

// holdsKey says whether the first line that is no header (Proc-Type, DEK-Info) is one of base64.
func holdsKey(lines string) bool {
	for line := range strings.SplitSeq(lines, "\n") {
		line = strings.Trim(line, " \t\r\"'+,\\")
		if line == "" || strings.Contains(line, ": ") {
			continue
		}
		return len(line) >= 32 && run(line, isBase64) >= 32
	}
	return false
}

func isBase64(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '='
}

// publishedText lists private keys that projects publish with their sources, for tests and examples: the digest of the key's
// base64 (keyDigest), and how the path of the file ends in which it is published. TestPublishedKeys writes it.
//
//go:embed published.txt
var publishedText string

// published are the ends of paths by the digest of a key.
var published = sync.OnceValue(func() map[string][]string {
	list := map[string][]string{}
	for line := range strings.Lines(publishedText) {
		if digest, at, found := strings.Cut(strings.TrimSpace(line), " "); found && digest != "#" {
			list[digest] = append(list[digest], strings.ToLower(at))
		}
	}
	return list
})

// isPublished says whether a key stands where its project publishes that very key: elsewhere it is somebody's key, and a bad one.
func isPublished(at, lines string) bool {
	for _, end := range published()[keyDigest(lines)] {
		if at == end || strings.HasSuffix(at, "/"+end) {
			return true
		}
	}
	return false
}

// keyDigest is the first half of the SHA-256 of a key's base64 without what stands between its characters.
func keyDigest(lines string) string {
	sum := sha256.New()
	for line := range strings.SplitSeq(lines, "\n") {
		if strings.Contains(line, ": ") {
			continue
		}
		sum.Write([]byte(strings.Map(func(r rune) rune {
			if r < 128 && isBase64(byte(r)) {
				return r
			}
			return -1
		}, line)))
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}
