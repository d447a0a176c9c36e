package admission

import (
	"fmt"
	"strings"

	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// Outcome is what a review came to, as people and the API server are told of it.
type Outcome struct {
	Allowed bool
	// Found counts by mode what failed, Unknown what could not be decided, Exempt what was excused.
	Found           [4]int
	Unknown, Exempt int
	// Drifted counts what is no longer as a mutation would make it.
	Drifted int
	// Denials are why the request is refused.
	Denials []string
	// Warnings and Notes are what who asked is warned of, and what stands in the API server's audit log, by its key.
	Warnings []string
	Notes    map[string]string

	more int // denials and warnings that found no room
}

// The bounds of an answer. kubectl and the API server cut warnings at 256 bytes once they are many.
const (
	maxWarning   = 256
	maxWarnings  = 4096
	maxDenials   = 16
	maxDenial    = 1024
	maxNotes     = 64
	maxNote      = 1024
	maxAnnotated = 63 // the name part of a qualified name
)

// add enters a finding by how its rule holds; r is nil for what is no rule's.
func (out *Outcome) add(s enforcement.Setting, f *verdict.Finding, r *rule.Compiled) {
	remedy := ""
	if r != nil {
		remedy = r.Remedy
	}
	switch f.Verdict {
	case verdict.Exempt:
		out.Exempt++
		out.note(f.Rule, "exempt: "+sentence(f)+" "+f.Reason)
		return
	case verdict.Unknown:
		out.Unknown++
		remedy = ""
	case verdict.Fail:
		out.Found[s.Mode]++
	case verdict.Pass:
		return
	}
	out.note(f.Rule, s.Mode.String()+": "+f.Verdict.String()+": "+sentence(f))
	switch {
	case s.Mode == enforcement.Enforce && (f.Verdict == verdict.Fail || s.Fail):
		out.deny(sentence(f), remedy)
	case s.Mode >= enforcement.Warn:
		out.warn(sentence(f), remedy)
	}
}

// sentence is what is wrong, where, and which rule says so.
func sentence(f *verdict.Finding) string {
	text := f.Message
	if f.Verdict == verdict.Unknown && f.Reason != "" {
		text += ", for " + f.Reason
	}
	at := f.Rule
	if f.Path != "" {
		at += ", " + f.Path
	}
	return text + " (" + at + ")."
}

func (out *Outcome) deny(text, remedy string) {
	out.Allowed = false
	if len(out.Denials) >= maxDenials {
		out.more++
		return
	}
	out.Denials = append(out.Denials, bounded(text+" "+remedy, maxDenial))
}

func (out *Outcome) warn(text, remedy string) {
	line := bounded(text+" "+remedy, maxWarning)
	total := len(line)
	for _, w := range out.Warnings {
		if w == line {
			return
		}
		total += len(w)
	}
	if total > maxWarnings-maxWarning {
		out.more++
		return
	}
	out.Warnings = append(out.Warnings, line)
}

// note writes an entry of the audit log. Its key is the rule, which the API server puts behind the webhook's name.
func (out *Outcome) note(key, text string) {
	key = keyOf(key)
	if out.Notes == nil {
		out.Notes = map[string]string{}
	}
	old, there := out.Notes[key]
	switch {
	case there && len(old) < maxNote:
		text = old + " " + text
	case there:
		return
	case len(out.Notes) >= maxNotes:
		key = "more"
		text = fmt.Sprintf("more than %d rules have something to say", maxNotes)
	}
	out.Notes[key] = bounded(text, maxNote)
}

// keyOf is the key of an annotation: letters, digits and dashes.
func keyOf(id string) string {
	id = strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' {
			return c
		}
		return '-'
	}, id)
	return strings.Trim(id[:min(len(id), maxAnnotated)], "-")
}

// bounded is a text on one line, of at most that many bytes.
func bounded(text string, most int) string {
	text = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(strings.TrimSpace(text), "�"))
	if len(text) <= most {
		return text
	}
	const dots = "…"
	return strings.ToValidUTF8(text[:most-len(dots)], "") + dots
}
