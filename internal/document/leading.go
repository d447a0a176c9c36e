package document

import "strings"

// leading is where the text before a document begins that belongs to none: its "---" line, and what
// stands between that and the document before it, or the beginning of the text. It has no content.
func (d *Doc) leading() int {
	text := d.source.content
	at, marker := int(d.start), int(d.start)
	for at > 0 && text[at-1] == '\n' {
		from := strings.LastIndexByte(text[:at-1], '\n') + 1
		line := strings.TrimSpace(text[from:at])
		switch {
		case isMarker(text[from:at]) && (len(line) == 3 || strings.HasPrefix(strings.TrimSpace(line[3:]), "#")):
			marker = from
		case line != "" && line[0] != '#':
			return marker // comments above the marker are of the document before it
		}
		at = from
	}
	if at > 0 {
		return marker
	}
	return 0
}

// detached are the comments before a document that begin with the marker, and stand at nothing.
func (d *Doc) detached(marker string) []Comment {
	from := d.leading()
	text := d.source.content[from:d.start]
	var found []Comment
	for at := 0; len(found) < maxComments; at += len(marker) {
		n := strings.Index(text[at:], marker)
		if n < 0 {
			break
		}
		at += n
		hash, ok := beginsComment(text, at, at+len(marker))
		if !ok {
			continue
		}
		c := Comment{Text: text[at+len(marker):]}
		c.Text, _, _ = strings.Cut(c.Text, "\n")
		c.Text = strings.TrimSpace(c.Text)
		c.Line, c.Column = d.source.Position(from + hash)
		found = append(found, c)
	}
	return found
}
