//go:build unix

package clearance

import (
	"io/fs"
	"syscall"
)

// fileNumber tells a file from another that has taken its name.
func fileNumber(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ino
	}
	return 0
}
