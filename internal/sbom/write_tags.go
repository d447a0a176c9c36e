package sbom

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// writeTags writes SPDX 2.3 as tags and values.
func writeTags(w io.Writer, b *spdxBill) error {
	out := bufio.NewWriter(w)
	tag := func(name, value string) {
		if value == "" {
			return
		}
		if name == "ExtractedText" || strings.ContainsAny(value, "\n\r") || strings.Contains(value, "<text>") || strings.TrimSpace(value) != value {
			value = "<text>" + strings.ReplaceAll(value, "</text>", "") + "</text>"
		}
		_, _ = fmt.Fprintf(out, "%s: %s\n", name, value)
	}
	tag("SPDXVersion", b.Version)
	tag("DataLicense", b.DataLicence)
	tag("SPDXID", b.ID)
	tag("DocumentName", b.Name)
	tag("DocumentNamespace", b.Namespace)
	tag("Creator", b.Creation.Creators[0])
	tag("Created", b.Creation.Created)
	for i := range b.Packages {
		_, _ = out.WriteString("\n")
		b.Packages[i].tags(tag)
	}
	_, _ = out.WriteString("\n")
	for _, l := range b.Relationships {
		tag("Relationship", l.From+" "+l.Kind+" "+l.To)
	}
	for _, a := range b.Annotations {
		_, _ = out.WriteString("\n")
		tag("Annotator", a.Annotator)
		tag("AnnotationDate", a.Date)
		tag("AnnotationType", a.Type)
		tag("SPDXREF", b.ID)
		tag("AnnotationComment", a.Comment)
	}
	for _, l := range b.Licences {
		_, _ = out.WriteString("\n")
		tag("LicenseID", l.ID)
		tag("ExtractedText", l.Text)
		tag("LicenseName", l.Name)
	}
	return out.Flush()
}

// tags writes one package.
func (p *spdxPackage) tags(tag func(name, value string)) {
	tag("PackageName", p.Name)
	tag("SPDXID", p.ID)
	tag("PackageVersion", p.Version)
	tag("PackageDownloadLocation", p.Download)
	tag("PrimaryPackagePurpose", strings.ReplaceAll(p.Purpose, "_", "-")) // the two forms spell it so
	tag("FilesAnalyzed", strconv.FormatBool(p.FilesAnalyzed))
	for _, c := range p.Checksums {
		tag("PackageChecksum", c.Algorithm+": "+c.Value)
	}
	tag("PackageSourceInfo", p.SourceInfo)
	tag("PackageLicenseConcluded", p.LicenceConcluded)
	tag("PackageLicenseDeclared", p.LicenceDeclared)
	tag("PackageCopyrightText", p.Copyright)
	tag("PackageDescription", p.Description)
	tag("PackageComment", p.Comment)
	for _, r := range p.References {
		tag("ExternalRef", r.Category+" "+r.Type+" "+r.Locator)
	}
}
