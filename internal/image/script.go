package image

import (
	"bytes"
	"strings"
)

// script is a text that names its interpreter.
type script struct {
	interpreter string
	background  bool // a shell's that leaves programs running behind it
}

// scriptOf reads the first line, and whether commands of a shell go to the background.
func scriptOf(text []byte) *script {
	line, rest, _ := bytes.Cut(text[2:], []byte("\n"))
	words := strings.Fields(string(line[:min(len(line), 512)]))
	if len(words) == 0 {
		return &script{}
	}
	s := &script{interpreter: words[0]}
	if strings.HasSuffix(words[0], "/env") {
		for _, w := range words[1:] {
			if !strings.HasPrefix(w, "-") && !strings.Contains(w, "=") {
				s.interpreter = w
				break
			}
		}
	}
	if !isShell(s.interpreter) {
		return s
	}
	for line := range bytes.Lines(rest) {
		line, _, _ = bytes.Cut(bytes.TrimSpace(line), []byte(" #"))
		if len(line) > 1 && line[0] != '#' && line[len(line)-1] == '&' && line[len(line)-2] != '&' {
			s.background = true
		}
	}
	return s
}

func isShell(at string) bool {
	switch at[strings.LastIndexByte(at, '/')+1:] {
	case "sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "busybox":
		return true
	}
	return false
}
