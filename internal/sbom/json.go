package sbom

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// readJSON reads any of the forms in JSON: which one it is may stand last.
func readJSON(g *gathering, r io.Reader) error {
	c := newCursor(r, &g.limits, g.wrong)
	d := &document{g: g, c: c}
	if err := d.read(0); err != nil {
		return err
	}
	if _, err := c.d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("byte %d: something follows the end of the document", c.d.InputOffset())
	}
	return d.finish()
}

// document is one bill in JSON on its way past.
type document struct {
	g *gathering
	c *cursor

	spdx, cyclone, bomFormat string // the versions that it says to be in
	spdx3                    string
	syft                     bool
}

// read reads the object of the document, or one that a document is wrapped in: GitHub's answer ("sbom") and an
// attestation ("predicate") are.
func (d *document) read(depth int) error {
	c := d.c
	return c.object(func(name string) error {
		if read := d.member(name); read != nil {
			return read()
		}
		if name == "sbom" || name == "predicate" || name == "Data" {
			if depth > 1 {
				return errTwice
			}
			return d.read(depth + 1)
		}
		return c.skip()
	})
}

// member is the reader of a member of a document, nil when it tells nothing.
func (d *document) member(name string) func() error {
	c := d.c
	switch name {
	case "name":
		return func() error { return c.into(&d.g.title) }
	case "bomFormat":
		return func() error { return c.into(&d.bomFormat) }
	case "specVersion":
		return func() error { return c.into(&d.cyclone) }
	case "metadata":
		return d.metadata
	case "components":
		return func() error { return c.list(func() error { return d.component("") }) }
	case "dependencies":
		return d.dependencies
	case "compositions":
		return d.compositions
	case "annotations":
		return d.annotations
	case "spdxVersion":
		return func() error { return c.into(&d.spdx) }
	case "SPDXID":
		return c.skip
	case "documentDescribes":
		return func() error {
			return c.texts(func(id string) { d.g.relate(describes, "document", id) })
		}
	case "packages":
		return func() error { return c.list(d.spdxPackage) }
	case "relationships":
		return func() error { return c.list(d.spdxRelationship) }
	case "hasExtractedLicensingInfos":
		return func() error { return c.list(d.spdxLicence) }
	case "@context":
		return d.context
	case "@graph":
		return func() error { return c.list(d.element) }
	case "artifacts":
		return func() error { return c.list(d.artifact) }
	case "artifactRelationships":
		return func() error { return c.list(d.artifactRelationship) }
	case "source":
		return d.source
	case "distro":
		return d.distro
	case "schema":
		return d.schema
	}
	return nil
}

// finish says which form it was.
func (d *document) finish() error {
	switch {
	case d.bomFormat == "CycloneDX":
		if !strings.HasPrefix(d.cyclone, "1.") {
			return fmt.Errorf("CycloneDX %.20q is not read; 1.2 to 1.7 are", d.cyclone)
		}
		d.g.is("sbom-cyclonedx-" + d.cyclone)
	case d.cyclone != "" && d.bomFormat != "":
		return fmt.Errorf("bomFormat is %.100q, and not CycloneDX", d.bomFormat)
	}
	switch {
	case strings.HasPrefix(d.spdx3, "3.0"):
		d.g.is("sbom-spdx-3.0")
	case d.spdx3 != "":
		return fmt.Errorf("SPDX %.20q in JSON-LD is not read; 3.0 is", d.spdx3)
	}
	if d.spdx != "" {
		return d.g.isSPDX(d.spdx)
	}
	if d.syft {
		d.g.is("sbom-syft")
	}
	return nil
}

// isSPDX notes the version of SPDX 2.
func (g *gathering) isSPDX(version string) error {
	number, found := strings.CutPrefix(version, "SPDX-")
	if !found || !strings.HasPrefix(number, "2.") {
		return fmt.Errorf("the version of SPDX %.20q is not read; SPDX-2.0 to SPDX-2.3 are, and 3.0 in JSON-LD", version)
	}
	g.is("sbom-spdx-" + number)
	g.licence()
	return nil
}
