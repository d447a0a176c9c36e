package sbom

import (
	"strings"
)

// dependencies read which layer has which component, and which package of a distribution another.
func (d *document) dependencies() error {
	return d.c.list(func() error {
		from := ""
		var to []string
		err := d.c.object(func(name string) error {
			switch name {
			case "ref":
				return d.c.into(&from)
			case "dependsOn":
				return d.c.texts(func(ref string) {
					if len(to) < d.g.limits.Relations {
						to = append(to, strings.Clone(ref))
					}
				})
			}
			return d.c.skip()
		})
		for _, ref := range to {
			d.g.relate(depends, from, ref)
		}
		return err
	})
}

// compositions read how whole the bill says to be.
func (d *document) compositions() error {
	return d.c.list(func() error {
		aggregate := ""
		err := d.c.object(func(name string) error {
			if name == "aggregate" {
				return d.c.into(&aggregate)
			}
			return d.c.skip()
		})
		d.g.aggregate(aggregate)
		return err
	})
}

// aggregate keeps what a composition says of its completeness.
func (g *gathering) aggregate(word string) {
	switch {
	case strings.HasPrefix(word, "incomplete"):
		g.incomplete("the bill says that it is incomplete (" + word + ")")
	case word == "unknown":
		g.incomplete("the bill says that nobody knows whether it is complete")
	}
}
