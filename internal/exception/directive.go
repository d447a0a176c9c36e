package exception

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// directive is the spelling of a record on one line:
//
//	RULE[,RULE…] owner=… reason="…" expires=2027-01-31 [ticket=…] [fingerprints=…] [container=…] [image=…] [atMost=…]
//
// A value with spaces stands in quotes; \" and \\ are what they are inside double ones.
type directive struct {
	exception verdict.Exception
	faults    []fault
	given     map[string]bool
	rules     bool // rules may be named: nobody did yet
}

func (d *directive) wrong(remedy, format string, args ...any) {
	d.faults = append(d.faults, fault{text: fmt.Sprintf(format, args...), remedy: remedy})
}

const directiveForm = `Write: RULE owner=WHO reason="WHY" expires=2027-01-31.`

// parse reads a directive for an object or a part of it. rule is the one that stands elsewhere (in an
// annotation's key); "" when the directive names its rules itself.
func parse(text, rule string, within *verdict.Within) (verdict.Exception, []fault) {
	d := &directive{given: map[string]bool{}, rules: rule == ""}
	d.exception.Within = within
	if rule != "" {
		d.exception.Rules = []string{rule}
	}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		text = d.word(text)
	}
	if len(d.faults) == 0 {
		for _, p := range d.exception.Problems() {
			remedy := p.Remedy
			if strings.HasSuffix(p.Text, "is missing") {
				remedy = directiveForm
			}
			d.wrong(remedy, "%s", p.Text)
		}
	}
	return d.exception, d.faults
}

// word takes the next word, and answers with what follows it.
func (d *directive) word(text string) string {
	end := strings.IndexAny(text, " \t\r\n=")
	if end < 0 || text[end] != '=' {
		if end < 0 {
			end = len(text)
		}
		d.names(text[:end])
		return text[end:]
	}
	key := text[:end]
	value, rest, ok := quoted(text[end+1:])
	if !ok {
		d.wrong("Close the quotes, and put a space behind them.", "the value of %s has no end", short(key))
		return ""
	}
	d.rules = false
	d.set(key, value)
	return rest
}

// names takes rule ids, which stand before everything else.
func (d *directive) names(word string) {
	if !d.rules {
		d.wrong("Put a value with spaces into quotes, and rules first.", "%q stands where KEY=VALUE is wanted", short(word))
		return
	}
	for id := range strings.SplitSeq(word, ",") {
		if id != "" {
			d.exception.Rules = append(d.exception.Rules, id)
		}
	}
}

// quoted takes a value, which ends at white space or with the quotes that it began with.
func quoted(text string) (value, rest string, ok bool) {
	if text == "" || text[0] != '"' && text[0] != '\'' {
		if end := strings.IndexAny(text, " \t\r\n"); end >= 0 {
			return text[:end], text[end:], true
		}
		return text, "", true
	}
	quote := text[0]
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quote == '"' && i+1 < len(text) && (text[i+1] == '"' || text[i+1] == '\\'):
			i++
			b.WriteByte(text[i])
		case c == quote:
			rest = text[i+1:]
			return b.String(), rest, rest == "" || strings.ContainsRune(" \t\r\n", rune(rest[0]))
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

func (d *directive) set(key, value string) {
	e := &d.exception
	value = strings.TrimSpace(value)
	switch {
	case d.given[key]:
		d.wrong("Give it once.", "%s is given twice", short(key))
		return
	case value == "":
		d.wrong("Fill it in, or leave it out.", "%s is empty", short(key))
		return
	}
	d.given[key] = true
	switch key {
	case "owner":
		e.Owner = value
	case "reason":
		e.Reason = value
	case "ticket":
		e.Ticket = value
	case "container":
		e.Container = value
	case "image":
		e.Image = value
	case "fingerprints":
		e.Fingerprints = strings.Split(value, ",")
	case "expires":
		day, err := Day(value)
		if err != nil {
			d.wrong("Write a day: 2027-01-31.", "expires: %v", err)
		}
		e.Expires = day
	case "atMost":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > 1<<30 {
			d.wrong("Write a number of findings, 1 or more.", "atMost is no number from 1")
			return
		}
		e.AtMost = n
	case "selector", "kind", "name", "labels", "namespace":
		d.wrong("Leave it out, or write the exception into a file.", "%s: what stands at an object is for that object alone", key)
	default:
		d.wrong("Its keys are owner, reason, expires, ticket, fingerprints, container, image, atMost.", "unknown key %q", short(key))
	}
}
