package image

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCapabilitiesOfRoot sees what capabilities the kernel keeps of a program in a root directory.
func TestCapabilitiesOfRoot(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"ping", "plain"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte("#!/bin/sh\n"), 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	// struct vfs_cap_data of version 2 with the effective bit: cap_net_raw, which is 13.
	raw := []byte{1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if err := unix.Setxattr(filepath.Join(root, "ping"), capabilityAttribute, raw, 0); err != nil {
		t.Skipf("capabilities cannot be given to files here: %v", err)
	}
	img, _ := mustRead(t, root, Options{})
	if f := img.Contents.Files; len(f) != 1 || f[0].Path != "ping" || !slices.Equal(f[0].Capabilities, []string{"CAP_NET_RAW"}) {
		t.Errorf("got %+v", f)
	}
}
