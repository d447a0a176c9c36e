package image

import (
	"path"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// maxPasswordless is how many lines of one file are told.
const maxPasswordless = 100

// passwordlessReader reads who becomes another user without a password; nil for nearly all files. Of sudoers.d sudo leaves out names
// with a dot or a tilde at the end (sudoers(5), @includedir).
func passwordlessReader(at string) func(r *record, text []byte) {
	dir, base := path.Dir(at), path.Base(at)
	switch {
	case at == "etc/sudoers", at == "usr/local/etc/sudoers", dir == "etc/sudoers.d" && !strings.Contains(base, ".") && !strings.HasSuffix(base, "~"):
		return readSudoers
	case at == "etc/doas.conf", dir == "etc/doas.d" && strings.HasSuffix(base, ".conf"):
		return readDoas
	}
	return nil
}

func (r *record) passwordless(who, commands string) {
	if who == "root" || who == "#0" || len(r.sudo) >= maxPasswordless {
		return // who is root becomes nobody greater
	}
	commands, _ = masked(strings.Join(strings.Fields(commands), " "))
	r.sudo = append(r.sudo, fact.Passwordless{Name: strings.ToValidUTF8(who, "?"), Commands: strings.ToValidUTF8(commands, "?"), Path: r.path})
}

// readSudoers reads sudoers(5): lines that a backslash carries on, whose first word is who they are about.
func readSudoers(r *record, text []byte) {
	for line := range strings.Lines(strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), "\\\n", " ")) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' && (len(line) == 1 || line[1] < '0' || line[1] > '9') { // #1000 is a user
			continue
		}
		line, _, _ = strings.Cut(line, " #")
		who, rest, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
		if scope, is := strings.CutPrefix(who, "Defaults"); is {
			if strings.Contains(strings.ReplaceAll(rest, " ", ""), "!authenticate") {
				r.passwordless(strings.TrimPrefix(scope, ":")+everybody(scope), "whatever sudo allows")
			}
			continue
		}
		if strings.HasSuffix(who, "_Alias") {
			continue
		}
		if _, commands, found := strings.Cut(rest, "NOPASSWD:"); found {
			commands, _, _ = strings.Cut(commands, " PASSWD:")
			r.passwordless(who, commands)
		}
	}
}

func everybody(scope string) string {
	if scope == "" {
		return "everybody"
	}
	return ""
}

// readDoas reads doas.conf(5): permit [nopass …] identity [as user] [cmd command].
func readDoas(r *record, text []byte) {
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "permit" {
			continue
		}
		nopass, inside := false, false
		for i, w := range words[1:] {
			switch {
			case inside || strings.HasPrefix(w, "{"): // setenv { … }
				inside = !strings.HasSuffix(w, "}")
			case w == "nopass":
				nopass = true
			case w != "persist" && w != "keepenv" && w != "setenv" && w != "nolog":
				if nopass {
					r.passwordless(w, strings.Join(append([]string{"ALL"}, words[i+2:]...), " "))
				}
				nopass = false
			}
		}
	}
}
