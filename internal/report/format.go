package report

import (
	"io"

	"github.com/coaming/coaming/internal/verdict"
)

// Format is one way to write a result for machines and for those who were not there. The terminal's page
// is no format: it needs to know who is looking.
type Format struct {
	Name  string
	For   string // who or what reads it
	Write func(w io.Writer, res *verdict.Result, meta Meta) error
}

// Formats are all formats, in the order in which help lists them.
var Formats = []Format{
	{"json", "scripts and later commands", JSON},
	{"sarif", "code-scanning pages", SARIF},
	{"html", "people, in a browser, offline", HTML},
	{"markdown", "comments on pull requests", Markdown},
	{"junit", "test pages of CI servers", JUnit},
	{"csv", "spreadsheets", CSV},
	{"codequality", "GitLab's merge requests", CodeQuality},
	{"openreports", "clusters with openreports.io", OpenReports},
	{"policyreport", "clusters with wgpolicyk8s.io", PolicyReports},
}

// FormatOf is the format of that name; nil when there is none.
func FormatOf(name string) *Format {
	for i := range Formats {
		if Formats[i].Name == name {
			return &Formats[i]
		}
	}
	return nil
}
