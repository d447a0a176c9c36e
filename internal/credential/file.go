package credential

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// MaxFile is how many bytes of one text are searched.
const MaxFile = 16 << 20

// Bounds of the window through which a file passes.
const (
	windowSize = 256 << 10
	overlap    = 16 << 10 // bytes that are searched again with what follows them: twice what any form of a credential has
	headSize   = 8 << 10 // what has no NUL in so many bytes is a text
)

// Search looks for credentials in a file of an image as it passes, and remembers their kinds alone. It is stricter than
// Kind: programs and documents speak of keys and passwords without holding any. The zero value is ready for Reset.
type Search struct {
	at, base string
	form     form
	window   []byte
	seen     int64
	over     bool // it is no text, or all that is searched has passed
	cut      bool // it is a text with more bytes than are searched
	kinds    []string
}

// Reset begins with the file at a path.
func (s *Search) Reset(at string) {
	*s = Search{at: strings.ToLower(at), base: strings.ToLower(path.Base(at)), window: s.window[:0]}
}

// Write is given the file, one piece after the other, and never fails. More says whether it wants another.
func (s *Search) Write(piece []byte) (int, error) {
	all := len(piece)
	if left := MaxFile - s.seen; int64(len(piece)) > left {
		piece, s.cut = piece[:left], !s.over
	}
	for len(piece) > 0 && !s.over {
		n := min(len(piece), windowSize-len(s.window))
		s.window = append(s.window, piece[:n]...)
		s.seen += int64(n)
		piece = piece[n:]
		if s.seen >= headSize && s.seen-int64(n) < headSize {
			s.begin()
		}
		if len(s.window) == windowSize {
			s.slide()
		}
	}
	s.over = s.over || s.cut
	return all, nil
}

// More says whether anything of what follows would be searched.
func (s *Search) More() bool { return !s.over }

// Cut says whether it is a text of which more has passed than is searched.
func (s *Search) Cut() bool { return s.cut }

// Kinds are the kinds of credentials that the file holds, each once and in order. It ends the search.
func (s *Search) Kinds() []string {
	if s.seen < headSize {
		s.begin()
	}
	if len(s.window) > 0 && (!s.over || s.cut) {
		s.look(string(s.window), true)
	}
	s.over, s.window = true, s.window[:0]
	slices.Sort(s.kinds)
	return slices.Compact(s.kinds)
}

// InFile is Search for a file that is at hand.
func InFile(at string, text []byte) []string {
	var s Search
	s.Reset(at)
	_, _ = s.Write(text)
	return s.Kinds()
}

// begin judges by its beginning what the file is.
func (s *Search) begin() {
	switch head := s.window[:min(len(s.window), headSize)]; {
	case isKeyStore(s.base, head):
		s.kinds = append(s.kinds, PrivateKey)
		s.over = true
	case bytes.IndexByte(head, 0) >= 0:
		s.over = true
	default:
		s.form = formOf(s.at, s.base, head)
		return
	}
	s.window, s.cut = s.window[:0], false
}

// slide looks through the window and keeps its end: from the beginning of a line on where there is one.
func (s *Search) slide() {
	s.look(string(s.window), false)
	end := s.window[len(s.window)-overlap:]
	if line := bytes.IndexByte(end, '\n'); line >= 0 && line < overlap/2 {
		end = end[line+1:]
	}
	s.window = append(s.window[:0], end...)
}

// look searches a part of the text; last says that nothing follows it.
func (s *Search) look(text string, last bool) {
	add := func(kind string, is bool) {
		if is && !slices.Contains(s.kinds, kind) {
			s.kinds = append(s.kinds, kind)
		}
	}
	add(PrivateKey, hasPrivateKey(s.at, text, last))
	if hasLongWord(text) {
		add(AWSKey, hasRealAWSKey(text))
		add(Token, hasVendorToken(text))
		webTokenKinds(text, add)
	}
	if inKnownFile(s.at, s.base, text, add) {
		return
	}
	switch s.form {
	case settingsForm:
		add(URLPassword, hasSettingURL(text))
		inSettings(text, add)
	case programForm:
		inProgram(s.base, text, add)
	case shellForm:
		inShell(text, add)
	case plainForm:
		inVariables(text, add)
	case otherForm:
	}
}

// keyStores are files of keys by the end of their name and how they begin.
var keyStores = []struct{ end, head string }{
	{".p12", "\x30\x82"},
	{".pfx", "\x30\x82"},
	{".jks", "\xfe\xed\xfe\xed"},
	{".keystore", "\xfe\xed\xfe\xed"},
	{".keystore", "\x30\x82"},
	{".jks", "\x30\x82"},
	{".kdbx", "\x03\xd9\xa2\x9a"},
	{".ppk", "PuTTY-User-Key-File"},
}

func isKeyStore(base string, text []byte) bool {
	for _, k := range keyStores {
		if strings.HasSuffix(base, k.end) && bytes.HasPrefix(text, []byte(k.head)) {
			return true
		}
	}
	return false
}

