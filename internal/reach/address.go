package reach

import (
	"net/netip"
	"slices"

	"github.com/coaming/coaming/internal/document"
)

// span of addresses, both ends in it.
type addresses struct{ first, last netip.Addr }

// notPublic are the ranges that the internet does not route (RFC 1918, 6598, 3927, 1122, 4193, 4291, 5771, 1112).
var notPublic = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
	"224.0.0.0/4", "240.0.0.0/4", "fc00::/7", "fe80::/10", "ff00::/8", "::/127")

// usualPods are the ranges that pods' addresses come from where nobody says so: private ones.
var usualPods = prefixes("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "240.0.0.0/4")

func prefixes(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// parseBlock reads a CIDR, or an address as the block of itself.
func parseBlock(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), true
	}
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	return netip.Prefix{}, false
}

// lastOf is the last address of a block.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// blocksIn collects the blocks that an object names, wherever they stand in it.
func blocksIn(v document.Value, found map[netip.Prefix]bool) {
	switch v.Kind() { //nolint:exhaustive // of the others there is nothing to do
	case document.String:
		if s := v.Str(); len(s) > 1 && len(s) < 50 {
			if p, ok := parseBlock(s); ok {
				found[p] = true
			}
		}
	case document.Map:
		for _, entry := range v.Fields() {
			blocksIn(entry, found)
		}
	case document.List:
		for _, item := range v.Items() {
			blocksIn(item, found)
		}
	}
}

// partition cuts all addresses at the borders of the blocks: what lies in one part lies in the
// same blocks. What no block holds comes last, as one part for the public addresses of each family and one for its others.
func partition(blocks map[netip.Prefix]bool) (parts []addresses, rest [4][]addresses) {
	starts := map[netip.Addr]bool{netip.MustParseAddr("0.0.0.0"): true, netip.MustParseAddr("::"): true}
	cut := func(p netip.Prefix) {
		starts[p.Addr()] = true
		if next := lastOf(p).Next(); next.IsValid() {
			starts[next] = true
		}
	}
	named := make([]netip.Prefix, 0, len(blocks))
	for p := range blocks {
		named = append(named, p)
		cut(p)
	}
	for _, p := range notPublic {
		cut(p)
	}
	slices.SortFunc(named, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	sorted := make([]netip.Addr, 0, len(starts))
	for a := range starts {
		sorted = append(sorted, a)
	}
	slices.SortFunc(sorted, netip.Addr.Compare)
	var covered netip.Addr // up to here by a block that began before
	next := 0
	for i, first := range sorted {
		last := lastOf(netip.PrefixFrom(first, 0))
		if i+1 < len(sorted) && sorted[i+1].BitLen() == first.BitLen() {
			last = sorted[i+1].Prev()
		}
		for ; next < len(named) && named[next].Addr().Compare(first) <= 0; next++ {
			if end := lastOf(named[next]); !covered.IsValid() || covered.Less(end) {
				covered = end
			}
		}
		switch part := (addresses{first, last}); {
		case covered.IsValid() && covered.BitLen() == first.BitLen() && !covered.Less(first):
			parts = append(parts, part)
		default:
			kind := 0
			if !isPublic(first) {
				kind = 1
			}
			if first.Is6() {
				kind += 2
			}
			rest[kind] = append(rest[kind], part)
		}
	}
	return parts, rest
}

func isPublic(a netip.Addr) bool {
	return !slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(a) })
}

// blocks writes spans of addresses as the fewest CIDRs.
func blocks(spans []addresses) []netip.Prefix {
	var list []netip.Prefix
	for _, s := range joinSpans(spans) {
		for at := s.first; ; {
			bits := at.BitLen()
			for bits > 0 {
				wider := netip.PrefixFrom(at, bits-1)
				if wider.Masked().Addr() != at || s.last.Less(lastOf(wider)) {
					break
				}
				bits--
			}
			p := netip.PrefixFrom(at, bits)
			list = append(list, p)
			end := lastOf(p)
			if !end.Less(s.last) {
				break
			}
			at = end.Next()
		}
	}
	return list
}

func joinSpans(spans []addresses) []addresses {
	sorted := slices.Clone(spans)
	slices.SortFunc(sorted, func(a, b addresses) int { return a.first.Compare(b.first) })
	var list []addresses
	for _, s := range sorted {
		if n := len(list); n > 0 && list[n-1].last.Next() == s.first {
			list[n-1].last = s.last
			continue
		}
		list = append(list, s)
	}
	return list
}

// spansOf are the addresses of blocks, in order and none twice.
func spansOf(blocks []netip.Prefix) []addresses {
	spans := make([]addresses, 0, len(blocks))
	for _, p := range blocks {
		spans = append(spans, addresses{p.Masked().Addr(), lastOf(p)})
	}
	slices.SortFunc(spans, func(a, b addresses) int { return a.first.Compare(b.first) })
	kept := spans[:0]
	for _, s := range spans {
		if n := len(kept); n > 0 && !kept[n-1].last.Less(s.first) {
			if kept[n-1].last.Less(s.last) {
				kept[n-1].last = s.last
			}
			continue
		}
		kept = append(kept, s)
	}
	return kept
}

// block is an ipBlock: a CIDR without its exceptions.
type block struct {
	cidr   netip.Prefix
	except []netip.Prefix
}

// holds says whether a whole range of addresses, of which one is used, lies in the block.
func (b block) holds(within netip.Prefix) answer {
	if !b.cidr.Overlaps(within) {
		return no
	}
	inside := b.cidr.Bits() <= within.Bits()
	for _, e := range b.except {
		if e.Bits() <= within.Bits() && e.Contains(within.Addr()) {
			return no
		}
		inside = inside && !e.Overlaps(within)
	}
	if inside {
		return yes
	}
	return maybe
}

// holdsOne says whether an address that is in one of the ranges is in the block.
func (b block) holdsOne(of []netip.Prefix) answer {
	if len(of) == 0 {
		return maybe
	}
	all, none := true, true
	for _, p := range of {
		a := b.holds(p)
		all, none = all && a == yes, none && a == no
	}
	switch {
	case all:
		return yes
	case none:
		return no
	}
	return maybe
}

// holdsPods says whether the addresses of pods lie in the block, when nothing but their ranges is
// known. The usual ones, where nobody told any, are of IPv4; a pod may have an address of IPv6 beside.
func (b block) holdsPods(ranges []netip.Prefix, told bool) answer {
	if told {
		return b.holdsOne(ranges)
	}
	if b.cidr.Addr().Is4() {
		return b.holdsOne(ranges)
	}
	if b.holds(netip.MustParsePrefix("fc00::/7")) != no {
		return maybe
	}
	return no
}

// holdsNodes says whether the addresses of nodes lie in the block.
func (b block) holdsNodes(n *Network) answer {
	if len(n.nodeBlocks) > 0 {
		return b.holdsOne(n.nodeBlocks)
	}
	if b.cidr.Bits() == 0 && len(b.except) == 0 && b.cidr.Addr().Is4() {
		return yes
	}
	return maybe
}
