package image

import (
	"path"
	"strings"
)

// javaReader knows the file in which a runtime of Java tells its release. Others are called so, too: only the content says.
func javaReader(string) reader { return readJavaRelease }

func readJavaRelease(in *input) (*find, error) {
	if in.size > maxText {
		return nil, nil // none of Java's
	}
	version := ""
	err := in.lines(func(line string) bool {
		if key, value, _ := strings.Cut(line, "="); key == "JAVA_VERSION" {
			version = unquote(strings.TrimSpace(value))
		}
		return version == ""
	})
	if version == "" {
		if _, over := err.(boundError); over { //nolint:errorlint // lines' own, never wrapped
			err = nil // a line of that length is in none of Java's
		}
		return nil, err
	}
	return bundled("java", "Bitnami", version), nil
}

// goRootReader knows the file in which an installation of Go tells its release.
func goRootReader(at string) reader {
	if path.Base(path.Dir(at)) == "go" {
		return readGoRoot
	}
	return nil
}

func readGoRoot(in *input) (*find, error) {
	if in.size > maxLine {
		return nil, nil // none of Go's
	}
	text, err := in.text()
	line, _, _ := strings.Cut(string(text), "\n")
	version, found := strings.CutPrefix(strings.TrimSpace(line), "go")
	if err != nil || !found || !releaseForm.MatchString(version) {
		return nil, err
	}
	return bundled("golang", "Bitnami", version), nil
}
