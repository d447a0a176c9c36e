package image

import (
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// releaseFiles are where os-release(5) stands, the one that counts last.
var releaseFiles = []string{"usr/lib/os-release", "etc/os-release"}

func readRelease(in *input) (*find, error) {
	s := &fact.System{}
	edition, version := "", ""
	var like []string
	err := in.lines(func(line string) bool {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			return true
		}
		value = unquote(strings.TrimSpace(value))
		switch key {
		case "ID":
			s.ID = strings.ToLower(value)
		case "ID_LIKE":
			like = strings.Fields(strings.ToLower(value))
		case "VERSION_ID":
			s.Version = value
		case "VERSION_CODENAME":
			s.Codename = value
		case "PRETTY_NAME":
			s.Name = value
		case "CPE_NAME":
			edition = value
		case "VERSION":
			version = value
		}
		return true
	})
	switch s.ID {
	case "rhel":
		s.Edition = edition
	case "openeuler":
		s.Edition = version
	}
	if *s == (fact.System{}) {
		return nil, err
	}
	return &find{system: s, like: like}, err
}

// unquote takes away the quotes of a shell's assignment.
func unquote(value string) string {
	if len(value) >= 2 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
		value = value[1 : len(value)-1]
	}
	return strings.NewReplacer(`\"`, `"`, `\$`, "$", `\\`, `\`, "\\`", "`").Replace(value)
}
