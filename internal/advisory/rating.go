package advisory

import (
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

func (o *osvRecord) vector() string {
	list := o.Severity
	for _, a := range o.Affected {
		list = append(list, a.Severity...)
	}
	return bestVector(list)
}

// rating is the distribution's or database's own word for the whole record.
func (o *osvRecord) rating() rating {
	word := o.Database.severity
	if isAdvisory(o.ID) && word == "" {
		word, _, _ = strings.Cut(o.Summary, ":") // "Important: kernel security update"
	}
	for _, s := range o.Severity {
		if !strings.HasPrefix(s.Type, "CVSS") {
			word = s.Score // {"type": "Ubuntu", "score": "medium"}
		}
	}
	return readRating(word)
}

// rating is a severity and whether there is one: 0 is none, then verdict's severities by their number plus 1.
type rating byte

const unrated rating = 0

func (r rating) severity() (s verdict.Severity, ok bool) {
	if r == unrated {
		return 0, false
	}
	return verdict.Severity(r - 1), true
}

// readRating reads what distributions and databases say: their words differ, their number does not.
func readRating(word string) rating {
	switch strings.ToLower(strings.TrimRight(strings.TrimSpace(word), "*")) {
	case "critical":
		return rating(verdict.Critical) + 1
	case "high", "important":
		return rating(verdict.High) + 1
	case "medium", "moderate":
		return rating(verdict.Medium) + 1
	case "low", "negligible", "unimportant", "minor":
		return rating(verdict.Low) + 1
	}
	return unrated
}
