package document

// keyOffset is the bytes behind a decoded key in Doc.side that say where it stands.
const keyOffset = 4

// Prune is the document without the map entries that drop names, in memory of its own size. The
// text was read whole: a fault in what is dropped has been found. A document that the library read
// stays as it is.
func (d *Doc) Prune(drop func(key string, entry Value) bool) *Doc {
	if d.foreign != nil {
		return d
	}
	p := pruner{from: d, drop: drop, nodes: make([]node, 0, len(d.nodes)/4+1)}
	if len(d.nodes) > 0 {
		p.keep(0)
	}
	pruned := *d
	pruned.nodes = append(make([]node, 0, len(p.nodes)), p.nodes...)
	pruned.side = string(p.side)
	return &pruned
}

type pruner struct {
	from  *Doc
	drop  func(string, Value) bool
	nodes []node
	side  []byte
}

// keep copies the node at index i with what is kept of its descendants.
func (p *pruner) keep(i uint32) {
	n := p.from.nodes[i]
	self := len(p.nodes)
	if n.meta&flagKeySide != 0 {
		at := len(p.side)
		p.side = append(p.side, p.from.side[n.pos:int(n.pos)+n.keyLen()+keyOffset]...)
		n.pos = uint32(at)
	}
	kind := n.kind()
	if n.meta&flagSide != 0 && kind >= Int && kind <= String {
		at := len(p.side)
		p.side = append(p.side, p.from.side[n.off:n.off+n.size]...)
		n.off = uint32(at)
	}
	p.nodes = append(p.nodes, n)
	if kind == Map || kind == List {
		count := uint32(0)
		for at := i + 1; at < n.next; at = p.from.nodes[at].next {
			if kind == Map && p.drop(p.from.key(at), Value{p.from, at}) {
				continue
			}
			p.keep(at)
			count++
		}
		p.nodes[self].size = count
	}
	p.nodes[self].next = uint32(len(p.nodes))
}
