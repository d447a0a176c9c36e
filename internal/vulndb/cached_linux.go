package vulndb

import (
	"os"

	"golang.org/x/sys/unix"
)

// cached says whether a file is in the kernel's memory, but for a twentieth of it at most: then nothing need be fetched ahead.
// Kernels before 6.5 do not tell. Reading samples with RWF_NOWAIT would tell everywhere, but each has the kernel
// read ahead there, and what is wanted waits behind it.
func cached(file *os.File, size int64) bool {
	var whole unix.CachestatRange // a length of 0 reaches to the file's end
	var pages unix.Cachestat_t
	if unix.Cachestat(uint(file.Fd()), &whole, &pages, 0) != nil {
		return false
	}
	want := uint64(size) / uint64(os.Getpagesize()) //nolint:gosec // the size of a file is not negative
	return pages.Cache >= want-want/20
}
