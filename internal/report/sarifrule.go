package report

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// sarifGrade is how a severity reads in SARIF, and to GitHub, which takes the number for a CVSS score:
// over 9 critical, 7 and more high, 4 and more medium.
var sarifGrade = [...]struct{ level, score string }{
	verdict.Low:      {"note", "3.0"},
	verdict.Medium:   {"warning", "5.5"},
	verdict.High:     {"error", "8.0"},
	verdict.Critical: {"error", "9.5"},
}

func sarifRuleOf(r *verdict.RuleInfo) sarifDescriptor {
	grade := sarifGrade[min(r.Severity, verdict.Critical)]
	why, remedy := sarifPlain(prose(r.Why)), sarifPlain(prose(r.Remedy))
	return sarifDescriptor{
		ID:     r.ID,
		Name:   nameOf(r.ID),
		Short:  sarifText{sarifPlain(prose(r.Title))},
		Full:   sarifText{why},
		Help:   sarifHelp{Text: why + "\nRemedy: " + remedy, Markdown: why + "\n\n**Remedy:** " + remedy},
		Config: sarifConfig{Level: grade.level},
		Properties: &sarifRuleProperties{
			Tags: tagsOf(r), SecuritySeverity: grade.score, Practice: r.Practice, Maps: r.Maps,
		},
	}
}

// tagsOf is at most githubTags tags, the frameworks' controls in a fixed order; all of them stand in
// the properties' maps.
func tagsOf(r *verdict.RuleInfo) []string {
	tags := []string{"security", "kubernetes"}
	if r.Practice != "" {
		tags = append(tags, "practice/"+r.Practice)
	}
	var controls []string
	for framework, ids := range r.Maps {
		for _, id := range ids {
			controls = append(controls, framework+"/"+id)
		}
	}
	slices.Sort(controls)
	tags = append(tags, slices.Compact(controls)...)
	return tags[:min(len(tags), githubTags)]
}

// nameOf is a kebab-case id as SARIF likes names, PrivilegedContainer; none for an id of one word, for
// name and id must differ in more than case (§3.49.7).
func nameOf(id string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(id, "-") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	if name := b.String(); !strings.EqualFold(name, id) {
		return name
	}
	return ""
}

// sarifPlain is text as a SARIF message takes it: braces doubled, because single ones are placeholders
// (§3.11.5), and nothing in it that a viewer would turn into a link (§3.11.6).
func sarifPlain(s string) string {
	s = visible(s)
	if !strings.ContainsAny(s, "{}]") {
		return s
	}
	return linkBreaker.Replace(s)
}

var linkBreaker = strings.NewReplacer("{", "{{", "}", "}}", "](", "] (")

func messageOf(s string) sarifText { return sarifText{sarifPlain(s)} }
