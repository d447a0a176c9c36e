package image

import (
	"errors"
	"io/fs"
	"os"
	"regexp"
	"strings"
)

// kind is the sort of place in which an image stands.
type kind int

const (
	inFiles      kind = iota // a directory or an archive
	inRegistry               // REGISTRY/NAME:TAG, or oci://...
	inContainerd             // containerd://...
	inDocker                 // docker-daemon://...
	inStream                 // -
)

// The words that say outright where an image stands. oci:// is what bundles of rules are named by, too.
const (
	schemeRegistry   = "oci://"
	schemeContainerd = "containerd://"
	schemeDocker     = "docker-daemon://"
)

// reference is what may name an image in a registry without saying oci://: a host with a dot or a port, or
// localhost, a name, and a tag or a digest. Without the last a path with a typing error would be asked of the network.
var reference = regexp.MustCompile(`^(localhost|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*:[0-9]+|\[[0-9A-Fa-f:]+\](:[0-9]+)?)/[a-z0-9._/-]+(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?(@[a-z0-9]+:[0-9a-f]+)?$`)

// placeOf says what a word means, and returns it without what said so. A scheme decides; without one, a file or a
// directory of that name is meant where there is one, and where there is none a registry is, if the word names one
// and a tag or a digest.
func placeOf(word string) (kind, string) {
	for scheme, k := range map[string]kind{schemeRegistry: inRegistry, schemeContainerd: inContainerd, schemeDocker: inDocker} {
		if rest, ok := strings.CutPrefix(word, scheme); ok {
			return k, rest
		}
	}
	if word == "-" {
		return inStream, word
	}
	if _, err := os.Stat(word); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return inFiles, word
	}
	if m := reference.FindStringSubmatch(word); m != nil && (m[len(m)-2] != "" || m[len(m)-1] != "") && !strings.HasSuffix(word, ".tar") {
		return inRegistry, word
	}
	return inFiles, word
}

// AsksRegistry says whether reading what a word names asks a registry.
func AsksRegistry(word string) bool {
	k, _ := placeOf(word)
	return k == inRegistry
}
