package advisory

import "strings"

// modular says whether packages were built for a module stream of an rpm distribution.
type modular byte

const (
	unsaid modular = iota
	plain
	streamed
)

// isModular says whether a version is one of a module's packages: their releases say so (1.module+el8.9.0+20090).
func isModular(version string) bool { return strings.Contains(version, ".module") }

// modularOf is what the fixes of a package say: an advisory for a stream mends the packages of streams alone, and
// others mend only what was built outside of them.
func modularOf(intervals []interval) modular {
	said := unsaid
	for _, i := range intervals {
		is := plain
		if isModular(i.upper) {
			is = streamed
		}
		switch {
		case i.end == endless, said != unsaid && said != is:
			return unsaid
		}
		said = is
	}
	return said
}

// moduleStreams are the streams that an advisory is for, as its title names them: "Important: nodejs:18 security update".
func moduleStreams(title string) []string {
	var list []string
	for word := range strings.FieldsSeq(title) {
		word = strings.TrimRight(word, ",;.")
		name, stream, found := strings.Cut(word, ":")
		if found && name != "" && stream != "" && !strings.ContainsAny(stream, ":/") && isLetter(name[0]) && !strings.HasPrefix(name, "CVE-") && len(list) < 8 {
			list = append(list, word)
		}
	}
	return list
}

// streamOf is the name and stream of a module's label, "nodejs:18:8090020240101:a75119d5".
func streamOf(label string) string {
	name, rest, _ := strings.Cut(label, ":")
	stream, _, _ := strings.Cut(rest, ":")
	if name == "" || stream == "" {
		return ""
	}
	return name + ":" + stream
}
