package credential

import (
	"slices"
	"strings"
)

// inKnownFile looks for what programs keep in files of their own; known says whether it is such a file.
func inKnownFile(at, base, s string, add func(kind string, is bool)) (known bool) {
	switch {
	case base == ".netrc", base == "_netrc":
		add(Password, hasWords(s, "password"))
	case base == ".npmrc":
		add(Token, hasValue(s, "_authToken=") || hasValue(s, "_password=") || hasValue(s, "_auth="))
	case base == ".git-credentials", strings.HasSuffix(at, ".git/config"):
		add(URLPassword, hasURLPassword(s))
	case base == ".pgpass":
		add(Password, strings.Count(strings.SplitN(strings.TrimSpace(s), "\n", 2)[0], ":") == 4)
	case strings.HasSuffix(at, ".docker/config.json"), base == ".dockercfg":
		add(Password, hasJSON(s, "auth") || hasJSON(s, "identitytoken"))
	case base == "credentials" && strings.Contains(at, ".aws/"):
		add(AWSKey, hasValue(s, "aws_secret_access_key"))
	case strings.HasSuffix(at, ".kube/config"), base == "kubeconfig", base == "admin.conf", strings.HasSuffix(base, ".kubeconfig"):
		add(Token, hasValue(s, "client-key-data:") || hasValue(s, "token:") || hasValue(s, "password:"))
	case base == ".vault-token":
		add(Token, len(strings.TrimSpace(s)) >= 20)
	case base == ".htpasswd":
		add(Password, strings.Contains(s, ":$") || strings.Contains(s, ":{SHA}"))
	case isSample(base):
	case base == ".env", strings.HasPrefix(base, ".env."), strings.HasSuffix(base, ".env"):
		assigned(s, add)
	default:
		return false
	}
	return true
}

// isSample says whether a file of variables is one to be filled in.
func isSample(base string) bool {
	rest, is := strings.CutPrefix(base, ".env.")
	return is && slices.Contains([]string{"example", "sample", "template", "dist"}, rest)
}

// assigned are the kinds of the literals that the lines of a file of variables give telling names.
func assigned(s string, add func(kind string, is bool)) {
	for line := range strings.SplitSeq(s, "\n") {
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		if name, value, found := strings.Cut(line, "="); found && !strings.HasPrefix(line, "#") {
			name, value = strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"'`)
			kind := Kind(name, value)
			if kind == Password {
				kind = kindOf(name, value)
			}
			add(kind, kind != None)
		}
	}
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
