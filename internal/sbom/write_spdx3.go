package sbom

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// The form of SPDX 3.0.1 in JSON-LD (spdx.github.io/spdx-spec/v3.0.1), as far as it is written. Every element is of
// one type, whatever its class: what does not belong to the class stays empty.
type (
	spdx3Bill struct {
		Context string         `json:"@context"`
		Graph   []spdx3Element `json:"@graph"`
	}
	spdx3Element struct {
		Type         string      `json:"type"`
		ID           string      `json:"@id,omitempty"`
		SPDXID       string      `json:"spdxId,omitempty"`
		CreationInfo string      `json:"creationInfo,omitempty"`
		Name         string      `json:"name,omitempty"`
		Description  string      `json:"description,omitempty"`
		Comment      string      `json:"comment,omitempty"`
		VerifiedBy   []spdx3Hash `json:"verifiedUsing,omitempty"`

		SpecVersion  string   `json:"specVersion,omitempty"` // CreationInfo
		Created      string   `json:"created,omitempty"`
		CreatedBy    []string `json:"createdBy,omitempty"`
		CreatedUsing []string `json:"createdUsing,omitempty"`

		Profiles []string `json:"profileConformance,omitempty"` // SpdxDocument, software_Sbom
		Root     []string `json:"rootElement,omitempty"`
		Elements []string `json:"element,omitempty"`
		SbomType []string `json:"software_sbomType,omitempty"`

		Version    string `json:"software_packageVersion,omitempty"` // software_Package, software_File
		URL        string `json:"software_packageUrl,omitempty"`
		Purpose    string `json:"software_primaryPurpose,omitempty"`
		SourceInfo string `json:"software_sourceInfo,omitempty"`

		From         string   `json:"from,omitempty"` // Relationship
		Kind         string   `json:"relationshipType,omitempty"`
		To           []string `json:"to,omitempty"`
		Completeness string   `json:"completeness,omitempty"`

		Expression string `json:"simplelicensing_licenseExpression,omitempty"`
		Text       string `json:"simplelicensing_licenseText,omitempty"`

		AnnotationType string `json:"annotationType,omitempty"`
		Subject        string `json:"subject,omitempty"`
		Statement      string `json:"statement,omitempty"`
	}
	spdx3Hash struct {
		Type      string `json:"type"`
		Algorithm string `json:"algorithm"`
		Value     string `json:"hashValue"`
	}
)

// creationInfo is the blank node that every element names.
const creationInfo = "_:creationInfo"

// graph is a bill in the making.
type graph struct {
	d    *draft
	list []spdx3Element
}

// add adds an element and returns its address.
func (g *graph) add(id string, e spdx3Element) string {
	e.SPDXID, e.CreationInfo = g.d.address()+"#"+id, creationInfo
	g.list = append(g.list, e)
	return e.SPDXID
}

func (g *graph) relate(from, kind, completeness string, to []string) {
	if len(to) == 0 {
		return
	}
	sum := sha256.Sum256([]byte(from + " " + kind))
	g.add("SPDXRef-Relationship-"+hex.EncodeToString(sum[:8]), spdx3Element{Type: "Relationship", From: from, Kind: kind, To: to, Completeness: completeness})
}

func (d *draft) spdx3() *spdx3Bill {
	g := &graph{d: d}
	creator := g.add("SPDXRef-Creator", spdx3Element{Type: "SoftwareAgent", Name: "coaming-" + d.Version})
	image := g.add(spdxImageID, spdx3Element{
		Type: "software_Package", Name: d.Image.Name, Version: d.Image.Digest, URL: productURL(d.Image), Purpose: "container",
		Comment: remarks(aboutImage(d.Image)), VerifiedBy: spdx3Hashes(d.Image.Digest),
	})
	g.inside(image)
	for i, note := range d.notes {
		g.add(fmt.Sprintf("SPDXRef-Annotation-%d", i), spdx3Element{Type: "Annotation", AnnotationType: "other", Subject: image, Statement: note})
	}
	var elements []string
	for i := range g.list {
		elements = append(elements, g.list[i].SPDXID)
	}
	profiles := []string{"core", "simpleLicensing", "software"}
	sbom := g.add("SPDXRef-Sbom", spdx3Element{Type: "software_Sbom", SbomType: []string{"analyzed"}, Root: []string{image}, Elements: elements})
	g.add(spdxDocumentID, spdx3Element{Type: "SpdxDocument", Name: d.Image.Name, Profiles: profiles, Root: []string{sbom}, Elements: append(elements, sbom)})
	info := spdx3Element{Type: "CreationInfo", ID: creationInfo, SpecVersion: "3.0.1", Created: d.stamp(), CreatedBy: []string{creator}}
	return &spdx3Bill{Context: "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", Graph: append([]spdx3Element{info}, g.list...)}
}

func spdx3Hashes(digest string) []spdx3Hash {
	if sum := sha256Of(digest); sum != "" {
		return []spdx3Hash{{"Hash", "sha256", sum}}
	}
	return nil
}

// inside adds what the image contains, and how whole that is.
func (g *graph) inside(image string) {
	d := g.d
	var inner []string
	if s := d.Image.System; s != nil {
		inner = append(inner, g.add(spdxSystemID, spdx3Element{
			Type: "software_Package", Name: s.ID, Version: s.Version, Purpose: "operatingSystem", Description: s.Name, Comment: remarks(aboutSystem(s)),
		}))
	}
	ids := g.packages()
	layered := d.layered()
	for n := range d.Image.Layers {
		digest := d.Image.Layers[n].Digest
		layer := spdx3Element{Type: "software_Package", Name: fmt.Sprintf("layer %d", n), Purpose: "archive", VerifiedBy: spdx3Hashes(digest)}
		if layer.VerifiedBy == nil {
			layer.Comment = remarks(filled([2]string{"digest", digest}))
		}
		at := g.add(spdxLayerID(n), layer)
		inner = append(inner, at)
		var within []string
		for _, i := range layered[n] {
			within = append(within, ids[i])
		}
		g.relate(at, "contains", "", within)
	}
	if len(d.Image.Layers) == 0 {
		inner = append(inner, ids...)
	}
	completeness := "complete"
	if len(d.notes) > 0 {
		completeness = "incomplete"
		if len(inner) == 0 {
			inner = []string{"https://spdx.org/rdf/3.0.1/terms/Core/NoAssertionElement"}
		}
	}
	g.relate(image, "contains", completeness, inner)
}

// packages adds the packages with their licences, their files, and what they brought along.
func (g *graph) packages() []string {
	d := g.d
	ids := make([]string, len(d.items))
	licences := map[string]string{}
	for i := range d.items {
		it := &d.items[i]
		e := spdx3Element{Type: "software_Package", Name: it.Name, Version: it.Version, URL: it.url, Comment: remarks(it.extras())}
		if it.Place != "" {
			e.SourceInfo = foundPrefix + it.Place
		}
		ids[i] = g.add(it.id, e)
		if it.Licence != "" {
			if licences[it.Licence] == "" {
				licences[it.Licence] = g.licence(it.Licence)
			}
			g.relate(ids[i], "hasDeclaredLicense", "", []string{licences[it.Licence]})
		}
	}
	owners, owned := d.owned()
	within := map[*item][]string{}
	for _, o := range owners {
		for _, it := range owned[o] {
			within[o] = append(within[o], d.address()+"#"+it.id)
		}
	}
	for i := range d.items {
		it := &d.items[i]
		g.relate(ids[i], "contains", "", append(within[it], g.files(it)...))
	}
	return ids
}

// files adds the files of a package, where they are wanted.
func (g *graph) files(it *item) []string {
	if !g.d.Files {
		return nil
	}
	var ids []string
	for _, file := range it.Files {
		sum := sha256.Sum256([]byte(it.ref + " " + file))
		ids = append(ids, g.add("SPDXRef-File-"+hex.EncodeToString(sum[:8]), spdx3Element{Type: "software_File", Name: file}))
	}
	return ids
}

func (g *graph) licence(text string) string {
	e := spdx3Element{Type: "simplelicensing_SimpleLicensingText", Name: text, Text: text}
	if isExpression(text) {
		e = spdx3Element{Type: "simplelicensing_LicenseExpression", Expression: text}
	}
	return g.add(licenceID(text), e)
}
