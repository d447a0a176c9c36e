package credential_test

import (
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/credential"
)

// TestText holds what is a credential in a configuration file, in the notations that such are written in.
func TestText(t *testing.T) {
	tests := map[string][2]string{ // the file's name and its text
		"properties":         {"app.properties", "# settings\ndb.user=app\ndb.password=kR8vQ2pLx9\n"},
		"properties, spaced": {"app.properties", "a = b\nspring.datasource.password = kR8vQ2pLx9\n"},
		"ini":                {"config.ini", "[db]\npassword = kR8vQ2pLx9 \n"},
		"YAML":               {"app.yaml", "db:\n  user: app\n  password: kR8vQ2pLx9\n"},
		"YAML, quoted":       {"app.yaml", "db:\n  - adminPassword: 'hunter2'\n"},
		"JSON":               {"app.json", "{\n  \"db\": {\"user\": \"app\", \"password\": \"kR8vQ2pLx9\"}\n}\n"},
		"XML":                {"app.xml", "<db>\n<password>kR8vQ2pLx9</password>\n</db>\n"},
		"env":                {".env", "LEVEL=info\nexport DB_PASSWORD=kR8vQ2pLx9\n"},
		"env, lower case":    {"x", "level=info\napi_token=kR8vQ2pLx9aa\n"},
		"redis":              {"redis.conf", "port 6379\nrequirepass: kR8vQ2pLx9\n"},
		"SQL":                {"init.sql", "CREATE DATABASE a;\nCREATE USER 'app'@'%' IDENTIFIED BY 'kR8vQ2pLx9';\n"},
		"SQL, PostgreSQL":    {"init.sql", "CREATE ROLE app\nWITH LOGIN PASSWORD 'kR8vQ2pLx9';\n"},
		"a weak one":         {"app.yaml", "a: b\npassword: changeme\n"},
		"a secret key":       {"app.yaml", "a: b\nsecret_key: 4f9a1c7be2\n"},
		"URL in a script":    {"run.sh", "#!/bin/sh\ncurl https://app:kR8vQ2pLx9@x/\n"},
	}
	for name, test := range tests {
		if credential.Kind(test[0], test[1]) == credential.None {
			t.Errorf("%s: nothing is found", name)
		}
	}
}

// TestTextNone holds what is none there: references, names, programs, comments and place holders.
func TestTextNone(t *testing.T) {
	tests := map[string][2]string{
		"references":       {"app.yaml", "a: b\npassword: ${DB_PASSWORD}\nsecret: $(SECRET)\ntoken: {{ .Values.token }}\n"},
		"empty":            {"app.yaml", "a: b\npassword:\ntoken: \"\"\npasswd: null\n"},
		"names of Secrets": {"app.yaml", "a: b\nsecret: shop-database\ntlsSecret: shop-tls\ncredentials: gcp-key\ntoken: token\n"},
		"paths":            {"app.properties", "a=b\npassword=/run/secrets/db\ntoken=file:/x\n"},
		"comments":         {"app.conf", "a: b\n# password: kR8vQ2pLx9\n; password = kR8vQ2pLx9\n// password: kR8vQ2pLx9\n"},
		"Python":           {"app.py", "import os\npassword = os.environ['PASSWORD']\ntoken = read_token()\n"},
		"a shell script":   {"run", "#!/bin/sh\npassword=$(cat /run/pw)\ntoken=abcdef123456\n"},
		"expressions":      {"app.conf", "a: b\npassword = getenv(PASSWORD)\ntoken: [a, b]\nsecret: {name: x}\n"},
		"place holders":    {"app.yaml", "a: b\npassword: <your password>\ntoken: INSERT_TOKEN\napiKey: YOUR_API_KEY\npasswd: REPLACE_ME\nsecret_key: xxxxxxxx\n"},
		"switches":         {"app.yaml", "a: b\npassword: true\ntoken: disabled\nrotate_password: no\n"},
		"variables":        {"app.conf", "a: b\npassword: db_password\n"},
		"nginx":            {"nginx.conf", "server {\n  proxy_set_header X-Token $http_token;\n  auth_basic_user_file /etc/passwd;\n}\n"},
		"prose":            {"README", "Set the password:\nsee the manual, token: none\n"},
		"a lookup":         {"x.yaml", "rules:\n  - password: \"{{password}}\"\n"},
		"one line":         {"motd", "password: kR8vQ2pLx9"},
	}
	for name, test := range tests {
		if kind := credential.Kind(test[0], test[1]); kind != credential.None {
			t.Errorf("%s: found %s", name, kind)
		}
	}
}

// TestStandIns tells what asks for a value from weak values that work.
func TestStandIns(t *testing.T) {
	for _, value := range []string{"INSERT_TOKEN", "insert-password-here", "your-password", "YOUR_TOKEN_HERE", "REPLACE_ME", "replaceme", "Replace-With-Password", "TODO", "fixme", "placeholder", "REDACTED", "xxxYYY", "<token>", "password-goes-here"} {
		if kind := credential.Kind("DB_PASSWORD", value); kind != credential.None {
			t.Errorf("%s is told as a credential", value)
		}
	}
	for _, value := range []string{"changeme", "change-me", "CHANGEME00000000", "admin", "putin2024", "yourmom", "enterprise1", "insertion9", "todosantos7", "hereandnow"} {
		if credential.Kind("DB_PASSWORD", value) != credential.Password {
			t.Errorf("%s is not told as a credential", value)
		}
	}
}

// TestInTree leaves out what reads as the name of a Secret.
func TestInTree(t *testing.T) {
	tests := []struct{ key, value, want string }{
		{"password", "kR8vQ2pLx9", credential.Password},
		{"password", "changeme", credential.Password},
		{"adminPassword", "admin", credential.Password},
		{"clientSecret", "4f9a1c7be2d04f9a", credential.Password},
		{"secret", "shop-database", ""},
		{"existingSecret", "db1", ""},
		{"clientSecret", "oidc-client", ""},
		{"token", "vault-token", ""},
		{"password", "db-password", ""},
		{"apiKey", "api-key", ""},
		{"any", "postgres://a:hunter2@db", credential.URLPassword},
	}
	for _, test := range tests {
		if got := credential.InTree(test.key, test.value); got != test.want {
			t.Errorf("InTree(%q, %q) = %q, want %q", test.key, test.value, got, test.want)
		}
	}
}

func TestIsGuess(t *testing.T) {
	for value, want := range map[string]bool{"changeme": true, "Password": true, " admin\n": true, "kR8vQ2pLx9": false, "": false, strings.Repeat("a", 1000): false} {
		if credential.IsGuess(value) != want {
			t.Errorf("IsGuess(%q) is not %v", value, want)
		}
	}
}

// TestTextTime demands time in proportion to the text, whatever its lines.
func TestTextTime(t *testing.T) {
	for name, line := range map[string]string{
		"separators": strings.Repeat("password:", 200_000), "names": strings.Repeat("password= ", 200_000),
		"lines": strings.Repeat("password: x\n", 150_000), "quotes": strings.Repeat(`"token":"`, 200_000), "tags": strings.Repeat("<password>", 200_000),
	} {
		start := time.Now()
		credential.Kind("a", line+"\n")
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: %s for %d bytes", name, took, len(line))
		}
	}
}
