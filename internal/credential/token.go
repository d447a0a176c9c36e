package credential

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// shortestToken is how long the shortest key or token is that is told by its prefix.
const shortestToken = 20

// hasLongWord says whether any word is as long as a key or token: most texts have none, and need
// not be searched for each prefix.
func hasLongWord(s string) bool {
	for at := 0; len(s)-at >= shortestToken; {
		n := run(s[at:at+shortestToken], wordByte)
		if n == shortestToken {
			return true
		}
		at += n + 1
	}
	return false
}

// hasAWSKey finds an access key id: AKIA or ASIA and 16 more capitals and digits
// (docs.aws.amazon.com, IAM identifiers).
func hasAWSKey(s string) bool {
	for _, prefix := range []string{"AKIA", "ASIA"} {
		for rest := s; ; {
			at := strings.Index(rest, prefix)
			if at < 0 {
				break
			}
			rest = rest[at+4:]
			if run(rest, func(c byte) bool { return c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' }) >= 16 {
				return true
			}
		}
	}
	return false
}

// hasRealAWSKey finds one that stands by itself and is not of the documentation.
func hasRealAWSKey(s string) bool {
	capital := func(c byte) bool { return c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' }
	for _, prefix := range []string{"AKIA", "ASIA"} {
		for from := 0; ; {
			at := strings.Index(s[from:], prefix)
			if at < 0 {
				break
			}
			at += from
			from = at + len(prefix)
			word := s[at : at+run(s[at:min(len(s), at+40)], capital)]
			if len(word) == 20 && (at == 0 || !wordByte(s[at-1])) && strings.ContainsAny(word, "0123456789") && !strings.HasSuffix(word, "EXAMPLE") {
				return true
			}
		}
	}
	return false
}

func run(s string, in func(byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

// hasURLPassword finds scheme://user:password@host with a literal password.
func hasURLPassword(s string) bool {
	found := false
	urlPasswords(s, func(_, _ string) bool {
		found = true
		return false
	})
	return found
}

// urlPasswords calls yield with each literal password in a URL and the user before it, until it returns false.
func urlPasswords(s string, yield func(user, password string) bool) {
	for rest := s; ; {
		at := strings.Index(rest, "://")
		if at < 0 {
			return
		}
		rest = rest[at+3:]
		authority := rest
		if end := strings.IndexAny(authority, "/?# \t\n\"'`"); end >= 0 {
			authority = authority[:end]
		}
		account, host, found := cutLast(authority, "@")
		if !found || strings.HasPrefix(host, "sha256:") {
			continue
		}
		if user, password, found := strings.Cut(account, ":"); found && len(password) > 0 && !isReference(password) && !yield(user, password) {
			return
		}
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	at := strings.LastIndex(s, sep)
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+len(sep):], true
}

// tokenForms are the prefixes by which vendors mark their tokens, with the least number of
// letters, digits, '-' and '_' that follow (each vendor's documentation of its token format).
var tokenForms = []struct {
	prefix string
	least  int
}{
	{"ghp_", 36},
	{"gho_", 36},
	{"ghs_", 36},
	{"github_pat_", 50},
	{"glpat-", 20},
	{"xoxb-", 20},
	{"xoxp-", 20},
	{"xapp-", 20},
	{"sk_live_", 16},
	{"rk_live_", 16},
	{"AIza", 35},
	{"npm_", 36},
	{"hvs.", 24},
	{"dop_v1_", 40},
	{"SG.", 40},
	{"pypi-AgEIcHlwaS5vcmc", 20},
}

func hasToken(s string) bool {
	for _, form := range tokenForms {
		for rest := s; ; {
			at := strings.Index(rest, form.prefix)
			if at < 0 {
				break
			}
			rest = rest[at+len(form.prefix):]
			if run(rest[:min(len(rest), form.least)], wordByte) == form.least {
				return true
			}
		}
	}
	return hasJWT(s)
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.'
}

// hasJWT finds a signed JSON web token: three base64url parts, the first two beginning with '{"'.
func hasJWT(s string) bool {
	found := false
	webTokens(s, func(_, _ string) bool {
		found = true
		return false
	})
	return found
}

// webTokens calls yield with the first two parts of each signed JSON web token, until it returns false.
func webTokens(s string, yield func(head, body string) bool) {
	for rest := s; ; {
		at := strings.Index(rest, "eyJ")
		if at < 0 {
			return
		}
		word := rest[at : at+run(rest[at:], wordByte)]
		rest = rest[at+len(word):]
		parts := strings.SplitN(word, ".", 4)
		if len(parts) >= 3 && strings.HasPrefix(parts[1], "eyJ") && len(parts[0]) > 10 && len(parts[2]) > 10 && !yield(parts[0], parts[1]) {
			return
		}
	}
}

// webTokenKinds are the kinds of the tokens in a file whose head and body really decode; that of the documentation of the
// format (jwt.io) is none.
func webTokenKinds(s string, add func(kind string, is bool)) {
	webTokens(s, func(head, body string) bool {
		algorithm, claims := struct{ Alg string }{}, map[string]any{}
		if decodePart(head, &algorithm) != nil || algorithm.Alg == "" || decodePart(body, &claims) != nil || claims["name"] == "John Doe" || !hasClaim(claims) {
			return true
		}
		_, bound := claims["kubernetes.io"]
		subject, _ := claims["sub"].(string)
		service := bound || strings.HasPrefix(subject, "system:serviceaccount:") || claims["iss"] == "kubernetes/serviceaccount"
		add(ServiceToken, service)
		add(Token, !service)
		return true
	})
}

// hasClaim says whether a token says anything that somebody could ask of it (RFC 7519, 4.1).
func hasClaim(claims map[string]any) bool {
	for _, name := range []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"} {
		if claims[name] != nil {
			return true
		}
	}
	return false
}

func decodePart(part string, into any) error {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// hasVendorToken finds a token by its vendor's prefix.
func hasVendorToken(s string) bool {
	for _, form := range tokenForms {
		for rest := s; ; {
			at := strings.Index(rest, form.prefix)
			if at < 0 {
				break
			}
			before := byte(' ')
			if at > 0 {
				before = rest[at-1]
			}
			rest = rest[at+len(form.prefix):]
			word := rest[:min(len(rest), form.least)]
			if !wordByte(before) && run(word, wordByte) == form.least && strings.ContainsAny(word, "0123456789") && !isStandIn(word) {
				return true
			}
		}
	}
	return false
}

