package rule

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// smallest is the longest prefix of a block that counts: smaller ones do not make a list that covers
// half of all addresses, or are too many for one.
const smallest = 24

// given is what the registries give out of IPv6 (RFC 4291, 2.4).
var given = netip.MustParsePrefix("2000::/3")

// coversInternet says whether blocks of addresses together hold at least half of all IPv4 addresses,
// of all IPv6 addresses, or of those that are given out: sixteen /4 are as open as one /0. What is no
// block holds nothing. internal/policy spells the same out for the API server.
func coversInternet(arg ref.Val) ref.Val {
	list, ok := arg.(traits.Lister)
	if !ok {
		return types.MaybeNoSuchOverloadErr(arg)
	}
	var blocks []netip.Prefix
	for i, n := types.Int(0), size(list); i < n; i++ {
		text, ok := list.Get(i).(types.String)
		if !ok {
			return types.MaybeNoSuchOverloadErr(list.Get(i))
		}
		if p, err := netip.ParsePrefix(strings.TrimSpace(string(text))); err == nil && p.Bits() <= smallest && !p.Addr().Is4In6() {
			blocks = append(blocks, p.Masked())
		}
	}
	return types.Bool(covers(blocks))
}

// covers sums the shares of the blocks that no other holds.
func covers(blocks []netip.Prefix) bool {
	slices.SortFunc(blocks, func(a, b netip.Prefix) int {
		if c := a.Addr().Compare(b.Addr()); c != 0 {
			return c
		}
		return a.Bits() - b.Bits()
	})
	var four, six, known float64
	var last netip.Prefix
	for _, p := range blocks {
		if last.IsValid() && last.Contains(p.Addr()) {
			continue
		}
		last = p
		share := 1 / float64(int(1)<<p.Bits())
		switch {
		case p.Addr().Is4():
			four += share
		case p.Overlaps(given):
			known += min(share, 1/float64(int(1)<<given.Bits()))
			fallthrough
		default:
			six += share
		}
	}
	return four >= 0.5 || six >= 0.5 || known >= 1/float64(int(2)<<given.Bits())
}
