package image

import (
	"fmt"
	"os"
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	dir := os.Getenv("ZZ")
	if dir == "" {
		t.Skip()
	}
	for range 2 {
		start := time.Now()
		img, c := mustRead(t, dir, Options{})
		fmt.Println(time.Since(start), len(img.Packages))
		for _, p := range img.Packages {
			if os.Getenv("ALL") != "" || p.Kind != "" {
				fmt.Println(p.Ecosystem, p.Name, p.Version, p.Place, p.Within, p.Owner)
			}
		}
		for _, g := range c.Gaps {
			fmt.Println("GAP", g.Location.File, g.Message)
		}
	}
}
