package heap

import "testing"

func TestLimitOf(t *testing.T) {
	for kept, want := range map[uint64]int64{
		0: servingLimit, 20 << 20: servingLimit, 64 << 20: (64 + 48 + 64) << 20, 400 << 20: (400 + 300 + 64) << 20,
	} {
		got := limitOf(kept)
		if got != want {
			t.Errorf("who keeps %d MiB may take %d, want %d", kept>>20, got>>20, want>>20)
		}
		// Collections as they are without a limit come first where nothing large is in the way.
		if usually := int64(kept + kept*serving/100); got < usually+servingRoom/2 { //nolint:gosec // small
			t.Errorf("who keeps %d MiB is bounded at %d, and takes %d by itself", kept>>20, got>>20, usually>>20)
		}
	}
}
