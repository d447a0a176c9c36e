package image

import (
	"archive/tar"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
)

// TestStopped asks that what was read until the reading was stopped counts, with a gap, and that progress is told on the way.
func TestStopped(t *testing.T) {
	var entries []tar.Header
	named := map[string][]byte{}
	for i := range 1200 {
		n := node(fmt.Sprintf("p%04d", i), "1")
		entries = append(entries, n)
		named[n.Name] = []byte(n.Linkname)
	}
	for form, path := range map[string]string{"layer": layout(t, gzipped(t, tarOf(t, entries...))), "root": files(t, named)} {
		var told atomic.Int64
		for _, after := range []int64{256, 1 << 30} {
			told.Store(0)
			ctx, cancel := context.WithCancel(t.Context())
			img, c, err := Read(ctx, path, Options{Partial: true, Progress: func(more int) {
				if told.Add(int64(more)) >= after {
					cancel()
				}
			}})
			cancel()
			if err != nil {
				t.Fatalf("%s: %v", form, err)
			}
			switch n := len(img.Packages); {
			case after > 1200 && (n != 1200 || !c.Complete() || told.Load() < 1000):
				t.Errorf("%s, whole: %d packages, %d told, gaps %v", form, n, told.Load(), c.Gaps)
			case after < 1200 && (n < 100 || n >= 1200 && form == "root" || c.Complete() || !strings.Contains(c.Gaps[0].Message, "stopped") || img.Contents.Unseen == ""):
				t.Errorf("%s, stopped: %d packages, gaps %v", form, n, c.Gaps)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := Read(ctx, path, Options{}); err == nil {
			t.Errorf("%s: no error where nobody asked for a part", form)
		}
	}
}
