//go:build linux && !cgo

package heap

import (
	"os"
	"regexp"
	"strconv"
	"testing"
)

// TestGiveBack holds the pages of the program itself to be fewer after it than before, and the program to go on.
func TestGiveBack(t *testing.T) {
	before := ownPages(t)
	giveBack()
	if after := ownPages(t); after >= before {
		t.Errorf("%d KiB of files in memory before, %d after", before, after)
	}
}

func ownPages(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc here:", err)
	}
	if found := regexp.MustCompile(`TracerPid:\t[1-9]`).Find(status); found != nil {
		t.Skip("a debugger is at work")
	}
	found := regexp.MustCompile(`RssFile:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		t.Skip("the kernel does not tell")
	}
	n, _ := strconv.Atoi(string(found[1]))
	return n
}
