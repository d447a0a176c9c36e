package credential

import "strings"

// Masks says whether a report must not show the value that stands under the key.
func Masks(key, value string) bool {
	switch {
	case isPlaceholder(value) || isSwitch(value):
		return false
	case namesSecret(key) && !isPath(value):
		return true
	}
	return Kind(key, value) != None || ByForm(Decode(value)) != None
}

// Span is a part of a text.
type Span struct{ Start, End int }

// Spans are the parts of a text that a report must not show, in order: what follows a telling name
// on its line ("password: x", "PASSWORD=x", "<password>x", "--password x"), the lines that stand
// below one, and what is a credential by its form. Each is a line or the end of one.
func Spans(text string) []Span {
	var spans []Span
	below := -1  // the indentation of a telling name whose value stands on the lines below; -1 for none
	key := false // between the lines of a private key
	for at := 0; at < len(text); {
		line := text[at:]
		if end := strings.IndexByte(line, '\n'); end >= 0 {
			line = line[:end]
		}
		indent := len(line) - len(strings.TrimLeft(line, " \t"))
		blank := indent == len(line)
		if !blank && indent <= below {
			below = -1
		}
		from, opens := inLine(line)
		switch {
		case blank:
		case key || below >= 0:
			spans = append(spans, Span{at + indent, at + len(line)})
		case from >= 0:
			spans = append(spans, Span{at + from, at + len(line)})
		}
		if opens {
			below = indent
		}
		switch {
		case strings.Contains(line, "-----BEGIN ") && strings.Contains(line, "PRIVATE KEY"):
			key = true
		case strings.Contains(line, "-----END "):
			key = false
		}
		at += len(line) + 1
	}
	return spans
}

// inLine is where a line's first credential begins, -1 where there is none; opens is set when the
// line ends in a telling name and the value must stand below.
func inLine(line string) (from int, opens bool) {
	for at := range len(line) {
		name := nameBefore(line, at)
		if !namesSecret(name) {
			continue
		}
		rest := strings.TrimLeft(line[at+1:min(len(line), at+farthest)], " \t\\\"'")
		mark := strings.TrimRight(rest, " \t\r+-")
		switch {
		case (mark == "" || mark == "|" || mark == ">") && at+farthest < len(line):
			return at + 1, false
		case mark == "" && strings.ContainsAny(line[at+1:], `"'`), mark == "" && line[at] == ' ':
			continue
		case mark == "", mark == "|", mark == ">":
			return -1, true
		}
		value := rest[:wordEnd(rest, "\"' \t,}])<")]
		if !standsIn(rest) && !isPlaceholder(value) && !isSwitch(value) && (!isPath(value) || line[at] == '>') {
			return at + 1, false
		}
	}
	if at := authorization(line); at >= 0 {
		return at, false
	}
	if ByForm(line) == None && !isKeyMaterial(line) {
		return -1, false
	}
	if at := strings.IndexAny(line, ":="); at > 0 && ByForm(line[:at]) == None && ByForm(line[at+1:]) != None {
		return at + 1, false
	}
	content := strings.TrimLeft(line, " \t")
	return len(line) - len(strings.TrimPrefix(strings.TrimPrefix(content, "- "), "# ")), false
}

// standsIn says whether the text begins with a place holder that is all of a value, blanks in it included.
func standsIn(rest string) bool {
	for _, form := range placeholders {
		if !strings.HasPrefix(rest, form[0]) {
			continue
		}
		if end := strings.Index(rest[len(form[0]):], form[1]); end >= 0 {
			rest = rest[len(form[0])+end+len(form[1]):]
			return rest == "" || strings.IndexByte("\"' \t\r,}])<", rest[0]) >= 0
		}
	}
	return false
}

// nameBefore is the name that ends at a separator of names and values, "" where there is none:
// "name:", "name=", "<name>", and before a blank a flag or the first word of the line.
func nameBefore(line string, at int) string {
	switch c := line[at]; {
	case c == '=' || c == '>':
	case c == ':' && (at+1 == len(line) || strings.IndexByte(" \t\r\"'\\", line[at+1]) >= 0):
	case c == ' ' && at > 0 && line[at-1] != ' ' && strings.IndexByte("=:", firstBehind(line[at:])) < 0:
	default:
		return ""
	}
	name := strings.TrimRight(line[max(0, at-longest):at], " \t\\\"'")
	begin := strings.LastIndexAny(name, " \t,{[\"'<(;&|?`$:=>") + 1
	switch {
	case line[at] == ' ' && name[begin:] == "",
		line[at] == ' ' && name[begin] != '-' && strings.Trim(name[:begin], " \t#-") != "",
		line[at] == '>' && (begin == 0 || name[begin-1] != '<'):
		return ""
	}
	return name[begin:]
}

// farthest is how far behind its name a value is looked for.
const farthest = 500

// firstBehind is the first character behind blanks, 0 where there is none near.
func firstBehind(s string) byte {
	s = strings.TrimLeft(s[:min(len(s), farthest)], " ")
	if s == "" {
		return 0
	}
	return s[0]
}

// isKeyMaterial says whether a line is nothing but a long piece of base64: the inside of a key whose
// head is not shown. Digests in hex are none.
func isKeyMaterial(line string) bool {
	line = strings.Trim(line, " \t\r#'\"")
	if len(line) < 40 {
		return false
	}
	hex := true
	for i := range len(line) {
		c := line[i]
		digit := c >= '0' && c <= '9'
		if !digit && !isSmall(c) && !isCapital(c) && c != '+' && c != '/' && c != '=' {
			return false
		}
		hex = hex && (digit || c >= 'a' && c <= 'f')
	}
	return !hex
}
