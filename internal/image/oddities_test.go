package image

import (
	"strings"
	"testing"
)

// TestVersionless asks that a package without a version stays in the list and is told, as is a database that makes no sense.
func TestVersionless(t *testing.T) {
	for name, tt := range map[string]struct{ at, text, told, want string }{
		"npm":               {"node_modules/lodash/package.json", `{"name":"lodash"}`, "npm lodash", `1 packages have no version, "lodash" the first`},
		"npm without both":  {"node_modules/@s/a/package.json", `{}`, "npm @s/a", `"@s/a"`},
		"dpkg":              {"var/lib/dpkg/status", "Package: a\nVersion: 1\n\nPackage: nov\nStatus: install ok installed\n\n", "dpkg a 1, dpkg nov", `"nov"`},
		"dpkg, removed":     {"var/lib/dpkg/status", "Package: nov\nStatus: deinstall ok config-files\n\n", "", ""},
		"dpkg without name": {"var/lib/dpkg/status", "Foo: a\nBar: 1\n\n", "", "1 packages have no name"},
		"dpkg, rubbish":     {"var/lib/dpkg/status", "\x00\x01\x02\nxyz\n", "", "2 lines are not understood"},
		"dpkg's long lines": {"var/lib/dpkg/status", "Package: a\nVersion: 1\nDescription: b\n long\n .\nConffiles:\n /etc/a 0123\n", "dpkg a 1", ""},
		"apk":               {"lib/apk/db/installed", "P:a\nV:1\n\nP:b\nA:x86_64\n\n", "apk a 1, apk b", `"b"`},
		"apk, rubbish":      {"lib/apk/db/installed", strings.Repeat("garbage\n", 10), "", "10 lines are not understood"},
		"apk, empty lines":  {"lib/apk/db/installed", "\n\nP:a\nV:1\n\n\n", "apk a 1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readAt(t, tt.at, tt.text)
			if got != tt.told || (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, %v, want %q, %q", got, err, tt.told, tt.want)
			}
		})
	}
}
