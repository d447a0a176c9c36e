package vulndb

import (
	"cmp"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/coaming/coaming/internal/advisory"
)

// near is how far apart two parts may lie to be fetched as one, in bytes. What lies between is read for nothing: with four
// times as many, questions about all ecosystems waited a quarter longer.
const near = 16 << 10

// prefetch has the kernel fetch parts of the file that are not in memory, all at the same time: one page fault after
// the other would wait for the disk as often as there are pages.
func (db *DB) prefetch(spans []advisory.Span) {
	slices.SortFunc(spans, func(a, b advisory.Span) int { return cmp.Compare(a.Offset, b.Offset) })
	size := uint64(len(db.Bytes))
	for i := 0; i < len(spans); {
		from, to := spans[i].Offset, spans[i].Offset+spans[i].Length
		for i++; i < len(spans) && spans[i].Offset <= to+near; i++ {
			to = max(to, spans[i].Offset+spans[i].Length)
		}
		if to = min(to, size); from < to {
			_ = unix.Madvise(db.Bytes[from:to], unix.MADV_WILLNEED) // advice; without it the read waits
		}
	}
}
