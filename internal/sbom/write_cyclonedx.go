package sbom

import (
	"fmt"
	"strconv"
)

// The form of CycloneDX 1.6 (cyclonedx.org/docs/1.6/json), as far as it is written.
type (
	cdxBill struct {
		Schema       string           `json:"$schema"`
		Format       string           `json:"bomFormat"`
		SpecVersion  string           `json:"specVersion"`
		Serial       string           `json:"serialNumber"`
		Version      int              `json:"version"`
		Metadata     cdxMetadata      `json:"metadata"`
		Components   []cdxComponent   `json:"components"`
		Dependencies []cdxDependency  `json:"dependencies"`
		Compositions []cdxComposition `json:"compositions"`
		Annotations  []cdxAnnotation  `json:"annotations,omitempty"`
	}
	cdxMetadata struct {
		Timestamp string       `json:"timestamp"`
		Tools     cdxTools     `json:"tools"`
		Component cdxComponent `json:"component"`
	}
	cdxTools struct {
		Components []cdxComponent `json:"components"`
	}
	cdxComponent struct {
		Type        string         `json:"type"`
		Ref         string         `json:"bom-ref,omitempty"`
		Name        string         `json:"name"`
		Version     string         `json:"version,omitempty"`
		Description string         `json:"description,omitempty"`
		Hashes      []cdxHash      `json:"hashes,omitempty"`
		Licenses    []cdxLicence   `json:"licenses,omitempty"`
		PURL        string         `json:"purl,omitempty"`
		Components  []cdxComponent `json:"components,omitempty"`
		Evidence    *cdxEvidence   `json:"evidence,omitempty"`
		Properties  []cdxProperty  `json:"properties,omitempty"`
	}
	cdxHash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	cdxLicence struct {
		Licence    *cdxLicenceName `json:"license,omitempty"`
		Expression string          `json:"expression,omitempty"`
	}
	cdxLicenceName struct {
		ID   string `json:"id,omitempty"`
		Name string `json:"name,omitempty"`
	}
	cdxEvidence struct {
		Occurrences []cdxOccurrence `json:"occurrences"`
	}
	cdxOccurrence struct {
		Location string `json:"location"`
	}
	cdxProperty struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	cdxDependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn,omitempty"`
	}
	cdxComposition struct {
		Aggregate  string   `json:"aggregate"`
		Assemblies []string `json:"assemblies"`
	}
	cdxAnnotation struct {
		Subjects  []string     `json:"subjects"`
		Annotator cdxAnnotator `json:"annotator"`
		Timestamp string       `json:"timestamp"`
		Text      string       `json:"text"`
	}
	cdxAnnotator struct {
		Component cdxComponent `json:"component"`
	}
)

// References to what is no package.
const (
	imageRef  = "image"
	systemRef = "system"
)

func layerRef(n int) string { return fmt.Sprintf("layer-%d", n) }

func (d *draft) cyclonedx() *cdxBill {
	b := &cdxBill{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6", Serial: d.serial(), Version: 1,
		Metadata: cdxMetadata{
			Timestamp: d.stamp(), Tools: cdxTools{Components: []cdxComponent{d.tool()}}, Component: d.cyclonedxImage(),
		},
		Components: []cdxComponent{},
	}
	if s := d.Image.System; s != nil {
		b.Components = append(b.Components, cdxComponent{
			Type: "operating-system", Ref: systemRef, Name: s.ID, Version: s.Version, Description: s.Name, Properties: properties(aboutSystem(s)),
		})
	}
	for i := range d.items {
		b.Components = append(b.Components, d.cyclonedxPackage(&d.items[i]))
	}
	b.Dependencies = d.cyclonedxLinks()
	composition := cdxComposition{Aggregate: "complete", Assemblies: []string{imageRef}}
	if len(d.notes) > 0 {
		composition.Aggregate = "incomplete"
	}
	b.Compositions = []cdxComposition{composition}
	for _, note := range d.notes {
		b.Annotations = append(b.Annotations, cdxAnnotation{
			Subjects: []string{imageRef}, Annotator: cdxAnnotator{d.tool()}, Timestamp: d.stamp(), Text: note,
		})
	}
	return b
}

func (d *draft) tool() cdxComponent {
	return cdxComponent{Type: "application", Name: "coaming", Version: d.Version}
}

// serial is a UUID of version 8 (RFC 9562): the first bits of the bill's own hash.
func (d *draft) serial() string {
	u := [16]byte(d.sum[:16])
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// cyclonedxImage is what the bill is about, with its layers.
func (d *draft) cyclonedxImage() cdxComponent {
	img := d.Image
	c := cdxComponent{
		Type: "container", Ref: imageRef, Name: img.Name, Version: img.Digest, PURL: productURL(img), Hashes: hashes(img.Digest),
		Properties: properties(aboutImage(img)),
	}
	for i, l := range img.Layers {
		layer := cdxComponent{
			Type: "file", Ref: layerRef(i), Name: fmt.Sprintf("layer %d", i), Hashes: hashes(l.Digest), Properties: properties([][2]string{{"layer", strconv.Itoa(i)}}),
		}
		if layer.Hashes == nil {
			layer.Properties = append(layer.Properties, properties(filled([2]string{"digest", l.Digest}))...)
		}
		c.Components = append(c.Components, layer)
	}
	return c
}

func hashes(digest string) []cdxHash {
	if sum := sha256Of(digest); sum != "" {
		return []cdxHash{{"SHA-256", sum}}
	}
	return nil
}

func properties(pairs [][2]string) []cdxProperty {
	var list []cdxProperty
	for _, p := range pairs {
		list = append(list, cdxProperty{"coaming:" + p[0], p[1]})
	}
	return list
}

func (d *draft) cyclonedxPackage(it *item) cdxComponent {
	c := cdxComponent{Type: "library", Ref: it.ref, Name: it.Name, Version: it.Version, PURL: it.url, Properties: properties(it.extras())}
	switch {
	case it.Licence == "":
	case knownLicences()[it.Licence]:
		c.Licenses = []cdxLicence{{Licence: &cdxLicenceName{ID: it.Licence}}}
	case isExpression(it.Licence):
		c.Licenses = []cdxLicence{{Expression: it.Licence}}
	default:
		c.Licenses = []cdxLicence{{Licence: &cdxLicenceName{Name: it.Licence}}}
	}
	if it.Place != "" {
		c.Evidence = &cdxEvidence{[]cdxOccurrence{{it.Place}}}
	}
	if it.Owner != "" {
		c.Properties = append(c.Properties, cdxProperty{"coaming:owner", it.Owner})
	}
	if d.Files {
		for _, file := range it.Files {
			c.Components = append(c.Components, cdxComponent{Type: "file", Name: file})
		}
	}
	return c
}

// cyclonedxLinks tell which layer has which package, and which package of the distribution brought which along.
func (d *draft) cyclonedxLinks() []cdxDependency {
	image := cdxDependency{Ref: imageRef}
	if d.Image.System != nil {
		image.DependsOn = append(image.DependsOn, systemRef)
	}
	var list []cdxDependency
	for n, places := range d.layered() {
		layer := cdxDependency{Ref: layerRef(n)}
		for _, i := range places {
			layer.DependsOn = append(layer.DependsOn, d.items[i].ref)
		}
		list = append(list, layer)
		image.DependsOn = append(image.DependsOn, layer.Ref)
	}
	if len(d.Image.Layers) == 0 {
		for i := range d.items {
			image.DependsOn = append(image.DependsOn, d.items[i].ref)
		}
	}
	list = append([]cdxDependency{image}, list...)
	owners, owned := d.owned()
	for _, o := range owners {
		link := cdxDependency{Ref: o.ref}
		for _, it := range owned[o] {
			link.DependsOn = append(link.DependsOn, it.ref)
		}
		list = append(list, link)
	}
	return list
}
