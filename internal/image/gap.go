package image

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"github.com/coaming/coaming/internal/verdict"
)

// ledger gathers what was not read, from all layers at once.
type ledger struct {
	path  string // of the image
	limit int    // gaps told one by one

	mu   sync.Mutex
	gaps []gap
	more int // gaps beyond the limit
}

// gap is what was not read of one layer: where, why, and what to do about it.
type gap struct {
	layer   int // -1: of the image as a whole
	file    string
	code    verdict.GapCode
	message string
	remedy  string
}

func (l *ledger) add(g gap) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.gaps) >= l.limit {
		l.more++
		return
	}
	l.gaps = append(l.gaps, g)
}

// tells says whether one of the gaps that are told is of a file that is meant.
func (l *ledger) tells(meant func(file string) bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.gaps, func(g gap) bool { return meant(g.file) })
}

// addMore counts gaps that are not told one by one.
func (l *ledger) addMore(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.more += n
}

// coverage is the ledger in the words of verdict, in one order whatever the layers' order was.
func (l *ledger) coverage() *verdict.Coverage {
	slices.SortStableFunc(l.gaps, func(a, b gap) int {
		return cmp.Or(cmp.Compare(a.layer, b.layer), cmp.Compare(a.file, b.file), cmp.Compare(a.message, b.message))
	})
	c := &verdict.Coverage{Sources: []string{l.path}}
	for _, g := range l.gaps {
		where := l.path
		if g.layer >= 0 {
			where = fmt.Sprintf("%s: layer %d", l.path, g.layer)
		}
		c.Gaps = append(c.Gaps, verdict.Gap{
			Code: g.code, Message: g.message, Remedy: g.remedy,
			Location: verdict.Location{Source: "image:" + where, File: g.file},
		})
	}
	if l.more > 0 {
		c.Gaps = append(c.Gaps, verdict.Gap{
			Code: verdict.GapTooLarge, Message: fmt.Sprintf("%d more things were not read", l.more),
			Remedy: "Mend the ones that are told, and ask again.", Location: verdict.Location{Source: "image:" + l.path},
		})
	}
	return c
}
