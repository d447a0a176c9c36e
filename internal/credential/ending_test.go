package credential

import "testing"

// TestEndings holds the quick no for names to what they are looked through for: every secret word, however it is written and
// whatever stands before and behind it.
func TestEndings(t *testing.T) {
	for _, w := range secretWords {
		for _, name := range []string{w, "DB_" + w, "db." + w + "_2", "--" + w + "-", string(w[0]-'a'+'A') + w[1:], w[:len(w)-1] + string(w[len(w)-1]-'a'+'A')} {
			if !endsLikeSecret(name) {
				t.Errorf("%q: told to be no name of a secret", name)
			}
		}
		if !namesSecret("db-" + w) {
			t.Errorf("%q names no secret", "db-"+w)
		}
	}
	for _, name := range []string{"", "_", "x", "image", "name", "42"} {
		if endsLikeSecret(name) {
			t.Errorf("%q: may name a secret", name)
		}
	}
}
