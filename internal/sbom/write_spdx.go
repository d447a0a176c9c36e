package sbom

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// The form of SPDX 2.3 (spdx.github.io/spdx-spec/v2.3), as far as it is written.
type (
	spdxBill struct {
		Version       string           `json:"spdxVersion"`
		DataLicence   string           `json:"dataLicense"`
		ID            string           `json:"SPDXID"`
		Name          string           `json:"name"`
		Namespace     string           `json:"documentNamespace"`
		Creation      spdxCreation     `json:"creationInfo"`
		Packages      []spdxPackage    `json:"packages"`
		Relationships []spdxLink       `json:"relationships"`
		Licences      []spdxExtracted  `json:"hasExtractedLicensingInfos,omitempty"`
		Annotations   []spdxAnnotation `json:"annotations,omitempty"`
	}
	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	spdxPackage struct {
		ID               string         `json:"SPDXID"`
		Name             string         `json:"name"`
		Version          string         `json:"versionInfo,omitempty"`
		Download         string         `json:"downloadLocation"`
		FilesAnalyzed    bool           `json:"filesAnalyzed"`
		Checksums        []spdxChecksum `json:"checksums,omitempty"`
		SourceInfo       string         `json:"sourceInfo,omitempty"`
		LicenceConcluded string         `json:"licenseConcluded"`
		LicenceDeclared  string         `json:"licenseDeclared"`
		Copyright        string         `json:"copyrightText"`
		Description      string         `json:"description,omitempty"`
		Comment          string         `json:"comment,omitempty"`
		References       []spdxExternal `json:"externalRefs,omitempty"`
		Purpose          string         `json:"primaryPackagePurpose,omitempty"`
	}
	spdxChecksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	spdxExternal struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxLink struct {
		From string `json:"spdxElementId"`
		Kind string `json:"relationshipType"`
		To   string `json:"relatedSpdxElement"`
	}
	spdxExtracted struct {
		ID   string `json:"licenseId"`
		Text string `json:"extractedText"`
		Name string `json:"name"`
	}
	spdxAnnotation struct {
		Annotator string `json:"annotator"`
		Date      string `json:"annotationDate"`
		Type      string `json:"annotationType"`
		Comment   string `json:"comment"`
	}
)

// References of SPDX to what is no package.
const (
	spdxDocumentID = "SPDXRef-DOCUMENT"
	spdxImageID    = "SPDXRef-Image"
	spdxSystemID   = "SPDXRef-OperatingSystem"
	noAssertion    = "NOASSERTION"
)

func spdxLayerID(n int) string { return fmt.Sprintf("%s%d", layerID, n) }

func (d *draft) creator() string {
	return "Tool: coaming-" + strings.Join(strings.Fields(d.Version), "-")
}

func (d *draft) spdx() *spdxBill {
	b := &spdxBill{
		Version: "SPDX-2.3", DataLicence: "CC0-1.0", ID: spdxDocumentID, Name: d.Image.Name, Namespace: d.address(),
		Creation: spdxCreation{Created: d.stamp(), Creators: []string{d.creator()}},
	}
	b.Packages = append(b.Packages, d.spdxImage()...)
	licences := map[string]bool{}
	for i := range d.items {
		it := &d.items[i]
		p := newSPDXPackage(it.id, it.Name, it.Version)
		if it.Place != "" {
			p.SourceInfo = foundPrefix + it.Place
		}
		p.Comment = remarks(it.extras())
		p.refer(it.url)
		if p.LicenceDeclared = it.Licence; it.Licence == "" {
			p.LicenceDeclared = noAssertion
		} else if !isExpression(it.Licence) {
			p.LicenceDeclared = licenceID(it.Licence)
			if !licences[it.Licence] {
				licences[it.Licence] = true
				b.Licences = append(b.Licences, spdxExtracted{ID: p.LicenceDeclared, Text: it.Licence, Name: it.Licence})
			}
		}
		b.Packages = append(b.Packages, p)
	}
	b.Relationships = d.spdxLinks()
	for _, note := range d.notes {
		b.Annotations = append(b.Annotations, spdxAnnotation{Annotator: d.creator(), Date: d.stamp(), Type: "OTHER", Comment: note})
	}
	return b
}

func newSPDXPackage(id, name, version string) spdxPackage {
	return spdxPackage{
		ID: id, Name: name, Version: version, Download: noAssertion, LicenceConcluded: noAssertion, LicenceDeclared: noAssertion, Copyright: noAssertion,
	}
}

func (p *spdxPackage) refer(url string) {
	if url != "" {
		p.References = []spdxExternal{{"PACKAGE-MANAGER", "purl", url}}
	}
}

// spdxImage are the image, its distribution and its layers.
func (d *draft) spdxImage() []spdxPackage {
	img := d.Image
	image := newSPDXPackage(spdxImageID, img.Name, img.Digest)
	image.Purpose, image.Comment, image.Checksums = "CONTAINER", remarks(aboutImage(img)), checksums(img.Digest)
	image.refer(productURL(img))
	list := []spdxPackage{image}
	if s := img.System; s != nil {
		system := newSPDXPackage(spdxSystemID, s.ID, s.Version)
		system.Purpose, system.Description, system.Comment = "OPERATING_SYSTEM", s.Name, remarks(aboutSystem(s))
		list = append(list, system)
	}
	for i, l := range img.Layers {
		layer := newSPDXPackage(spdxLayerID(i), fmt.Sprintf("layer %d", i), "")
		layer.Purpose, layer.Checksums = "ARCHIVE", checksums(l.Digest)
		if layer.Checksums == nil {
			layer.Comment = remarks(filled([2]string{"digest", l.Digest}))
		}
		list = append(list, layer)
	}
	return list
}

func checksums(digest string) []spdxChecksum {
	if sum := sha256Of(digest); sum != "" {
		return []spdxChecksum{{"SHA256", sum}}
	}
	return nil
}

// licenceID is the reference to a licence that is no expression of SPDX'.
func licenceID(text string) string {
	sum := sha256.Sum256([]byte(text))
	name := idPart(text)
	return "LicenseRef-" + name[:min(len(name), 40)] + "-" + hex.EncodeToString(sum[:4])
}

// spdxLinks tell what is in what. That the image contains NOASSERTION says that there may be more.
func (d *draft) spdxLinks() []spdxLink {
	list := []spdxLink{{spdxDocumentID, "DESCRIBES", spdxImageID}}
	if d.Image.System != nil {
		list = append(list, spdxLink{spdxImageID, "CONTAINS", spdxSystemID})
	}
	for n, places := range d.layered() {
		list = append(list, spdxLink{spdxImageID, "CONTAINS", spdxLayerID(n)})
		for _, i := range places {
			list = append(list, spdxLink{spdxLayerID(n), "CONTAINS", d.items[i].id})
		}
	}
	if len(d.Image.Layers) == 0 {
		for i := range d.items {
			list = append(list, spdxLink{spdxImageID, "CONTAINS", d.items[i].id})
		}
	}
	owners, owned := d.owned()
	for _, o := range owners {
		for _, it := range owned[o] {
			list = append(list, spdxLink{o.id, "CONTAINS", it.id})
		}
	}
	if len(d.notes) > 0 {
		list = append(list, spdxLink{spdxImageID, "CONTAINS", noAssertion})
	}
	return list
}
