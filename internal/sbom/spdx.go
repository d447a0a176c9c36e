package sbom

import (
	"regexp"
	"strconv"
	"strings"
)

// The readers of SPDX 2 in JSON (spdx.github.io/spdx-spec/v2.3).

// spdxKinds are the purposes that are no packages' own.
var spdxKinds = map[string]kind{"OPERATING-SYSTEM": aSystem, "OPERATING_SYSTEM": aSystem, "CONTAINER": aProduct, "FILE": aFile}

func (d *document) spdxPackage() error {
	p := part{at: d.c.at()}
	purpose := ""
	if err := d.c.object(func(name string) error {
		switch name {
		case "SPDXID":
			return d.c.into(&p.id)
		case "name":
			return d.c.into(&p.name)
		case "versionInfo":
			return d.c.into(&p.version)
		case "sourceInfo":
			return d.into(p.found)
		case "description", "summary":
			return d.c.into(&p.title)
		case "comment":
			return d.into(p.remarks)
		case "licenseDeclared":
			return d.into(func(text string) { p.licenced(text, true) })
		case "licenseConcluded":
			return d.into(func(text string) { p.licenced(text, false) })
		case "primaryPackagePurpose":
			return d.c.into(&purpose)
		case "externalRefs":
			return d.c.list(func() error { return d.externalRef(&p) })
		case "checksums":
			return d.checksums(&p)
		case "annotations":
			return d.annotations()
		}
		return d.c.skip()
	}); err != nil {
		return err
	}
	d.g.spdxAdd(p, purpose)
	return nil
}

// into hands over the text that comes next.
func (d *document) into(to func(text string)) error {
	text := ""
	err := d.c.into(&text)
	to(text)
	return err
}

// spdxAdd keeps a package of SPDX 2, whose purpose tells what it is.
func (g *gathering) spdxAdd(p part, purpose string) {
	p.kind = spdxKinds[purpose]
	switch {
	case purpose == "ARCHIVE" && p.purl == "" && strings.HasPrefix(p.id, layerID):
		p.kind = aLayer
	case p.kind == aFile && p.purl != "":
		p.kind = aPackage
	case p.kind == aFile:
		// What a bill of a directory is about is such a thing: its reference must be known.
		p.kind = aside
	}
	if p.kind == aProduct && p.digest == "" && strings.HasPrefix(p.version, "sha256:") {
		p.digest = p.version
	}
	g.add(p)
}

// layerID begins the ids of layers in bills of ours.
const layerID = "SPDXRef-Layer-"

func (d *document) externalRef(p *part) error {
	kind, locator := "", ""
	err := d.c.object(func(name string) error {
		switch name {
		case "referenceType":
			return d.c.into(&kind)
		case "referenceLocator":
			return d.c.into(&locator)
		}
		return d.c.skip()
	})
	p.external(kind, locator)
	return err
}

// external keeps a package URL, of several the first.
func (p *part) external(kind, locator string) {
	if (kind == "purl" || strings.HasSuffix(kind, "/purl")) && p.purl == "" {
		p.purl = locator
	}
}

func (d *document) checksums(p *part) error {
	return d.c.list(func() error {
		algorithm, value := "", ""
		err := d.c.object(func(name string) error {
			switch name {
			case "algorithm":
				return d.c.into(&algorithm)
			case "checksumValue":
				return d.c.into(&value)
			}
			return d.c.skip()
		})
		if algorithm == "SHA256" && value != "" {
			p.digest = "sha256:" + value
		}
		return err
	})
}

// foundIn is what a bill of ours says of where a package was found, and what syft's says.
var foundIn = regexp.MustCompile(`^(?:found in |acquired package info from [^:]*: ?)([^,]*(?:,[^ /][^,]*)*)`)

// found reads where a package was found.
func (p *part) found(text string) {
	if place, ours := strings.CutPrefix(text, foundPrefix); ours {
		p.place = place
	} else if m := foundIn.FindStringSubmatch(text); m != nil {
		p.place = m[1]
	}
}

// foundPrefix begins what a bill of ours says of where a package was found.
const foundPrefix = "found in "

// remarks reads what a bill of ours says of a system or a product, a line each.
func (p *part) remarks(text string) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		p.remark(name, value)
	}
}

// remark reads what a bill of ours says beside the form's own fields.
func (p *part) remark(name, value string) {
	switch name {
	case "codename":
		p.codename = value
	case "edition":
		p.edition = value
	case "endOfLife":
		p.end = value
	case "digest":
		p.digest = value
	case "platform":
		p.platform = value
	case "ecosystem":
		p.ecosystem = value
	case "architecture":
		p.architecture = value
	case "kind":
		p.class = value
	case "within":
		p.within = value
	}
}

// licenced keeps a licence: the declared one before the concluded one.
func (p *part) licenced(text string, declared bool) {
	if text == "NOASSERTION" || text == "NONE" || text == "" || p.declared && !declared {
		return
	}
	p.licence, p.declared = text, declared
}

func (d *document) spdxLicence() error {
	id, text, title := "", "", ""
	err := d.c.object(func(name string) error {
		switch name {
		case "licenseId":
			return d.c.into(&id)
		case "extractedText":
			return d.c.into(&text)
		case "name":
			return d.c.into(&title)
		}
		return d.c.skip()
	})
	d.g.extracted(id, title, text)
	return err
}

// extracted keeps a licence that has no id of SPDX' own.
func (g *gathering) extracted(id, title, text string) {
	if len(g.licences) >= g.limits.Packages {
		return
	}
	if title == "" || title == "NOASSERTION" {
		title = text
	}
	if line, _, more := strings.Cut(title, "\n"); more || len(line) > maxLicence {
		title = ""
	}
	g.licences[id] = title
}

// maxLicence is the most bytes of a licence that is a name and no text.
const maxLicence = 200

var licenceRef = regexp.MustCompile(`(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+`)

// licence puts the names of licences in place of references to them.
func (g *gathering) licence() {
	for i := range g.parts {
		p := &g.parts[i]
		if !strings.Contains(p.licence, "LicenseRef-") {
			continue
		}
		p.licence = licenceRef.ReplaceAllStringFunc(p.licence, func(ref string) string {
			if title := g.licences[ref]; title != "" {
				return title
			}
			return ref
		})
	}
}

// refOf is the name under which the licences of SPDX 3 are kept.
func refOf(id string) string { return strconv.FormatUint(key(id), 36) }
