package sbom

import "strings"

// spdxRelations are the relationships of SPDX 2 that are read; turned ones are told from their other end. Of those with words a
// NOASSERTION says that there may be more than is told.
var spdxRelations = map[string]struct {
	kind   relationKind
	turned bool
	words  string
}{
	"DESCRIBES":     {describes, false, ""},
	"DESCRIBED_BY":  {describes, true, ""},
	"CONTAINS":      {contains, false, "contains"},
	"CONTAINED_BY":  {contains, true, ""},
	"DEPENDS_ON":    {depends, false, "depends on"},
	"DEPENDENCY_OF": {depends, true, ""},
}

func (d *document) spdxRelationship() error {
	from, to, kind, comment := "", "", "", ""
	fields := map[string]*string{"spdxElementId": &from, "relatedSpdxElement": &to, "relationshipType": &kind, "comment": &comment}
	err := d.c.object(func(name string) error {
		if to := fields[name]; to != nil {
			return d.c.into(to)
		}
		return d.c.skip()
	})
	d.g.spdxRelate(from, kind, to, comment)
	return err
}

// spdxRelate keeps a relationship of SPDX 2.
func (g *gathering) spdxRelate(from, kind, to, comment string) {
	r, known := spdxRelations[kind]
	switch {
	case kind == "OTHER" && strings.HasPrefix(comment, "ownership-by-file-overlap"):
		g.relate(owns, from, to)
	case !known:
	case r.words != "" && to == "NOASSERTION":
		g.incomplete("the bill says that " + from + " " + r.words + " more than it tells")
	case r.turned:
		g.relate(r.kind, to, from)
	default:
		g.relate(r.kind, from, to)
	}
}
