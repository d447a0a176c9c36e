package report

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// codeQualitySeverity are GitLab's words for our severities.
var codeQualitySeverity = [...]string{
	verdict.Low: "minor", verdict.Medium: "major", verdict.High: "critical", verdict.Critical: "blocker",
}

type codeQualityIssue struct {
	Description string              `json:"description"`
	CheckName   string              `json:"check_name"`
	Fingerprint string              `json:"fingerprint"`
	Severity    string              `json:"severity"`
	Location    codeQualityLocation `json:"location"`
}

type codeQualityLocation struct {
	Path  string           `json:"path"`
	Lines codeQualityLines `json:"lines"`
}

type codeQualityLines struct {
	Begin int `json:"begin"`
}

// CodeQuality writes GitLab's code quality report, the subset of Code Climate's format that its merge
// requests show. It has no word for unknown: an unknown is of severity info, and says that it is one.
func CodeQuality(w io.Writer, res *verdict.Result, _ Meta) error {
	s := newStream(w)
	s.open("", "[")
	for i := range res.Findings {
		f := &res.Findings[i]
		issue := codeQualityIssue{
			Description: visible(f.Message + " (" + f.Subject.String() + ")"), CheckName: f.Rule, Fingerprint: f.Fingerprint,
			Severity: codeQualitySeverity[min(f.Severity, verdict.Critical)], Location: codeQualityPlace(&f.Location),
		}
		switch f.Verdict {
		case verdict.Exempt, verdict.Pass:
			continue
		case verdict.Unknown:
			issue.Severity, issue.Description = "info", "Not decided: "+issue.Description+": "+visible(f.Reason)
		case verdict.Fail:
		}
		s.value("", issue)
	}
	for i := range res.Coverage.Gaps {
		g := &res.Coverage.Gaps[i]
		s.value("", codeQualityIssue{
			Description: visible("Not looked at: " + g.Message), CheckName: "coverage-" + string(g.Code),
			Fingerprint: gapFingerprint(g), Severity: "info", Location: codeQualityPlace(&g.Location),
		})
	}
	s.shut("]")
	return s.close()
}

// codeQualityPlace is a path from the root of the repository, where the scan ran.
func codeQualityPlace(l *verdict.Location) codeQualityLocation {
	file := path.Clean(strings.TrimLeft(l.File, "/"))
	if l.File == "" {
		file = l.Source
	}
	line := l.Line
	if l.Rendered {
		line = 0 // it counts in what was rendered
	}
	return codeQualityLocation{Path: visible(file), Lines: codeQualityLines{Begin: max(line, 1)}}
}

// gapFingerprint names a gap where a format wants every entry to have a name of its own.
func gapFingerprint(g *verdict.Gap) string {
	sum := sha256.Sum256([]byte(string(g.Code) + "\x00" + g.Location.Source + "\x00" + g.Location.File + "\x00" +
		strconv.Itoa(g.Location.Line) + "\x00" + g.Namespace + "\x00" + g.Message))
	return hex.EncodeToString(sum[:8])
}
