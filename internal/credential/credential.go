// Package credential tells what looks like a credential, so that rules can find them and reports
// can mask them. It looks at one literal and the name it stands under; it never keeps, logs or
// returns a value.
package credential

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// The kinds of credential.
const (
	PrivateKey  = "private-key"
	AWSKey      = "aws-access-key"
	URLPassword = "url-password"
	Token       = "token"
	Password    = "password"
	None        = ""
)

// Kind is what kind of credential the literal is, None when it is none. The key is the name it
// stands under ("DB_PASSWORD", "--token"), "" when there is none.
func Kind(key, value string) string {
	if len(value) < 4 {
		return None
	}
	if kind := ByForm(value); kind != None {
		return kind
	}
	if key != "" && namesSecret(key) && isLiteral(key, value) {
		return Password
	}
	return None
}

// ByForm is the kind of credential that the text holds anywhere in it, told by its form alone.
func ByForm(text string) string {
	switch {
	case strings.Contains(text, "-----BEGIN ") && strings.Contains(text, "PRIVATE KEY"):
		return PrivateKey
	case hasAWSKey(text):
		return AWSKey
	case hasURLPassword(text):
		return URLPassword
	case hasToken(text), hasFlagPassword(text):
		return Token
	default:
		return None
	}
}

// Decode is the text that base64 encodes, "" when it is not base64 of text.
func Decode(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == ' ' {
			return -1
		}
		return r
	}, s)
	if len(s) < 4 || len(s)%4 == 1 {
		return ""
	}
	raw, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		raw, err = base64.RawStdEncoding.DecodeString(s)
	}
	if err != nil || !utf8.Valid(raw) || strings.ContainsFunc(string(raw), func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' }) {
		return ""
	}
	return string(raw)
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

func run(s string, in func(byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

// hasURLPassword finds scheme://user:password@host with a literal password.
func hasURLPassword(s string) bool {
	for rest := s; ; {
		at := strings.Index(rest, "://")
		if at < 0 {
			return false
		}
		rest = rest[at+3:]
		authority := rest
		if end := strings.IndexAny(authority, "/?# \t\n\"'`"); end >= 0 {
			authority = authority[:end]
		}
		user, _, found := cutLast(authority, "@")
		if !found {
			continue
		}
		if _, password, found := strings.Cut(user, ":"); found && len(password) > 0 && !isReference(password) {
			return true
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
		if at := strings.Index(s, form.prefix); at >= 0 {
			if run(s[at+len(form.prefix):], wordByte) >= form.least {
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
	at := strings.Index(s, "eyJ")
	if at < 0 {
		return false
	}
	parts := strings.Split(s[at:at+run(s[at:], wordByte)], ".")
	return len(parts) == 3 && strings.HasPrefix(parts[1], "eyJ") && len(parts[0]) > 10 && len(parts[2]) > 10
}

// hasFlagPassword finds --password=literal and its like in a command line.
func hasFlagPassword(s string) bool {
	for rest := s; ; {
		at := strings.Index(rest, "--")
		if at < 0 {
			return false
		}
		rest = rest[at+2:]
		name := rest[:run(rest, func(c byte) bool { return wordByte(c) && c != '.' })]
		value := rest[len(name):]
		if value == "" || value[0] != '=' && value[0] != ' ' || !namesSecret(name) {
			continue
		}
		value = strings.TrimLeft(value[1:], `"'`)
		if end := strings.IndexAny(value, " \t\n\"';&|"); end >= 0 {
			value = value[:end]
		}
		if len(value) >= 4 && !strings.HasPrefix(value, "-") && isLiteral(name, value) {
			return true
		}
	}
}

// secretWords name a secret when they are the last word of a name, or of its last but one before
// a harmless ending.
var secretWords = []string{
	"password", "passwd", "pwd", "passphrase", "secret", "token", "apikey", "api_key", "accesskey", "access_key",
	"secretkey", "secret_key", "secret_access_key", "privatekey", "private_key", "authkey", "auth_key", "encryptionkey", "encryption_key",
	"clientsecret", "client_secret", "credential", "credentials", "signingkey", "signing_key", "pass",
}

// namesSecret says whether a name promises a secret: DB_PASSWORD does, DB_PASSWORD_FILE does not.
func namesSecret(name string) bool {
	var words strings.Builder
	for i, c := range []byte(name) {
		switch {
		case c == '-' || c == '.' || c == '/' || c == ' ':
			words.WriteByte('_')
		case c >= 'A' && c <= 'Z':
			if i > 0 && name[i-1] >= 'a' && name[i-1] <= 'z' {
				words.WriteByte('_')
			}
			words.WriteByte(c + 'a' - 'A')
		default:
			words.WriteByte(c)
		}
	}
	flat := strings.TrimRight(words.String(), "_0123456789")
	for _, w := range secretWords {
		if rest, found := strings.CutSuffix(flat, w); found && (rest == "" || rest[len(rest)-1] == '_' || len(w) > 5) {
			return true
		}
	}
	return false
}

// isLiteral says whether a value under a secret's name is the secret itself, and not a reference,
// a place holder, a path, a switch or the name of something.
func isLiteral(key, value string) bool {
	v := strings.ToLower(strings.TrimSpace(value))
	switch v {
	case "", "true", "false", "null", "none", "nil", "yes", "no", "enabled", "disabled", "optional", "required", "auto", "default":
		return false
	}
	if isReference(value) || strings.HasPrefix(v, "/") || strings.HasPrefix(v, "./") || strings.HasPrefix(v, "file:") || strings.Contains(v, "://") {
		return false
	}
	if strings.ContainsAny(value, "\n") && len(value) > 200 {
		return false // a configuration file that stands under a telling name is judged by its form
	}
	return !strings.EqualFold(key, value) && !strings.Contains(v, " ")
}

// isReference says whether the text only points to a value: $(VAR), ${VAR}, $VAR, {{ .x }}, <x>, ***.
func isReference(s string) bool {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return true
	case strings.HasPrefix(s, "$"), strings.Contains(s, "{{"), strings.Contains(s, "${"), strings.Contains(s, "$("):
		return true
	case strings.HasPrefix(s, "<") && strings.HasSuffix(s, ">"):
		return true
	case strings.HasPrefix(s, "%") && strings.HasSuffix(s, "%"):
		return true
	}
	return strings.Trim(s, "*xX.-_") == ""
}
