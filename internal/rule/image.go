package rule

import (
	"hash/maphash"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// imageOf takes an image reference apart (github.com/distribution/reference, normalised as
// container runtimes do: docker.io and library/ filled in).
func imageOf(v ref.Val) ref.Val {
	r := imageRefOf(string(v.(types.String)))
	return Lazy(func(name string) (Fact, error) {
		switch {
		case name == "valid":
			return types.Bool(r.valid), nil
		case isImagePart(name):
			return types.String(r.part(name)), nil
		}
		return nil, nil
	})
}

func isImagePart(name string) bool {
	return slices.Contains([]string{"registry", "repository", "tag", "digest", "publisher", "valid"}, name)
}

// part is a part by the name that expressions have for it, as a text.
func (r *imageRef) part(name string) string {
	switch name {
	case "registry":
		return r.registry
	case "repository":
		return r.repository
	case "tag":
		return r.tag
	case "digest":
		return r.digest
	case "publisher":
		return r.publisher()
	default:
		return strconv.FormatBool(r.valid)
	}
}

type imageRef struct {
	registry, repository, tag, digest string
	valid                             bool
}

// publisher is the first part of the repository behind its registry: "docker.io/library",
// "registry.example.com/team". It is the registry alone where the repository has no such part.
func (r *imageRef) publisher() string {
	if publisher, _, found := strings.Cut(r.repository, "/"); found {
		return r.registry + "/" + publisher
	}
	return r.registry
}

// The grammar of github.com/distribution/reference.
var (
	imageRegistry   = regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(:[0-9]+)?$`)
	imageRepository = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	imageTag        = regexp.MustCompile(`^\w[\w.-]{0,127}$`)
	imageDigest     = regexp.MustCompile(`^(sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128})$`)
)

const longestRepository = 255

// imageRefs are the references that were read last: several rules ask for each, one after the other.
var imageRefs [1 << 8]atomic.Pointer[struct {
	text string
	ref  imageRef
}]

var imageSeed = maphash.MakeSeed()

// imageRefOf is parseImage, remembered.
func imageRefOf(s string) *imageRef {
	if len(s) > 2*longestRepository {
		r := parseImage(s)
		return &r
	}
	place := &imageRefs[maphash.String(imageSeed, s)%uint64(len(imageRefs))]
	if known := place.Load(); known != nil && known.text == s {
		return &known.ref
	}
	read := &struct {
		text string
		ref  imageRef
	}{text: strings.Clone(s)} // not to keep the whole file it stands in
	read.ref = parseImage(read.text)
	place.Store(read)
	return &read.ref
}

func parseImage(s string) imageRef {
	var r imageRef
	name, digest, hasDigest := strings.Cut(s, "@")
	hasTag := false
	r.digest = digest
	if slash, colon := strings.LastIndexByte(name, '/'), strings.LastIndexByte(name, ':'); colon > slash {
		name, r.tag, hasTag = name[:colon], name[colon+1:], true
	}
	first, rest, found := strings.Cut(name, "/")
	if found && (strings.ContainsAny(first, ".:ABCDEFGHIJKLMNOPQRSTUVWXYZ") || first == "localhost") {
		r.registry, r.repository = first, rest
	} else {
		r.registry, r.repository = "docker.io", name
	}
	if r.registry == "index.docker.io" {
		r.registry = "docker.io"
	}
	if r.registry == "docker.io" && !strings.Contains(r.repository, "/") {
		r.repository = "library/" + r.repository
	}
	r.valid = len(r.repository) <= longestRepository && imageRegistry.MatchString(r.registry) && imageRepository.MatchString(r.repository) &&
		(!hasTag || imageTag.MatchString(r.tag)) && (!hasDigest || imageDigest.MatchString(digest))
	return r
}

// SplitImage is the name of an image with its registry, "docker.io/library/nginx", and its tag.
func SplitImage(reference string) (name, tag string) {
	r := imageRefOf(reference)
	return r.registry + "/" + r.repository, r.tag
}
