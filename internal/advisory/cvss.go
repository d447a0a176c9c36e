package advisory

import (
	"math"
	"strings"

	gocvss20 "github.com/pandatix/go-cvss/20"
	gocvss30 "github.com/pandatix/go-cvss/30"
	gocvss31 "github.com/pandatix/go-cvss/31"
	gocvss40 "github.com/pandatix/go-cvss/40"

	"github.com/coaming/coaming/internal/verdict"
)

// Score is the base score of a CVSS vector of any version, 0 to 10; ok is false for what is no vector.
func Score(vector string) (score float64, ok bool) {
	if len(vector) > maxSummary {
		return 0, false
	}
	switch {
	case strings.HasPrefix(vector, "CVSS:4.0/"):
		if v, err := gocvss40.ParseVector(vector); err == nil {
			return v.Score(), true
		}
	case strings.HasPrefix(vector, "CVSS:3.1/"):
		if v, err := gocvss31.ParseVector(vector); err == nil {
			return v.BaseScore(), true
		}
	case strings.HasPrefix(vector, "CVSS:3.0/"):
		if v, err := gocvss30.ParseVector(vector); err == nil {
			return v.BaseScore(), true
		}
	default:
		if v, err := gocvss20.ParseVector(vector); err == nil {
			return v.BaseScore(), true
		}
	}
	return 0, false
}

// bestVector is the vector of the newest version of CVSS, and of those the gravest.
func bestVector(list []osvSeverity) string {
	best, bestRank, bestScore := "", "", -1.0
	for _, s := range list {
		score, ok := Score(s.Score)
		if !ok || !strings.HasPrefix(s.Type, "CVSS_V") {
			continue
		}
		if s.Type > bestRank || s.Type == bestRank && score > bestScore {
			best, bestRank, bestScore = s.Score, s.Type, score
		}
	}
	return best
}

// severityOf is the word for a score (first.org/cvss/v4.0/specification-document, section 6).
func severityOf(score float64) verdict.Severity {
	switch {
	case score >= 9:
		return verdict.Critical
	case score >= 7:
		return verdict.High
	case score >= 4:
		return verdict.Medium
	}
	return verdict.Low
}

// tenths is a score in the index.
func tenths(score float64) byte { return byte(math.Round(score * 10)) }
