package rule

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/document"
)

func TestParseSettings(t *testing.T) {
	tests := map[string]struct {
		text string
		want Settings
		errs []string
	}{
		"empty":   {"", Settings{}, nil},
		"comment": {"# nothing yet\n", Settings{}, nil},
		"all": {
			"registries: [Registry.example.com, '*.pkg.example.com', 'localhost:5000']\npublishers: [docker.io/library, 'localhost:5000/team/sub']\nprivateRegistries: [registry.example.com]\n",
			Settings{[]string{"registry.example.com", "*.pkg.example.com", "localhost:5000"}, []string{"docker.io/library", "localhost:5000/team/sub"}, []string{"registry.example.com"}, nil},
			nil,
		},
		"null":           {"registries: null\n", Settings{}, nil},
		"every problem":  {"registries: [https://a, a/b, 3]\nregistry: [a]\npublishers: docker.io\n", Settings{}, []string{"s.yaml:1:", "https://a", "a/b", `s.yaml:2:1: unknown key "registry"`, "s.yaml:3:1: publishers is no list"}},
		"barred":         {"exceptions: {inline: {barred: [critical, host-pid]}}\n", Settings{InlineBarred: []string{"critical", "host-pid"}}, nil},
		"barred wrong":   {"exceptions: {inline: {barred: [Critical, 3], bared: []}, outline: {}}\n", Settings{}, []string{`"Critical" is neither`, `unknown key "bared"`, `unknown key "outline"`}},
		"barred no list": {"exceptions: {inline: {barred: critical}}\n", Settings{}, []string{"exceptions.inline.barred is no list"}},
		"a list":         {"- a\n", Settings{}, []string{"settings is no map"}},
		"two documents":  {"registries: []\n---\nregistries: []\n", Settings{}, []string{"want one YAML map"}},
		"no YAML":        {"registries: [\n", Settings{}, []string{"s.yaml:"}},
		"a key twice":    {"registries: [a]\nregistries: [b]\n", Settings{}, []string{"s.yaml:"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseSettings("s.yaml", test.text)
			for _, want := range test.errs {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v does not say %q", err, want)
				}
			}
			if len(test.errs) == 0 {
				if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
			}
		})
	}
}

// FuzzParseSettings reads any text as settings: what is accepted has the forms that rules expect.
func FuzzParseSettings(f *testing.F) {
	f.Add("registries: [a.example.com, '*.b']\npublishers: [a/b]")
	f.Add("privateRegistries:\n- {a: b}\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSettings("s.yaml", text)
		if err != nil {
			return
		}
		for _, entry := range append(s.Registries, s.PrivateRegistries...) {
			if strings.ContainsAny(entry, "/ \n") || entry != strings.ToLower(entry) {
				t.Errorf("%q is accepted as a registry", entry)
			}
		}
		for _, entry := range s.Publishers {
			if !strings.Contains(entry, "/") {
				t.Errorf("%q is accepted as a publisher", entry)
			}
		}
	})
}

// TestCredentialsInTree finds credentials by place and never tells a value.
func TestCredentialsInTree(t *testing.T) {
	tests := map[string]string{
		`{auth: {password: kR8vQ2pLx9}}`:                                                                         "[auth.password]",
		`{env: [{name: DB_PASSWORD, value: kR8vQ2pLx9}]}`:                                                        "[env[0].value]",
		`{env: [{name: LEVEL, value: debug}], list: ["--token=kR8vQ2pLx9"]}`:                                     "[list[0]]",
		`{tokens: {"ghp_aB3aB3aB3aB3aB3aB3aB3aB3aB3aB3aB3aB3": {password: kR8vQ2pLx9}}}`:                         "[tokens.….password]",
		`{existingSecret: db, secret: shop-database, tokenSecretRef: {name: a, key: token}, password: "", n: 3}`: "[]",
		`{password: "${PASSWORD}", other: {password: null}}`:                                                     "[]",
		"{values: \"a: b\\nrootPassword: kR8vQ2pLx9\\n\"}":                                                       "[values]",
	}
	for text, want := range tests {
		docs, errs := document.Read(document.NewText(text), 1)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		if got := fmt.Sprint(credentialsIn(Of(docs[0].Root())).Value()); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
