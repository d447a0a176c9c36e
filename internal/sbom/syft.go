package sbom

import (
	"cmp"
	"strings"
)

// The readers of syft's own JSON (github.com/anchore/syft, schema/json).

// schema says that it is syft's.
func (d *document) schema() error {
	return d.c.object(func(name string) error {
		if name != "url" {
			return d.c.skip()
		}
		return d.into(func(address string) { d.syft = d.syft || strings.Contains(address, "anchore/syft/") })
	})
}

func (d *document) distro() error {
	p := part{kind: aSystem, at: d.c.at()}
	err := d.c.object(func(name string) error {
		switch name {
		case "id":
			return d.c.into(&p.name)
		case "versionID":
			return d.c.into(&p.version)
		case "name": // older versions have these two
			return d.into(func(name string) { p.name = cmp.Or(p.name, name) })
		case "version":
			return d.into(func(version string) { p.version = cmp.Or(p.version, version) })
		case "cpeName":
			return d.c.into(&p.edition)
		case "versionCodename":
			return d.c.into(&p.codename)
		case "prettyName":
			return d.c.into(&p.title)
		}
		return d.c.skip()
	})
	if p.name != "" {
		d.g.add(p)
	}
	return err
}

// source reads what was looked at: an image with its layers, or a directory.
func (d *document) source() error {
	p := part{kind: aProduct, at: d.c.at()}
	err := d.c.object(func(name string) error {
		switch name {
		case "name":
			return d.c.into(&p.name)
		case "metadata", "target": // target is the older word
			return d.target(&p)
		}
		return d.c.skip()
	})
	d.g.add(p)
	return err
}

// target reads the image; of a directory it is its path in older bills.
func (d *document) target(p *part) error {
	system, architecture := "", ""
	err := d.c.objectOr(&p.name, func(name string) error {
		switch name {
		case "userInput", "path":
			return d.c.into(&p.name)
		case "manifestDigest":
			return d.c.into(&p.digest)
		case "os":
			return d.c.into(&system)
		case "architecture":
			return d.c.into(&architecture)
		case "layers":
			return d.c.list(func() error {
				layer := part{kind: aLayer, at: d.c.at()}
				err := d.c.object(func(name string) error {
					if name == "digest" {
						return d.c.into(&layer.digest)
					}
					return d.c.skip()
				})
				d.g.add(layer)
				return err
			})
		}
		return d.c.skip()
	})
	if system != "" && architecture != "" {
		p.platform = system + "/" + architecture
	}
	return err
}

// artifact reads a package.
func (d *document) artifact() error {
	p := part{at: d.c.at()}
	err := d.described(&p, func(name string) error {
		switch name {
		case "locations":
			return d.c.list(func() error { return d.syftLocation(&p) })
		case "licenses":
			return d.syftLicences(&p)
		case "metadata":
			return d.syftMetadata(&p)
		}
		return d.c.skip()
	})
	d.g.add(p)
	return err
}

// syftLocation keeps where a package was found first.
func (d *document) syftLocation(p *part) error {
	place, layer := "", ""
	err := d.c.object(func(name string) error {
		switch name {
		case "path":
			return d.c.into(&place)
		case "layerID":
			return d.c.into(&layer)
		}
		return d.c.skip()
	})
	if p.place == "" {
		p.place, p.layer = place, layer
	}
	return err
}

// syftLicences reads names, which older versions write as they are.
func (d *document) syftLicences(p *part) error {
	var words []string
	err := d.c.list(func() error {
		var value, expression string
		err := d.c.objectOr(&value, func(name string) error {
			switch name {
			case "value":
				return d.c.into(&value)
			case "spdxExpression":
				return d.c.into(&expression)
			}
			return d.c.skip()
		})
		if expression != "" {
			value = expression
		}
		words = append(words, value)
		return err
	})
	p.licence = joined(words)
	return err
}

// syftMetadata reads the source package of a distribution's package, which package URLs of older versions do not name.
func (d *document) syftMetadata(p *part) error {
	return d.c.object(func(name string) error {
		switch name {
		case "source", "originPackage":
			if !managed(p) && p.purl != "" {
				return d.c.skip()
			}
			return d.c.into(&p.source)
		case "sourceVersion":
			return d.c.into(&p.sourceVersion)
		}
		return d.c.skip()
	})
}

func (d *document) artifactRelationship() error {
	var from, to, kind string
	err := d.c.object(func(name string) error {
		switch name {
		case "parent":
			return d.c.into(&from)
		case "child":
			return d.c.into(&to)
		case "type":
			return d.c.into(&kind)
		}
		return d.c.skip()
	})
	if kind == "ownership-by-file-overlap" {
		d.g.relate(owns, from, to)
	}
	return err
}
