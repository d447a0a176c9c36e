package sbom

import (
	_ "embed"
	"strings"
	"sync"
)

// The ids of the SPDX licence list (spdx.org/licenses) and of its exceptions, deprecated ones too, one a line.
var (
	//go:embed licences.txt
	licenceIDs string
	//go:embed exceptions.txt
	exceptionIDs string
)

var knownLicences = sync.OnceValue(func() map[string]bool { return idsOf(licenceIDs) })

var knownExceptions = sync.OnceValue(func() map[string]bool { return idsOf(exceptionIDs) })

func idsOf(text string) map[string]bool {
	ids := map[string]bool{}
	for id := range strings.FieldsSeq(text) {
		ids[id] = true
	}
	return ids
}

// isExpression says whether a licence is an SPDX expression of known ids, as it is written (spdx.github.io/spdx-spec/v2.3,
// annex D).
func isExpression(text string) bool {
	if len(text) > maxLicence {
		return false
	}
	e := expression(strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(text)))
	return e.terms() && len(e) == 0
}

// expression is what is left of one to be read.
type expression []string

func (e *expression) next() string {
	if len(*e) == 0 {
		return ""
	}
	word := (*e)[0]
	*e = (*e)[1:]
	return word
}

// terms reads terms between AND and OR.
func (e *expression) terms() bool {
	for {
		if !e.term() {
			return false
		}
		if len(*e) == 0 || (*e)[0] != "AND" && (*e)[0] != "OR" {
			return true
		}
		e.next()
	}
}

func (e *expression) term() bool {
	word := e.next()
	if word == "(" {
		return e.terms() && e.next() == ")"
	}
	if !knownLicences()[strings.TrimSuffix(word, "+")] && !knownLicences()[word] {
		return false
	}
	if len(*e) > 0 && (*e)[0] == "WITH" {
		e.next()
		return knownExceptions()[e.next()]
	}
	return true
}
