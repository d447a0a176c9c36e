package cli

import "github.com/coaming/coaming/internal/catalog"

// versionFlag is a version of Kubernetes as people write it, kept as its two first numbers: v1.36.3, as kubectl prints it, is 1.36. What
// is none stays as it is, and is told with the other faults of the flags.
type versionFlag string

func (f *versionFlag) String() string { return string(*f) }

func (*versionFlag) Type() string { return "string" }

func (f *versionFlag) Set(text string) error {
	*f = versionFlag(text)
	if short, ok := catalog.Short(text); ok {
		*f = versionFlag(short)
	}
	return nil
}
