package sbom

import (
	"cmp"
	"strings"
)

// The readers of CycloneDX (cyclonedx.org/docs/1.6/json).

// cyclonedxKinds are the types of components that are no packages.
var cyclonedxKinds = map[string]kind{
	"operating-system": aSystem, "container": aProduct, "file": aFile, "data": aFile, "machine-learning-model": aFile, "cryptographic-asset": aFile,
}

func (d *document) metadata() error {
	return d.c.object(func(name string) error {
		switch name {
		case "component":
			return d.component("product")
		case "properties":
			return d.properties(func(string, string) {})
		}
		return d.c.skip()
	})
}

// component reads a component and those within it. within is what holds it: "product" for what the bill is about.
func (d *document) component(within string) error {
	p := part{at: d.c.at()}
	class, h := "", hint{}
	if err := d.described(&p, func(name string) error {
		switch name {
		case "type":
			return d.c.into(&class)
		case "licenses":
			return d.cyclonedxLicences(&p)
		case "hashes":
			return d.hashes(&p)
		case "properties":
			return d.properties(func(name, value string) { p.property(&h, name, value) })
		case "evidence":
			return d.evidence(&p)
		case "components":
			return d.c.list(func() error { return d.component("") })
		}
		return d.c.skip()
	}); err != nil {
		return err
	}
	d.g.cyclonedxAdd(p, class, &h, within == "product")
	return nil
}

// cyclonedxAdd keeps a component, whose type and properties tell what it is.
func (g *gathering) cyclonedxAdd(p part, class string, h *hint, product bool) {
	if s := h.source; s.version != "" {
		p.sourceVersion = s.epoch + s.version + s.release
	}
	p.kind = cyclonedxKinds[class]
	switch {
	case product:
		p.kind = aProduct
		p.digest = cmp.Or(p.digest, p.version)
		if !strings.HasPrefix(p.digest, "sha256:") {
			p.digest = ""
		}
	case h.layer:
		p.kind = aLayer
	case h.lockFile && p.purl == "":
		p.kind = aside
	}
	g.add(p)
}

// hint is what properties say of a part beside its own fields.
type hint struct {
	layer, lockFile bool
	source          struct{ epoch, version, release string } // trivy tells the version in parts
}

// property reads a property of ours, syft's or trivy's.
func (p *part) property(h *hint, name, value string) {
	if name, ours := strings.CutPrefix(name, "coaming:"); ours {
		p.remark(name, value)
	}
	switch name {
	case "coaming:layer":
		h.layer = true
	case "coaming:owner":
		p.owner = value
	case "aquasecurity:trivy:SrcName", "syft:metadata:source", "syft:metadata:originPackage":
		p.source = value
	case "syft:metadata:sourceVersion":
		p.sourceVersion = value
	case "aquasecurity:trivy:SrcVersion":
		h.source.version = value
	case "aquasecurity:trivy:SrcRelease":
		h.source.release = "-" + value
	case "aquasecurity:trivy:SrcEpoch":
		h.source.epoch = value + ":"
	case "syft:distro:versionCodename":
		p.codename = value
	case "syft:distro:cpeName":
		p.edition = value
	case "syft:distro:prettyName":
		p.title = value
	case "aquasecurity:trivy:LayerDigest", "syft:location:0:layerID":
		p.layer = value
	case "aquasecurity:trivy:FilePath", "syft:location:0:path":
		p.place = value
	case "aquasecurity:trivy:Modularitylabel", "syft:metadata:modularityLabel":
		p.module = value
	case "aquasecurity:trivy:Class":
		h.lockFile = value == "lang-pkgs" || value == "os-pkgs"
	}
}

func (d *document) properties(each func(name, value string)) error {
	return d.c.list(func() error {
		name, value := "", ""
		err := d.c.object(func(key string) error {
			switch key {
			case "name":
				return d.c.into(&name)
			case "value":
				return d.c.into(&value)
			}
			return d.c.skip()
		})
		each(name, value)
		return err
	})
}

func (d *document) hashes(p *part) error {
	return d.c.list(func() error {
		algorithm, content := "", ""
		err := d.c.object(func(key string) error {
			switch key {
			case "alg":
				return d.c.into(&algorithm)
			case "content":
				return d.c.into(&content)
			}
			return d.c.skip()
		})
		if algorithm == "SHA-256" && content != "" {
			p.digest = "sha256:" + content
		}
		return err
	})
}

// evidence reads where a component was found.
func (d *document) evidence(p *part) error {
	return d.c.object(func(name string) error {
		if name != "occurrences" {
			return d.c.skip()
		}
		return d.c.list(func() error {
			return d.c.object(func(name string) error {
				if name == "location" && p.place == "" {
					return d.c.into(&p.place)
				}
				return d.c.skip()
			})
		})
	})
}

// cyclonedxLicences reads the choice of an expression, or of ids and names.
func (d *document) cyclonedxLicences(p *part) error {
	var words []string
	err := d.c.list(func() error {
		return d.c.object(func(name string) error {
			word := ""
			switch name {
			case "expression":
				err := d.c.into(&word)
				words = append(words, word)
				return err
			case "license":
				err := d.c.object(func(name string) error {
					if name == "id" || name == "name" && word == "" {
						return d.c.into(&word)
					}
					return d.c.skip()
				})
				words = append(words, word)
				return err
			}
			return d.c.skip()
		})
	})
	p.licence = joined(words)
	return err
}

// joined are several licences that hold together.
func joined(words []string) string {
	var kept []string
	for _, w := range words {
		if w != "" && w != "AND" { // some tear expressions apart
			kept = append(kept, w)
		}
	}
	return strings.Join(kept, " AND ")
}

// annotations read what a bill of ours says it could not read, in CycloneDX and in SPDX 2.
func (d *document) annotations() error {
	return d.c.list(func() error {
		return d.c.object(func(name string) error {
			if name != "text" && name != "comment" {
				return d.c.skip()
			}
			note := ""
			err := d.c.into(&note)
			d.g.note(note)
			return err
		})
	})
}

// note keeps what a bill of ours says of a gap.
func (g *gathering) note(text string) {
	if !strings.HasPrefix(text, notePrefix) {
		return
	}
	if len(g.notes) >= g.limits.Gaps {
		g.more++
		return
	}
	g.notes = append(g.notes, text)
}
