package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/coaming/coaming/internal/assay"
	"github.com/coaming/coaming/internal/report"
	"github.com/coaming/coaming/internal/verdict"
)

// rejudged is what came of one stored image.
type rejudged struct {
	Image      string `json:"image"`
	Digest     string `json:"digest,omitempty"`
	Catalogued string `json:"catalogued"`
	Packages   int    `json:"packages"`
	Critical   int    `json:"critical"`
	High       int    `json:"high"`
	Medium     int    `json:"medium"`
	Low        int    `json:"low"`
	Unrated    int    `json:"unrated"` // of which nobody has said how grave they are
	Exploited  int    `json:"exploited"`
	Fixable    int    `json:"fixable"`
	Unknown    int    `json:"unknown"`
	Exempt     int    `json:"exempt"`
	Exit       int    `json:"exit"`
	// Undescribed says that the rules on images were to be asked, and nothing is stored that they could read.
	Undescribed bool `json:"undescribed,omitempty"`
}

func (r *rejudged) add(c *assay.Count) {
	r.Critical += c.Failed[verdict.Critical]
	r.High += c.Failed[verdict.High]
	r.Medium += c.Failed[verdict.Medium] - c.Unrated
	r.Low += c.Failed[verdict.Low]
	r.Unrated += c.Unrated
	r.Exploited += c.Exploited
	r.Fixable += c.Fixable
	r.Unknown += c.Unknown
	r.Exempt += c.Exempt
}

// rejudgement is the whole answer.
type rejudgement struct {
	Images     []rejudged          `json:"images"`
	Advisories *verdict.Advisories `json:"advisories,omitempty"`
	// trust says that a policy of trust is there and was not asked.
	trust bool
}

func writeRejudgedJSON(w io.Writer, r *rejudgement) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

func writeRejudged(w io.Writer, all *rejudgement) error {
	rows := all.Images
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "IMAGE\tDIGEST\tREAD\tPACKAGES\tCRITICAL\tHIGH\tMEDIUM\tLOW\tUNRATED\tEXPLOITED\tFIXABLE\tUNKNOWN\tEXEMPT\tEXIT")
	for _, r := range rows {
		digest := strings.TrimPrefix(r.Digest, "sha256:")
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", printable(r.Image), printable(digest[:min(12, len(digest))]), r.Catalogued,
			r.Packages, r.Critical, r.High, r.Medium, r.Low, r.Unrated, r.Exploited, r.Fixable, r.Unknown, r.Exempt, r.Exit)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	undescribed := 0
	for i := range rows {
		if rows[i].Undescribed {
			undescribed++
		}
	}
	if all.trust {
		_, _ = fmt.Fprintf(w, "\nWho vouches for the images, which %s demands, was not asked: that is not stored.\n", trustFile)
	}
	if undescribed > 0 {
		_, _ = fmt.Fprintf(w, "\nOf %s nothing is stored that the rules on images could read: scan them again.\n", counted(undescribed, "image"))
	}
	_, err := fmt.Fprintf(w, "\n%s judged again\n", counted(len(rows), "image"))
	if a := all.Advisories; a != nil && err == nil {
		_, err = fmt.Fprintln(w, "advisories "+report.AdvisoriesText(a))
	}
	return err
}
