package report

import (
	"strings"
	"unicode/utf8"
)

// marks are the characters by which, inside a line, Markdown, HTML and GitHub read more into a text than it says. A
// backslash does not keep GitHub from telling a user of a mention, nor from linking an issue or an address:
// those are broken by a character that shows as nothing.
var marks = func() *strings.Replacer {
	const nothing = "&#8203;"
	list := []string{
		"&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "@" + nothing, "#", `\#` + nothing, "://", `:` + nothing + `//`,
		"www.", "www" + nothing + ".", "WWW.", "WWW" + nothing + ".", "GH-", "GH" + nothing + "-",
	}
	for _, c := range "\\`*_{}[]!|~$" {
		list = append(list, string(c), `\`+string(c))
	}
	return strings.NewReplacer(list...)
}()

// marked is text from the input as it may stand in Markdown, in a table's cell too: it shows as itself.
func marked(s string) string {
	s = visible(s)
	if isWords(s) {
		return s
	}
	return marks.Replace(s)
}

// inHTML is text between HTML tags, where Markdown is not read but mentions and addresses are.
func inHTML(s string) string { return htmlMarks.Replace(visible(s)) }

var htmlMarks = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "@", "@&#8203;", "#", "#&#8203;",
	"://", ":&#8203;//", "www.", "www&#8203;.", "GH-", "GH&#8203;-")

// isWords says that nothing in a text can mean anything to Markdown.
func isWords(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') && s[i] != ' ' && s[i] != '/' && s[i] != ',' && s[i] != '-' {
			return false
		}
	}
	return true
}

// brief is marked text of at most so many characters.
func brief(s string, limit int) string { return marked(strings.TrimSpace(cut(visible(s), limit))) }

// code is text as a code span: in it GitHub sees no mention, and Markdown no marks but the bar of a
// table and backticks.
func code(s string) string {
	s = strings.TrimSpace(visible(s))
	if s == "" {
		return ""
	}
	if strings.ContainsAny(s, "`|\\") {
		return marked(s)
	}
	return "`" + s + "`"
}

// fenced is lines as a code block whose fence none of them can end.
func fenced(lines []string) string {
	run, longest := 0, 2
	for _, line := range lines {
		run = 0
		for i := range len(line) {
			if line[i] == '`' {
				run++
				longest = max(longest, run)
			} else {
				run = 0
			}
		}
	}
	fence := strings.Repeat("`", longest+1)
	return fence + "text\n" + strings.Join(lines, "\n") + "\n" + fence + "\n"
}

// runes counts characters as GitHub's bound does: UTF-16 code units at worst.
func runes(s string) int {
	n := utf8.RuneCountInString(s)
	for _, r := range s {
		if r > 0xffff {
			n++
		}
	}
	return n
}
