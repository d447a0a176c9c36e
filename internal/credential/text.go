package credential

import (
	"slices"
	"strings"
)

// inText is the kind of credential that a file's text holds behind a telling name, in the notations
// that configuration is written in: "name: value", "name=value", "name": "value", <name>value</name>.
// name is the file's. Programs assign from variables and calls under the same names: of those only the
// form of a credential tells (ByForm).
func inText(name, text string) string {
	if isProgram(name, text) {
		return None
	}
	for line := range strings.SplitSeq(text, "\n") {
		if content := strings.TrimLeft(line, " \t"); content == "" || content[0] == '#' || content[0] == ';' || strings.HasPrefix(content, "//") {
			continue
		}
		if name, _ := pair(line); name != "" || hasSQLPassword(line) {
			return Password
		}
	}
	return None
}

// programs are the endings of files that hold a program, a template or prose.
var programs = []string{
	".sh", ".bash", ".py", ".js", ".mjs", ".ts", ".go", ".rb", ".pl", ".lua", ".php", ".java", ".rego", ".star", ".jsonnet", ".libsonnet", ".tpl", ".tmpl",
	".gotmpl", ".ctmpl", ".md", ".txt", ".html", ".css", ".groovy", ".ps1", ".rs", ".c", ".graphql", ".proto", ".vcl", ".crt", ".pem",
}

func isProgram(name, text string) bool {
	if strings.HasPrefix(text, "#!") {
		return true
	}
	name = strings.ToLower(name)
	for _, end := range programs {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// pair is the first telling name of a line with the literal behind it, "" where there is none.
func pair(line string) (name, value string) {
	for at := range len(line) {
		if c := line[at]; c != ':' && c != '=' && c != '>' {
			continue
		}
		name := nameBefore(line, at)
		if !mayTell(name) || !namesSecret(name) || strings.HasPrefix(name, "-") {
			continue
		}
		rest := strings.TrimLeft(line[at+1:min(len(line), at+farthest)], " \t")
		value, quoted := literalIn(rest)
		if len(value) >= 4 && isLiteral(name, value) && !isExpression(value, quoted) && !IsName(name, value) {
			return name, value
		}
	}
	return "", ""
}

// mayTell is a quick no for most names.
func mayTell(name string) bool {
	for i := range len(name) {
		switch name[i] | 0x20 {
		case 'p', 's', 't', 'k', 'c':
			return len(name) > 2
		}
	}
	return false
}

// literalIn is the value that a text begins with, without its quotes.
func literalIn(rest string) (value string, quoted bool) {
	rest = strings.TrimLeft(rest, `\`)
	if rest == "" {
		return "", false
	}
	if c := rest[0]; c == '"' || c == '\'' || c == '`' {
		value = rest[1:]
		if before, _, ok := strings.Cut(value, string(c)); ok {
			return strings.TrimRight(before, `\`), true
		}
		return value, true
	}
	return rest[:wordEnd(rest, " \t\r,}])<\"';#")], false
}

// isExpression says whether a value is computed, or a piece of a program.
func isExpression(value string, quoted bool) bool {
	if quoted {
		return strings.ContainsAny(value, "{}") || strings.HasPrefix(value, "$")
	}
	return strings.ContainsAny(value, "([{<$`&|*!+>@") || strings.Contains(value, "::") || namesSecret(value) || isSwitch(value)
}

// IsName says whether what stands under a telling name reads as the name of something, of a Secret for
// one, and not as a credential: "secret: shop-database". Only under the name of a password are words one.
func IsName(key, value string) bool {
	flat := words(key)
	for _, w := range []string{"password", "passwd", "pwd", "passphrase", "passcode", "pass", "requirepass", "masterauth"} {
		if strings.HasSuffix(flat, w) {
			return namesSecret(value) && !isGuess(value)
		}
	}
	digits := 0
	for i := range len(value) {
		switch c := value[i]; {
		case c >= '0' && c <= '9':
			digits++
		case !isSmall(c) && c != '-' && c != '.' && c != '_' && c != '/' && !isCapital(c):
			return false
		}
	}
	return digits < 2 || len(value) < 8
}

// sqlMarks are what stands before a password in SQL that makes a user.
var sqlMarks = []string{"identified by '", "with password '", "encrypted password '", " password '", "password('"}

func hasSQLPassword(line string) bool {
	if !strings.Contains(line, "'") {
		return false
	}
	lower := strings.ToLower(line)
	for _, mark := range sqlMarks {
		if at := strings.Index(lower, mark); at >= 0 {
			value := line[at+len(mark):]
			value = value[:wordEnd(value, "'")]
			return len(value) >= 4 && isLiteral("", value)
		}
	}
	return false
}

// InTree is the kind of credential that a literal in a tree of settings is, of a chart's values for one:
// as Kind, but what reads as the name of something is none.
func InTree(key, value string) string {
	kind := Kind(key, value)
	if kind == Password && ByForm(value) == None && !strings.Contains(value, "\n") && IsName(key, value) {
		return None
	}
	return kind
}

// guesses are passwords that are tried first, in lower case: what documentation and charts set
// (each project's own) and the heads of public lists of common passwords.
var guesses = strings.Fields(`
	password passw0rd p@ssw0rd p@ssword password1 password12 password123 passwd pass pass123 changeme changeit change-me change_me changethis
	admin admin1 admin12 admin123 admin1234 administrator adminadmin adminpassword root root123 rootroot rootpassword toor secret secret1 secret123
	s3cr3t s3cret supersecret mysecret mysecretpassword letmein welcome welcome1 qwerty qwerty123 abc123 abcd1234 1234 12345 123456 1234567 12345678
	123456789 1234567890 111111 000000 iloveyou test test1 test123 test1234 testing demo example default guest user username postgres postgresql
	mysql mariadb mongo mongodb redis rabbitmq minio minio123 minioadmin elastic kibana grafana prom-operator keycloak jenkins sonar nexus
	airflow superset superuser wordpress drupal bitnami oracle cassandra neo4j hunter2 foobar foo bar master vagrant docker kubernetes k8s
	dbpassword mypassword yourpassword strongpassword temporal temporary temp`)

// IsGuess says whether a password is one that is tried first.
func IsGuess(value string) bool { return isGuess(strings.TrimSpace(value)) }

func isGuess(value string) bool {
	return len(value) < 20 && slices.Contains(guesses, strings.ToLower(value))
}
