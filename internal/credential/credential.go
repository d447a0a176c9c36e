// Package credential tells what looks like a credential, so that rules can find them and reports
// can mask them. It looks at one literal and the name it stands under; it never keeps or logs a
// value. Kind is for rules, which must not cry wolf; Masks and Spans are for what is shown, and
// rather hide too much.
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

	// ServiceToken is the token of an account of Kubernetes.
	ServiceToken = "service-account-token"
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
	switch {
	case strings.EqualFold(key, "authorization") && hasScheme(value):
		return Token
	case namesSecret(key) && isLiteral(key, value):
		return Password
	case strings.Contains(value, "\n"):
		return inText(key, value)
	}
	return None
}

// ByForm is the kind of credential that the text holds anywhere in it, told by its form alone.
func ByForm(text string) string {
	long := hasLongWord(text)
	switch {
	case strings.Contains(text, "-----BEGIN ") && strings.Contains(text, "PRIVATE KEY"):
		return PrivateKey
	case long && hasAWSKey(text):
		return AWSKey
	case hasURLPassword(text):
		return URLPassword
	case long && hasToken(text), hasAuthorization(text), hasAssignment(text):
		return Token
	case hasToolPassword(text):
		return Password
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

// hasAuthorization finds a header with a literal in a text: Authorization: Bearer literal.
func hasAuthorization(s string) bool {
	at := authorization(s)
	return at >= 0 && strings.ContainsAny(s[at:at+wordEnd(s[at:], wordEnds)], "0123456789=")
}

// authorization is where the literal of the first such header begins, -1 where there is none.
func authorization(s string) int {
	const name = "uthorization"
	for from := 0; ; {
		at := strings.Index(s[from:], name)
		if at < 0 {
			return -1
		}
		from += at + len(name)
		rest := s[from:min(len(s), from+longest)]
		value := strings.TrimLeft(rest, " :=\t\\\"'")
		if hasScheme(value) {
			return from + len(rest) - len(value) + strings.IndexByte(value, ' ') + 1
		}
	}
}

const wordEnds = " \t\n\"'\\"

// hasScheme says whether it is the value of an Authorization header (RFC 9110, 11.6.2) with a literal in it.
func hasScheme(value string) bool {
	scheme, rest, found := strings.Cut(value, " ")
	if !found || !strings.EqualFold(scheme, "bearer") && !strings.EqualFold(scheme, "basic") && !strings.EqualFold(scheme, "token") {
		return false
	}
	word := rest[:wordEnd(rest, wordEnds)]
	return len(word) >= 6 && !isReference(word)
}

// hasToolPassword finds the passwords that common programs take behind a short flag: mysql -pSECRET
// and curl -u user:SECRET.
func hasToolPassword(s string) bool {
	if strings.Contains(s, "mysql") || strings.Contains(s, "mariadb") {
		for word := range strings.FieldsSeq(s) {
			if value, found := strings.CutPrefix(word, "-p"); found && len(value) >= 4 && isLiteral("", strings.Trim(value, `"'`)) {
				return true
			}
		}
	}
	if !strings.Contains(s, "curl") {
		return false
	}
	words := strings.Fields(s)
	for i, word := range words[:max(len(words)-1, 0)] {
		if word != "-u" && word != "--user" {
			continue
		}
		if _, value, found := strings.Cut(strings.Trim(words[i+1], `"'`), ":"); found && len(value) >= 4 && isLiteral("", value) {
			return true
		}
	}
	return false
}

// hasAssignment finds a name that promises a secret with a literal behind it: --password=literal
// and --password literal in a command line, PASSWORD=literal before a command, password=literal in
// a URL's query or a connection string.
func hasAssignment(s string) bool {
	if strings.IndexByte(s, '=') < 0 && (strings.IndexByte(s, ' ') < 0 || !hasHyphenedName(s)) {
		return false
	}
	for at := 0; at < len(s); {
		if at > 0 && !beforeName(s[at-1]) {
			at++
			continue
		}
		dashes := run(s[at:min(len(s), at+2)], func(c byte) bool { return c == '-' })
		name := s[at+dashes:]
		name = name[:run(name, func(c byte) bool { return wordByte(c) && c != '.' })]
		begin := at + dashes + len(name)
		at = max(begin, at+1)
		if name == "" || begin == len(s) {
			continue
		}
		switch sep := s[begin]; {
		case dashes > 0 && (sep == '=' || sep == ' '):
		case dashes == 0 && sep == '=' && (isUpper(name) || isParameter(s, begin-len(name))):
		default:
			continue
		}
		if !namesSecret(name) {
			continue
		}
		value := strings.TrimLeft(s[begin+1:], `"'`)
		value = value[:wordEnd(value, " \t\n\"';&|),")]
		if len(value) >= 4 && !strings.HasPrefix(value, "-") && !strings.ContainsAny(value, "([{<") && isLiteral(name, value) {
			return true
		}
	}
	return false
}

// hasHyphenedName says whether a hyphen stands where a name may begin.
func hasHyphenedName(s string) bool {
	for from := 0; ; {
		at := strings.IndexByte(s[from:], '-')
		if at < 0 {
			return false
		}
		if from += at; from == 0 || beforeName(s[from-1]) {
			return true
		}
		from++
	}
}

// beforeName says whether a name in a command line, a query or a connection string may begin behind it.
func beforeName(c byte) bool {
	switch c {
	case ' ', '\t', '\n', '"', '\'', '`', ';', '&', '|', '?', '(', '{', '[', ',':
		return true
	}
	return false
}

func isUpper(name string) bool { return name == strings.ToUpper(name) && name[0] >= 'A' }

// isParameter says whether what begins there follows another parameter of a URL or a connection string.
func isParameter(s string, at int) bool {
	return at > 1 && strings.ContainsRune("?&;", rune(s[at-1])) && s[at-2] != s[at-1]
}

func wordEnd(s, ends string) int {
	if end := strings.IndexAny(s, ends); end >= 0 {
		return end
	}
	return len(s)
}

// secretWords name a secret when they are the last word of a name.
var secretWords = []string{
	"password", "passwd", "pwd", "passphrase", "passcode", "pass", "requirepass", "masterauth", "secret", "token", "authtoken", "apitoken",
	"apikey", "api_key", "appkey", "app_key", "accesskey", "access_key", "accountkey", "account_key", "masterkey", "master_key",
	"licensekey", "license_key", "secretkey", "secret_key", "secret_key_base", "privatekey", "private_key", "authkey", "auth_key",
	"encryptionkey", "encryption_key", "clientsecret", "client_secret", "credential", "credentials", "signingkey", "signing_key",
}

// secretNames are words before "secret" with which it is the name of a Secret, and names that end
// like a secret's and are none's.
var secretNames = []string{
	"pull_secret", "existing_secret", "tls_secret", "ssl_secret", "cert_secret", "certificate_secret", "ca_secret",
	"k8s_secret", "kube_secret", "kubernetes_secret", "nopasswd", "initial_cluster_token", "page_token", "continue_token",
}

// longest is the longest name that is looked at.
const longest = 200

// namesSecret says whether a name promises a secret: DB_PASSWORD does, DB_PASSWORD_FILE does not.
func namesSecret(name string) bool {
	if name == "" || len(name) > longest || !endsLikeSecret(name) {
		return false
	}
	flat := words(name)
	for _, w := range secretNames {
		if hasWord(flat, w) {
			return false
		}
	}
	for _, w := range secretWords {
		if hasWord(flat, w) || len(w) > 5 && strings.HasSuffix(flat, w) {
			return true
		}
	}
	return false
}

// secretEndings are the two letters that any of secretWords ends in.
var secretEndings = func() (endings [1 << 16]bool) {
	for _, w := range secretWords {
		endings[ending(w)] = true
	}
	return endings
}()

// ending is the last two characters of a word.
func ending(w string) uint16 { return uint16(w[len(w)-2])<<8 | uint16(w[len(w)-1]) }

// endsLikeSecret is a quick no for most names, whatever words makes of them.
func endsLikeSecret(name string) bool {
	name = strings.TrimRight(name, "-./ _0123456789")
	if len(name) < 2 {
		return false
	}
	return secretEndings[uint16(small(name[len(name)-2]))<<8|uint16(small(name[len(name)-1]))]
}

func small(c byte) byte {
	if isCapital(c) {
		c += 'a' - 'A'
	}
	return c
}

// hasWord says whether a flat name ends in the word.
func hasWord(flat, word string) bool {
	rest, found := strings.CutSuffix(flat, word)
	return found && (rest == "" || rest[len(rest)-1] == '_')
}

// words is a name as lower-case words with underscores between them, without the number it may end in.
func words(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '-' || c == '.' || c == '/' || c == ' ':
			b.WriteByte('_')
		case isCapital(c):
			if i > 0 && (isSmall(name[i-1]) || i+1 < len(name) && isCapital(name[i-1]) && isSmall(name[i+1])) {
				b.WriteByte('_') // dbPassword, APIToken
			}
			b.WriteByte(c + 'a' - 'A')
		default:
			b.WriteByte(c)
		}
	}
	return strings.TrimRight(b.String(), "_0123456789")
}

func isCapital(c byte) bool { return c >= 'A' && c <= 'Z' }
func isSmall(c byte) bool   { return c >= 'a' && c <= 'z' }

// isLiteral says whether a value under a secret's name is the secret itself, and not a reference,
// a place holder, a path, a switch or the name of something.
func isLiteral(key, value string) bool {
	if isReference(value) || isSwitch(value) || isPath(value) || strings.Contains(value, "://") || isStandIn(value) {
		return false
	}
	if strings.Contains(value, "\n") && len(value) > 200 {
		return false // a configuration file that stands under a telling name is judged by its form
	}
	return !strings.EqualFold(key, value) && !strings.Contains(strings.TrimSpace(value), " ")
}

// isSwitch says whether the value only turns something on or off.
func isSwitch(value string) bool {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "", "true", "false", "null", "none", "nil", "~", "yes", "no", "on", "off", "enabled", "disabled", "optional", "required", "auto", "default", "undefined":
		return true
	}
	return false
}

// isPath says whether the value says where a secret is kept.
func isPath(value string) bool {
	value = strings.TrimSpace(value)
	for _, prefix := range []string{"/", "./", "../", "~/", "file:", "env:", "vault:", "ref+", "arn:", "projects/", "@Microsoft.KeyVault("} {
		if strings.HasPrefix(value, prefix) {
			return true
		}
	}
	return false
}

// standIns are the words with which a text begins, or that it is, that asks for a value in its place.
// "changeme" is none: it works.
var standIns = []string{"insert", "your", "yours", "replace", "replaceme", "enter", "paste", "put", "todo", "fixme", "placeholder", "redacted", "removed", "masked", "tbd"}

// isStandIn says whether the text asks for a value in its place: INSERT_TOKEN, your-password, REPLACE_ME.
func isStandIn(value string) bool {
	flat := strings.Trim(words(strings.TrimSpace(value)), "_[]<>")
	first, _, more := strings.Cut(flat, "_")
	for _, w := range standIns {
		if first == w && (more || w != "put" && w != "your" && w != "yours" && w != "enter" && w != "insert") {
			return true
		}
	}
	return strings.HasSuffix(flat, "_here") || strings.HasSuffix(flat, "_placeholder") || strings.HasPrefix(flat, "xxx")
}

// isReference says whether the text points to a value somewhere in it.
func isReference(s string) bool {
	return isPlaceholder(s) || strings.HasPrefix(s, "$") || strings.Contains(s, "{{") || strings.Contains(s, "${") || strings.Contains(s, "$(")
}

// placeholders are the marks around the name of a value.
var placeholders = [][2]string{{"$(", ")"}, {"${", "}"}, {"{{", "}}"}, {"<", ">"}, {"%", "%"}, {"__", "__"}, {"ENC[", "]"}}

// isPlaceholder says whether the whole text only stands for a value: $(VAR), ${VAR}, $VAR, {{ .x }},
// <x>, %s, ***, or one that SOPS encrypted.
func isPlaceholder(s string) bool {
	s = strings.TrimSpace(s)
	for _, form := range placeholders {
		if len(s) >= len(form[0])+len(form[1]) && strings.HasPrefix(s, form[0]) && strings.HasSuffix(s, form[1]) {
			return true
		}
	}
	if name, found := strings.CutPrefix(s, "$"); found {
		return run(name, func(c byte) bool { return wordByte(c) && c != '-' && c != '.' }) == len(name)
	}
	return s == "%s" || s == "%v" || s == "%q" || strings.Trim(s, "*xX.-_") == ""
}
