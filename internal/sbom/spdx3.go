package sbom

import "strings"

// The readers of SPDX 3.0 in JSON-LD (spdx.github.io/spdx-spec/v3.0.1/serializations).

// context reads the address of the version.
func (d *document) context() error {
	return d.c.words(func(address string) {
		rest, found := strings.CutPrefix(address, "https://spdx.org/rdf/")
		if version, _, _ := strings.Cut(rest, "/"); found && strings.HasSuffix(rest, "/spdx-context.jsonld") {
			d.spdx3 = version
		}
	})
}

// spdx3Kinds are the purposes that are no packages' own.
var spdx3Kinds = map[string]kind{"operatingSystem": aSystem, "container": aProduct, "file": aFile, "data": aFile, "model": aFile}

// element reads one element of the graph.
func (d *document) element() error {
	p := part{at: d.c.at()}
	var class, purpose, from, relation, completeness, expression, statement string
	var to []string
	if err := d.c.object(func(name string) error {
		switch name {
		case "type", "@type":
			return d.c.into(&class)
		case "spdxId", "@id":
			return d.c.into(&p.id)
		case "name":
			return d.c.into(&p.name)
		case "description", "summary":
			return d.c.into(&p.title)
		case "comment":
			return d.into(p.remarks)
		case "software_packageVersion":
			return d.c.into(&p.version)
		case "software_packageUrl":
			return d.c.into(&p.purl)
		case "software_primaryPurpose":
			return d.c.into(&purpose)
		case "software_sourceInfo":
			return d.into(p.found)
		case "externalIdentifier":
			return d.c.list(func() error { return d.identifier(&p) })
		case "verifiedUsing":
			return d.c.list(func() error { return d.integrity(&p) })
		case "from":
			return d.c.into(&from)
		case "to":
			return d.c.texts(func(id string) {
				if len(to) < d.g.limits.Relations {
					to = append(to, strings.Clone(id))
				}
			})
		case "rootElement":
			return d.c.texts(func(id string) { d.g.relate(describes, "document", id) })
		case "relationshipType":
			return d.c.into(&relation)
		case "completeness":
			return d.c.into(&completeness)
		case "simplelicensing_licenseExpression", "simplelicensing_licenseText":
			return d.c.into(&expression)
		case "statement":
			return d.c.into(&statement)
		}
		return d.c.skip()
	}); err != nil {
		return err
	}
	switch class {
	case "software_Package":
		d.spdx3Package(p, purpose)
	case "SpdxDocument":
		d.g.title = p.name
	case "Relationship", "LifecycleScopedRelationship":
		d.spdx3Relate(from, relation, completeness, to)
	case "simplelicensing_LicenseExpression", "simplelicensing_SimpleLicensingText":
		if len(d.g.licences) < d.g.limits.Packages {
			d.g.licences[refOf(p.id)] = expression
			if p.name != "" {
				d.g.licences[refOf(p.id)] = p.name
			}
		}
	case "Annotation":
		d.g.note(statement)
	}
	return nil
}

func (d *document) spdx3Package(p part, purpose string) {
	p.kind = spdx3Kinds[purpose]
	if purpose == "archive" && p.purl == "" && strings.Contains(p.id, "#"+layerID) {
		p.kind = aLayer
	}
	if p.kind == aFile && p.purl != "" {
		p.kind = aPackage
	}
	d.g.add(p)
}

// identifier reads a package URL among the identifiers of an element.
func (d *document) identifier(p *part) error {
	kind, value := "", ""
	err := d.c.object(func(name string) error {
		switch name {
		case "externalIdentifierType":
			return d.c.into(&kind)
		case "identifier":
			return d.c.into(&value)
		}
		return d.c.skip()
	})
	if kind == "packageUrl" && p.purl == "" {
		p.purl = value
	}
	return err
}

// integrity reads a digest.
func (d *document) integrity(p *part) error {
	algorithm, value := "", ""
	err := d.c.object(func(name string) error {
		switch name {
		case "algorithm":
			return d.c.into(&algorithm)
		case "hashValue":
			return d.c.into(&value)
		}
		return d.c.skip()
	})
	if algorithm == "sha256" && value != "" {
		p.digest = "sha256:" + value
	}
	return err
}

func (d *document) spdx3Relate(from, kind, completeness string, to []string) {
	kinds := map[string]relationKind{"contains": contains, "describes": describes, "dependsOn": depends, "hasDeclaredLicense": licensed}
	if completeness == "incomplete" && (kind == "contains" || kind == "dependsOn") {
		d.g.incomplete("the bill says that what " + from + " " + kind + " is incomplete")
	}
	known, found := kinds[kind]
	if !found {
		return
	}
	for _, id := range to {
		d.g.relate(known, from, id)
	}
}
