package credential

import (
	"bytes"
	"path"
	"strings"
)

// InFile is the kind of credential that a file of an image holds, None when it holds none. It is stricter than
// Kind: programs and documents speak of keys and passwords without holding any.
func InFile(at string, text []byte) string {
	base := strings.ToLower(path.Base(at))
	switch {
	case isKeyStore(base, text):
		return PrivateKey
	case bytes.IndexByte(text[:min(len(text), 8<<10)], 0) >= 0:
		return None // no text
	}
	s := string(text)
	switch {
	case hasPrivateKey(s):
		return PrivateKey
	case hasLongWord(s) && hasAWSKey(s) && !strings.Contains(s, "EXAMPLE"):
		return AWSKey
	case hasLongWord(s) && hasVendorToken(s):
		return Token
	}
	return inKnownFile(at, base, s)
}

// keyStores are files of keys by the end of their name and how they begin.
var keyStores = []struct{ end, head string }{
	{".p12", "\x30\x82"},
	{".pfx", "\x30\x82"},
	{".jks", "\xfe\xed\xfe\xed"},
	{".keystore", "\xfe\xed\xfe\xed"},
	{".keystore", "\x30\x82"},
	{".jks", "\x30\x82"},
	{".kdbx", "\x03\xd9\xa2\x9a"},
	{".ppk", "PuTTY-User-Key-File"},
}

func isKeyStore(base string, text []byte) bool {
	for _, k := range keyStores {
		if strings.HasSuffix(base, k.end) && bytes.HasPrefix(text, []byte(k.head)) {
			return true
		}
	}
	return false
}

// hasPrivateKey finds the head of a key with key material behind it, on lines of its own or in a JSON string.
func hasPrivateKey(s string) bool {
	const mark = "PRIVATE KEY-----"
	for at := strings.Index(s, mark); at >= 0; at = strings.Index(s, mark) {
		head := s[max(0, at-40):at]
		s = s[at+len(mark):]
		if !strings.Contains(head, "-----BEGIN ") {
			continue
		}
		body := strings.TrimLeft(s[:min(len(s), 400)], "\\nr \t\r\n")
		for line := range strings.SplitSeq(strings.ReplaceAll(body, `\n`, "\n"), "\n") {
			line = strings.TrimSpace(line)
			if line == "" || strings.Contains(line, ": ") { // Proc-Type, DEK-Info
				continue
			}
			if run(line, isBase64) >= min(len(line), 32) && len(line) >= 32 {
				return true
			}
			break
		}
	}
	return false
}

func isBase64(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '='
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

// settings are ends of names of files of settings, in which a telling name has its value beside it.
var settings = []string{".env", ".properties", ".ini", ".conf", ".cfg", ".cnf", ".yaml", ".yml", ".json", ".toml", ".xml", ".config", ".tfvars", ".tfstate", ".local", ".production", ".development"}

// inKnownFile looks for what programs keep in files of their own.
func inKnownFile(at, base, s string) string {
	switch {
	case base == ".netrc", base == "_netrc":
		return when(hasWords(s, "password"), Password)
	case base == ".npmrc":
		return when(hasValue(s, "_authToken=") || hasValue(s, "_password=") || hasValue(s, "_auth="), Token)
	case base == ".git-credentials", strings.HasSuffix(at, ".git/config"):
		return when(hasURLPassword(s), URLPassword)
	case base == ".pgpass":
		return when(strings.Count(strings.SplitN(strings.TrimSpace(s), "\n", 2)[0], ":") == 4, Password)
	case strings.HasSuffix(at, ".docker/config.json"), base == ".dockercfg":
		return when(hasJSON(s, "auth") || hasJSON(s, "identitytoken"), Password)
	case base == "credentials" && strings.Contains(at, ".aws/"):
		return when(hasValue(s, "aws_secret_access_key"), AWSKey)
	case strings.HasSuffix(at, ".kube/config"), base == "kubeconfig", base == "admin.conf", strings.HasSuffix(base, ".kubeconfig"):
		return when(hasValue(s, "client-key-data:") || hasValue(s, "token:") || hasValue(s, "password:"), Token)
	case base == ".vault-token":
		return when(len(strings.TrimSpace(s)) >= 20, Token)
	case base == ".htpasswd":
		return when(strings.Contains(s, ":$") || strings.Contains(s, ":{SHA}"), Password)
	case base == ".env", strings.HasPrefix(base, ".env."):
		if base == ".env.example" || base == ".env.sample" || base == ".env.template" || base == ".env.dist" {
			return None
		}
		return when(assigns(s), Password)
	}
	for _, end := range settings {
		if strings.HasSuffix(base, end) {
			if strings.Contains(s, "://") && hasURLPassword(s) && !strings.Contains(s, "user:pass") && !strings.Contains(s, "username:password") {
				return URLPassword
			}
			return inText(base, s)
		}
	}
	return None
}

func when(is bool, kind string) string {
	if is {
		return kind
	}
	return None
}

// assigns says whether a line of an environment file gives a telling name a literal.
func assigns(s string) bool {
	for line := range strings.SplitSeq(s, "\n") {
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		name, value, found := strings.Cut(line, "=")
		if found && !strings.HasPrefix(line, "#") && Kind(strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"'`)) != None {
			return true
		}
	}
	return false
}

// hasValue says whether a literal stands behind a name.
func hasValue(s, name string) bool {
	for rest := s; ; {
		at := strings.Index(rest, name)
		if at < 0 {
			return false
		}
		rest = rest[at+len(name):]
		line, _, _ := strings.Cut(rest, "\n")
		value := strings.Trim(strings.TrimLeft(strings.TrimSpace(line), "=: "), `"' `)
		if len(value) >= 8 && !isReference(value) && !isStandIn(value) {
			return true
		}
	}
}

// hasJSON says whether a JSON field holds a text.
func hasJSON(s, name string) bool {
	for rest := s; ; {
		at := strings.Index(rest, `"`+name+`"`)
		if at < 0 {
			return false
		}
		rest = rest[at+len(name)+2:]
		value := strings.TrimLeft(rest, " \t\r\n:")
		if strings.HasPrefix(value, `"`) && wordEnd(value[1:], `"`) >= 4 {
			return true
		}
	}
}

// hasWords says whether a word has another one behind it, as in .netrc.
func hasWords(s, word string) bool {
	fields := strings.Fields(s)
	for i, f := range fields[:max(len(fields)-1, 0)] {
		if f == word && !isReference(fields[i+1]) {
			return true
		}
	}
	return false
}
