package source

import (
	"strings"
)

// ignoreFiles are the names of ignore files in rising order: what a later one says, wins.
var ignoreFiles = [...]string{".gitignore", ".coamingignore"}

// scope is the ignore files of one directory and, through outer, of those above it.
type scope struct {
	outer *scope
	// base is the length of the directory's path, with its last slash, below the outermost scope.
	base  int
	rules [len(ignoreFiles)][]ignoreRule
}

// ignoreRule is one line of an ignore file, with git's meaning (man gitignore).
type ignoreRule struct {
	segments []string // the pattern between its slashes
	negated  bool
	dirOnly  bool
	anchored bool // matched from the file's own directory, else in any directory below
}

// ignored says whether a path below the outermost scope is left out. git leaves out what stands in
// a directory that is left out; the walk sees to that by not entering it.
func (s *scope) ignored(path string, dir bool) bool {
	for kind := len(ignoreFiles) - 1; kind >= 0; kind-- {
		for at := s; at != nil; at = at.outer {
			rules := at.rules[kind]
			for i := len(rules) - 1; i >= 0; i-- {
				if rules[i].matches(path[at.base:], dir) {
					return !rules[i].negated
				}
			}
		}
	}
	return false
}

func (r *ignoreRule) matches(path string, dir bool) bool {
	if r.dirOnly && !dir {
		return false
	}
	if !r.anchored {
		return matchName(r.segments[0], path[strings.LastIndexByte(path, '/')+1:])
	}
	return matchPath(r.segments, path)
}

// parseIgnore reads an ignore file.
func parseIgnore(text string) []ignoreRule {
	var rules []ignoreRule
	text = strings.TrimPrefix(text, "\ufeff")
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if rule, ok := parseIgnoreLine(line); ok {
			rules = append(rules, rule)
		}
	}
	return rules
}

func parseIgnoreLine(line string) (ignoreRule, bool) {
	if strings.HasPrefix(line, "#") {
		return ignoreRule{}, false
	}
	for strings.HasSuffix(line, " ") && !escapedEnd(line[:len(line)-1]) {
		line = line[:len(line)-1]
	}
	var r ignoreRule
	line, r.negated = strings.CutPrefix(line, "!")
	line, r.dirOnly = strings.CutSuffix(line, "/")
	line, r.anchored = strings.CutPrefix(line, "/")
	if line == "" {
		return ignoreRule{}, false
	}
	r.segments = strings.Split(line, "/")
	r.anchored = r.anchored || len(r.segments) > 1
	return r, true
}

// escapedEnd says whether the text ends with an odd number of backslashes.
func escapedEnd(s string) bool {
	n := len(s) - len(strings.TrimRight(s, `\`))
	return n%2 == 1
}

// matchPath matches whole segments; "**" stands for any number of them, at the end for at least one.
func matchPath(pattern []string, path string) bool {
	for i, p := range pattern {
		if p == "**" {
			rest := pattern[i+1:]
			if len(rest) == 0 {
				return path != ""
			}
			if rest[0] == "**" {
				continue
			}
			for {
				if matchPath(rest, path) {
					return true
				}
				_, after, found := strings.Cut(path, "/")
				if !found {
					return false
				}
				path = after
			}
		}
		name, after, found := strings.Cut(path, "/")
		last := i == len(pattern)-1
		if found == last || !matchName(p, name) {
			return false
		}
		path = after
	}
	return true
}

// matchName matches one name against a shell pattern: *, ?, [a-z], and \ before a character.
func matchName(pattern, name string) bool {
	p, n := 0, 0
	starP, starN := -1, 0
	for n < len(name) {
		if p < len(pattern) {
			if pattern[p] == '*' {
				starP, starN = p, n
				p++
				continue
			}
			if size, ok := matchByte(pattern[p:], name[n]); ok {
				p += size
				n++
				continue
			}
		}
		if starP < 0 {
			return false
		}
		starN++
		p, n = starP+1, starN
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// matchByte matches one byte against the pattern's first element and returns the element's length.
func matchByte(pattern string, c byte) (size int, ok bool) {
	switch pattern[0] {
	case '?':
		return 1, true
	case '\\':
		if len(pattern) > 1 {
			return 2, pattern[1] == c
		}
		return 1, false
	case '[':
		return matchClass(pattern, c)
	default:
		return 1, pattern[0] == c
	}
}

func matchClass(pattern string, c byte) (size int, ok bool) {
	i := 1
	negated := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negated {
		i++
	}
	found := false
	for first := true; ; first = false {
		if i >= len(pattern) {
			return 1, false // no end: git matches nothing
		}
		if pattern[i] == ']' && !first {
			return i + 1, found != negated
		}
		if name, after, named := strings.Cut(pattern[i:], ":]"); named && strings.HasPrefix(name, "[:") && !strings.Contains(name[2:], "]") {
			in, known := inClass(name[2:], c)
			if !known {
				return 1, false
			}
			found = found || in
			i = len(pattern) - len(after)
			continue
		}
		low, next := classByte(pattern, i)
		high := low
		if next+1 < len(pattern) && pattern[next] == '-' && pattern[next+1] != ']' {
			high, next = classByte(pattern, next+1)
		}
		found = found || low <= c && c <= high
		i = next
	}
}

func classByte(pattern string, i int) (c byte, next int) {
	if pattern[i] == '\\' && i+1 < len(pattern) {
		i++
	}
	return pattern[i], i + 1
}

func inClass(name string, c byte) (in, known bool) {
	lower, upper, digit := c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9'
	graph := c > ' ' && c < 0x7f
	switch name {
	case "alpha":
		return lower || upper, true
	case "digit":
		return digit, true
	case "alnum":
		return lower || upper || digit, true
	case "lower":
		return lower, true
	case "upper":
		return upper, true
	case "space":
		return c == ' ' || c >= '\t' && c <= '\r', true
	case "blank":
		return c == ' ' || c == '\t', true
	case "punct":
		return graph && !lower && !upper && !digit, true
	case "graph":
		return graph, true
	case "print":
		return graph || c == ' ', true
	case "cntrl":
		return c < ' ' || c == 0x7f, true
	case "xdigit":
		return digit || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F', true
	default:
		return false, false
	}
}
