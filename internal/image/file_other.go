//go:build !unix

package image

import "io/fs"

// nonblock has no meaning here.
const nonblock = 0

// ownerOf has nothing to tell here.
func ownerOf(fs.FileInfo) (uid, gid int) { return 0, 0 }

// deviceOf has nothing to tell here.
func deviceOf(fs.FileInfo) uint64 { return 0 }
