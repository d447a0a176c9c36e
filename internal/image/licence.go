package image

import (
	"encoding/json"
	"strings"
)

// maxLicence is the most bytes of a licence that is a name or an expression; more is the text of one.
const maxLicence = 200

// licence is a licence in one line, "" when it is none or its whole text.
func licence(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > maxLicence || text == "UNKNOWN" || text == "UNLICENSED" {
		return ""
	}
	return text
}

// under gives what one file tells of one package the licence.
func (f *find) under(terms string) *find {
	f.packages[0].Licence = licence(terms)
	return f
}

// nodeLicence is a string, or of old an object with a type.
type nodeLicence string

func (l *nodeLicence) UnmarshalJSON(text []byte) error {
	var w word
	var o struct{ Type word }
	if _ = w.UnmarshalJSON(text); w == "" && json.Unmarshal(text, &o) == nil {
		w = o.Type
	}
	*l = nodeLicence(w)
	return nil
}

// nodeLicences are several, any one of which may be chosen.
type nodeLicences string

func (l *nodeLicences) UnmarshalJSON(text []byte) error {
	var list []nodeLicence
	if json.Unmarshal(text, &list) != nil {
		return nil //nolint:nilerr // whatever else it is, it tells no licence
	}
	var words []string
	for _, one := range list {
		if one != "" {
			words = append(words, string(one))
		}
	}
	*l = nodeLicences(strings.Join(words, " OR "))
	if len(words) > 1 {
		*l = "(" + *l + ")"
	}
	return nil
}
