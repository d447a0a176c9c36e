package image

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// capabilitiesOf is the attribute that holds a file's capabilities, "" where it has none or its file system keeps none.
func capabilitiesOf(f *os.File) (string, error) {
	var raw [64]byte // struct vfs_ns_cap_data, the longest form, has 24 bytes
	n, err := unix.Fgetxattr(int(f.Fd()), capabilityAttribute, raw[:])
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", capabilityAttribute, err)
	}
	return string(raw[:n]), nil
}
