package credential

import (
	"path"
	"slices"
	"strings"
)

// form is how a text may hold a credential beside those that are known wherever they stand.
type form int

const (
	otherForm    form = iota // prose, templates, data: by their forms alone
	settingsForm             // a telling name with its value behind it
	programForm              // the same with the value in quotes
	shellForm                // assignments without quotes, and arguments of programs
	plainForm                // variables at the beginning of a line
)

// settingsEnds and their like are ends of names of files.
var (
	settingsEnds = []string{
		".env", ".properties", ".ini", ".conf", ".cfg", ".cnf", ".yaml", ".yml", ".json", ".toml", ".xml", ".config", ".tfvars", ".tfstate", ".local", ".production", ".development",
		".tf", ".hcl",
	}
	programEnds = []string{
		".php", ".phtml", ".inc", ".py", ".rb", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".vue", ".java", ".kt", ".scala", ".groovy", ".gradle", ".go", ".cs", ".pl", ".pm", ".lua",
		".ps1", ".rs", ".swift", ".ex", ".exs",
	}
	shellEnds  = []string{".sh", ".bash", ".zsh", ".ksh", ".dockerfile", ".bat", ".cmd"}
	shellNames = []string{
		"dockerfile", "containerfile", "makefile", "procfile", ".bashrc", ".profile", ".bash_profile", ".bash_history", ".zshrc", ".zsh_history", ".ash_history", ".sh_history", ".envrc",
		"environment", "crontab",
	}
)

// formOf tells it from the name, or, of what has no suffix, from the first line.
func formOf(at, base string, head []byte) form {
	end := path.Ext(base)
	switch {
	case slices.Contains(settingsEnds, end):
		return settingsForm
	case slices.Contains(programEnds, end):
		if isTest(base) {
			return otherForm
		}
		return programForm
	case slices.Contains(shellEnds, end), slices.Contains(shellNames, base), strings.HasPrefix(base, "dockerfile."):
		return shellForm
	case end != "":
		return otherForm
	}
	line, _, _ := strings.Cut(string(head[:min(len(head), 200)]), "\n")
	switch {
	case !strings.HasPrefix(line, "#!"):
		if strings.Contains("/"+at, "/doc/") {
			return otherForm
		}
		return plainForm
	case strings.Contains(line, "sh"):
		return shellForm
	}
	return programForm
}

// isTest says whether a program is a test by its name: its passwords are those of nothing.
func isTest(base string) bool {
	stem := strings.TrimSuffix(base, path.Ext(base))
	return strings.HasPrefix(base, "test_") || base == "conftest.py" || slices.ContainsFunc([]string{"_test", ".test", ".spec", "_spec", "tests"}, func(end string) bool { return strings.HasSuffix(stem, end) })
}

// inSettings looks for telling names with a literal behind them, line by line.
func inSettings(text string, add func(kind string, is bool)) {
	for line := range strings.SplitSeq(text, "\n") {
		if isComment(line) {
			continue
		}
		if name, value := pair(line); name != "" {
			add(kindOf(name, value), true)
		}
		add(Password, hasSQLPassword(line))
	}
}

// hasSettingURL finds a password in a URL that is not of documentation.
func hasSettingURL(text string) bool {
	found := false
	urlPasswords(text, func(user, password string) bool {
		found = (user != "user" || !strings.HasPrefix(password, "pass")) && (user != "username" || password != "password")
		return !found
	})
	return found
}

// kindOf is the kind of a literal under a telling name.
func kindOf(name, value string) string {
	if flat := words(name); strings.HasSuffix(flat, "secret_access_key") && len(value) == 40 && run(value, isBase64) == 40 {
		return AWSKey
	}
	return Password
}

// isComment says whether a line is none but a comment, in whatever language.
func isComment(line string) bool {
	content := strings.TrimLeft(line, " \t")
	if content == "" || content[0] == '#' || content[0] == ';' || content[0] == '*' {
		return true
	}
	return strings.HasPrefix(content, "//") || strings.HasPrefix(content, "/*") || strings.HasPrefix(content, "--") || strings.HasPrefix(content, "<!--")
}

// inProgram looks for literals in quotes that stand behind a telling name: $password = "x", "secret" => 'x', token: "x",
// app.config["SECRET_KEY"] = "x", define('DB_PASSWORD', 'x'), KEY = os.environ.get("KEY") or "x".
func inProgram(base, text string, add func(kind string, is bool)) {
	easy, prose := isSettingsProgram(base), false
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasSuffix(base, ".py") && (strings.Count(line, `"""`)+strings.Count(line, "'''"))%2 == 1 {
			prose = !prose
			continue
		}
		if prose || isComment(line) || !mayAssign(line) {
			continue
		}
		quoted(line, func(before, value string) {
			if strings.Contains(value, "://") {
				urlPasswords(value, func(_, password string) bool {
					add(URLPassword, isStrong(password) && !isGuess(password))
					return true
				})
				return
			}
			name, certain := assignee(before)
			if name != "" && isHardCoded(name, value, easy && certain) {
				add(kindOf(name, value), true)
			}
		})
	}
}

// isSettingsProgram says whether a program's name tells that it is there to hold settings.
func isSettingsProgram(base string) bool {
	stem, _, _ := strings.Cut(strings.TrimPrefix(base, "wp-"), ".")
	return slices.Contains([]string{"config", "configuration", "settings", "local_settings", "secrets", "secret", "credentials", "database", "db", "parameters", "env", "environment"}, stem)
}

// mayAssign is a quick no for most lines: none has a quote and a word of secrets.
func mayAssign(line string) bool {
	if strings.IndexByte(line, '"') < 0 && strings.IndexByte(line, '\'') < 0 && strings.IndexByte(line, '`') < 0 {
		return false
	}
	for i := range len(line) - 2 {
		switch line[i] | 0x20 {
		case 'p':
			if next := line[i+1] | 0x20; next == 'a' && line[i+2]|0x20 == 's' || next == 'w' {
				return true
			}
		case 's', 't', 'k', 'c':
			switch strings.ToLower(line[i : i+3]) {
			case "sec", "tok", "key", "cre":
				return true
			}
		case ':':
			if line[i+1] == '/' && line[i+2] == '/' {
				return true
			}
		}
	}
	return false
}

// quoted calls yield with each text in quotes of a line, and what stands before it.
func quoted(line string, yield func(before, value string)) {
	for at := 0; at < len(line); at++ {
		c := line[at]
		if c != '"' && c != '\'' && c != '`' {
			continue
		}
		rest := line[at+1:]
		end := strings.IndexByte(rest, c)
		if end < 0 {
			return
		}
		if end > 0 && rest[end-1] != '\\' {
			yield(line[:at], rest[:end])
		}
		at += end + 1
	}
}

// assignee is the name that a literal is given to by what stands before it; certain is false where that may be an argument of a
// call or what counts when there is nothing else.
func assignee(before string) (name string, certain bool) {
	before = strings.TrimRight(before[max(0, len(before)-2*longest):], " \t")
	certain = true
	switch {
	case strings.HasSuffix(before, "=="), strings.HasSuffix(before, "!="), strings.HasSuffix(before, "<="), strings.HasSuffix(before, ">="), strings.HasSuffix(before, "::"):
		return "", false
	case strings.HasSuffix(before, "=>"):
		before = before[:len(before)-2]
	case strings.HasSuffix(before, ":="):
		before = before[:len(before)-2]
	case strings.HasSuffix(before, "="), strings.HasSuffix(before, ":"):
		before = before[:len(before)-1]
	case strings.HasSuffix(before, "||"), strings.HasSuffix(before, "??"), strings.HasSuffix(before, " or"):
		before, certain = before[:len(before)-2], false
	case strings.HasSuffix(before, ","):
		before, certain = strings.TrimRight(before[:len(before)-1], " \t"), false
		if before == "" || before[len(before)-1] != '"' && before[len(before)-1] != '\'' {
			return "", false
		}
	default:
		return "", false
	}
	before = strings.TrimRight(before, " \t\"'])")
	begin := len(before)
	for begin > 0 && (wordByte(before[begin-1]) && before[begin-1] != '.') {
		begin--
	}
	name = strings.Trim(before[begin:], "-.")
	if strings.HasSuffix(before[:begin], ".") && name == "key" || !mayTell(name) || !namesSecret(name) {
		return "", false
	}
	if quote := strings.TrimRight(before[:begin], "\"'"); !certain && len(quote) < begin {
		if quote = strings.TrimRight(quote, " \t"); !strings.HasSuffix(quote, "(") && !strings.HasSuffix(quote, "[") {
			return "", false // one of a list
		}
	}
	return name, certain
}

// isHardCoded says whether a literal in a program is the secret itself. easy takes what looks like a word, too.
func isHardCoded(name, value string, easy bool) bool {
	if len(value) < 4 || len(value) > 500 || !isLiteral(name, value) || isExpression(value, true) || IsName(name, value) || strings.ContainsAny(value, " \t<>\\") {
		return false
	}
	if len(value) < 20 && strings.ContainsAny(value, "()[]|;,/=?") || isAlgorithm(value) || namesSecret(value) && !isGuess(value) {
		return false
	}
	return easy || isStrong(value)
}

// isStrong says whether a literal can hardly be a word: it has digits, or marks that words have not.
func isStrong(value string) bool {
	letters, digits, marks := 0, 0, 0
	for i := range len(value) {
		switch c := value[i]; {
		case c >= '0' && c <= '9':
			digits++
		case isSmall(c) || isCapital(c):
			letters++
		case strings.IndexByte("!@#$%^&*+~", c) >= 0:
			marks++
		}
	}
	return len(value) >= 6 && !isColour(value) && (digits > 0 && letters > 0 || digits >= 6 || marks > 0 && letters > 3)
}

// isColour says whether it is one of HTML's.
func isColour(value string) bool {
	return value[0] == '#' && len(value) <= 9 && run(value[1:], func(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }) == len(value)-1
}

// algorithms begin names of algorithms and forms, which stand under the same names as secrets.
var algorithms = []string{"sha", "md5", "aes", "rsa", "hmac", "oauth2", "base64", "base32", "utf", "x509", "ed25519", "bcrypt", "argon2", "pbkdf2", "scrypt", "hs256", "rs256", "es256", "ecdsa", "des3", "rc4", "crc32", "iso-8859", "http2", "p256", "pkcs", "pem"}

func isAlgorithm(value string) bool {
	lower := strings.ToLower(value)
	return len(value) < 24 && slices.ContainsFunc(algorithms, func(begin string) bool { return strings.HasPrefix(lower, begin) })
}

// inShell looks for variables that are set, and for what programs take as arguments.
func inShell(text string, add func(kind string, is bool)) {
	for line := range strings.SplitSeq(text, "\n") {
		if isComment(line) {
			continue
		}
		setVariables(line, add)
		add(Password, hasToolPassword(line) || hasFlag(line))
		add(Token, hasAuthorization(line))
		urlPasswords(line, func(_, password string) bool {
			add(URLPassword, isStrong(password))
			return true
		})
	}
}

// inVariables looks for variables that are set at the beginnings of lines.
func inVariables(text string, add func(kind string, is bool)) {
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" && isCapital(line[0]) || strings.HasPrefix(line, "export ") {
			setVariables(line, add)
		}
	}
}

// setVariables looks at the variables that a line of a shell, or of a Dockerfile, sets.
func setVariables(line string, add func(kind string, is bool)) {
	for word := range strings.FieldsSeq(line) {
		name, value, found := strings.Cut(word, "=")
		if !found || name == "" || !isCapital(name[0]) && !isSmall(name[0]) || !namesSecret(name) {
			continue
		}
		value = strings.TrimRight(strings.Trim(value, `"'`), `;"'`)
		if isHardCoded(name, value, false) && !isExpression(value, false) {
			add(kindOf(name, value), true)
		}
	}
}

// hasFlag finds --password literal and --token=literal.
func hasFlag(line string) bool {
	if !strings.Contains(line, "--") {
		return false
	}
	fields := strings.Fields(line)
	for i, f := range fields {
		name, value, found := strings.Cut(f, "=")
		if !found && i+1 < len(fields) {
			value = fields[i+1]
		}
		if strings.HasPrefix(name, "--") && namesSecret(name[2:]) && isHardCoded(name[2:], strings.Trim(value, `"'`), false) && !isExpression(value, false) {
			return true
		}
	}
	return false
}
