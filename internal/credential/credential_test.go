package credential_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/credential"
)

var (
	hex36 = strings.Repeat("aB3", 12)
	jwt   = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
	pem   = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----\n"
)

// TestKind holds what is a credential, by its name or its form.
func TestKind(t *testing.T) {
	tests := []struct{ key, value, want string }{
		{"DB_PASSWORD", "hunter2", credential.Password},
		{"db-password", "hunter2", credential.Password},
		{"db.password", "hunter2", credential.Password},
		{"dbPassword", "hunter2", credential.Password},
		{"DBPassword", "hunter2", credential.Password},
		{"PGPASSWORD", "hunter2", credential.Password},
		{"MYSQL_PWD", "hunter2", credential.Password},
		{"MYSQL_ROOT_PASSWORD", "changeme", credential.Password},
		{"POSTGRES_PASSWORD", "postgres", credential.Password},
		{"DB_PASS", "hunter2", credential.Password},
		{"DB_PASSWORD_2", "hunter2", credential.Password},
		{"rootPasswd", "1234", credential.Password},
		{"passphrase", "correct-horse", credential.Password},
		{"passcode", "123456", credential.Password},
		{"password", "Password", ""},
		{"password", "Passw0rd!", credential.Password},
		{"password", "pa$$word", credential.Password},
		{"API_KEY", "0123456789", credential.Password},
		{"apiKey", "0123456789", credential.Password},
		{"k8svaultapikey", "0123456789", credential.Password},
		{"DD_APP_KEY", "0123456789", credential.Password},
		{"NEW_RELIC_LICENSE_KEY", "0123456789", credential.Password},
		{"AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", credential.Password},
		{"MINIO_ACCESS_KEY", "minio", credential.Password},
		{"MINIO_SECRET_KEY", "minio123", credential.Password},
		{"azurestorageaccountkey", "AAAABBBB", credential.Password},
		{"SECRET_KEY_BASE", "abcdef0123", credential.Password},
		{"CLIENT_SECRET", "abcdef", credential.Password},
		{"clientSecret", "abcdef", credential.Password},
		{"OAUTH2_PROXY_COOKIE_SECRET", "abcdef", credential.Password},
		{"GITHUB_TOKEN", "abcdef", credential.Password},
		{"APIToken", "abcdef", credential.Password},
		{"ngrokAuthtoken", "abcdef", credential.Password},
		{"accessToken", "abcdef", credential.Password},
		{"JWT_SIGNING_KEY", "abcdef", credential.Password},
		{"ENCRYPTION_KEY", "abcdef", credential.Password},
		{"requirepass", "abcdef", credential.Password},
		{"GOOGLE_CREDENTIALS", "abcdef", credential.Password},
		{"--admin-password", "abcdef", credential.Password},
		{"Authorization", "Bearer abcdef123", credential.Token},
		{"authorization", "Basic YWRtaW46aHVudGVyMg==", credential.Token},

		{"", "ghp_" + hex36, credential.Token},
		{"", "x github_pat_" + hex36 + hex36 + " y", credential.Token},
		{"", "glpat-" + hex36, credential.Token},
		{"", "xoxb-" + hex36, credential.Token},
		{"", "sk_live_" + hex36, credential.Token},
		{"", "npm_" + hex36, credential.Token},
		{"", "hvs." + hex36, credential.Token},
		{"", "AIza" + hex36, credential.Token},
		{"", jwt, credential.Token},
		{"anything", "token is " + jwt + ".", credential.Token},
		{"", "AKIAIOSFODNN7EXAMPLE", credential.AWSKey},
		{"AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE", credential.AWSKey},
		{"tls.key", pem, credential.PrivateKey},
		{"", strings.ReplaceAll(pem, "RSA ", "OPENSSH "), credential.PrivateKey},
		{"", strings.ReplaceAll(pem, "RSA ", ""), credential.PrivateKey},

		{"", "postgres://app:hunter2@db:5432/app", credential.URLPassword},
		{"DATABASE_URL", "see postgres://app:hunter2@db/app for it", credential.URLPassword},
		{"", "redis://:hunter2@cache", credential.URLPassword},
		{"", "https://user:p@ss@example.com/x", credential.URLPassword},
		{"", "amqp://a@b,amqp://guest:guest@mq", credential.URLPassword},
		{"", "jdbc:mysql://db/app?user=app&password=hunter2", credential.Token},
		{"", "Server=db;User=sa;Password=x;", ""}, // too short to tell
		{"", "sqlserver://db;user=sa;password=hunter2", credential.Token},

		{"", "--password=hunter2", credential.Token},
		{"", "--password hunter2", credential.Token},
		{"", "-password=hunter2", credential.Token},
		{"", `--db-password="hunter2"`, credential.Token},
		{"", "mysql --user x --password=hunter2 -h db", credential.Token},
		{"", "PGPASSWORD=hunter2 psql -h db", credential.Token},
		{"", "set -e; export DB_PASSWORD='hunter2'; run", credential.Token},
		{"", "curl -H 'Authorization: Bearer abcdef123' http://x", credential.Token},
		{"", "curl --header=authorization:\"token abcdef123\" x", credential.Token},
		{"", "proxy_set_header Authorization \"Bearer abcdef123\";", credential.Token},
	}
	for _, test := range tests {
		if got := credential.Kind(test.key, test.value); got != test.want {
			t.Errorf("Kind(%q, %q) = %q, want %q", test.key, test.value, got, test.want)
		}
	}
}

// TestKindNone holds what is none: references, place holders, paths, switches, and names of things.
func TestKindNone(t *testing.T) {
	tests := []struct{ key, value string }{
		{"DB_PASSWORD", ""},
		{"DB_PASSWORD", "   "},
		{"DB_PASSWORD", "abc"},
		{"DB_PASSWORD", "$(DB_PASSWORD)"},
		{"DB_PASSWORD", "${DB_PASSWORD}"},
		{"DB_PASSWORD", "${DB_PASSWORD:-changeme}"},
		{"DB_PASSWORD", "$DB_PASSWORD"},
		{"DB_PASSWORD", "{{ .Values.password }}"},
		{"DB_PASSWORD", "{{password}}"},
		{"DB_PASSWORD", "<password>"},
		{"DB_PASSWORD", "<your password here>"},
		{"DB_PASSWORD", "%DB_PASSWORD%"},
		{"DB_PASSWORD", "__DB_PASSWORD__"},
		{"DB_PASSWORD", "********"},
		{"DB_PASSWORD", "xxxxxxxx"},
		{"DB_PASSWORD", "XXXX-XXXX"},
		{"DB_PASSWORD", "........"},
		{"DB_PASSWORD", "true"},
		{"DB_PASSWORD", "False"},
		{"DB_PASSWORD", "none"},
		{"DB_PASSWORD", "required"},
		{"DB_PASSWORD", "/run/secrets/db"},
		{"DB_PASSWORD", "./secrets/db"},
		{"DB_PASSWORD", "file:/run/secrets/db"},
		{"DB_PASSWORD", "vault:secret/data/db#password"},
		{"DB_PASSWORD", "https://vault/v1/secret"},
		{"DB_PASSWORD", "ref+vault://secret/db#password"},
		{"DB_PASSWORD", "ENC[AES256_GCM,data:PyhZmNhy929JGQ==,iv:x,tag:y,type:str]"},
		{"DB_SECRET", "arn:aws:secretsmanager:eu-west-1:1:secret:db"},
		{"DB_SECRET", "projects/1/secrets/db/versions/1"},
		{"DB_PASSWORD", "the password is somewhere else"},
		{"DB_PASSWORD", "DB_PASSWORD"},

		{"DB_PASSWORD_FILE", "/run/pw"},
		{"DB_PASSWORD_FILE", "hunter2.txt"},
		{"PASSWORD_MIN_LENGTH", "8888"},
		{"passwordSecretName", "db-credentials"},
		{"passwordKey", "password"},
		{"secretName", "db-credentials"},
		{"secretKeyRef.key", "password"},
		{"key", "password"},
		{"name", "db-password"},
		{"imagePullSecret", "registry-login"},
		{"IMAGE_PULL_SECRET", "registry-login"},
		{"--image-pull-secret", "registry-login"},
		{"existingSecret", "db-credentials"},
		{"TLS_SECRET", "web-tls"},
		{"default-ssl-secret", "ingress/web"},
		{"tokenReviewer", "system:auth-delegator"},
		{"tokenExpirationSeconds", "3600"},
		{"TOKEN_TTL", "3600"},
		{"MAX_TOKENS", "4096"},
		{"OIDC_TOKEN_URL", "https://x/token"},
		{"automountServiceAccountToken", "false"},
		{"automountServiceAccountToken", "true"},
		{"--initial-cluster-token", "etcd-cluster-1"},
		{"ETCD_INITIAL_CLUSTER_TOKEN", "etcd-cluster-1"},
		{"compass", "north"},
		{"BYPASS", "admin"},
		{"publicKey", "ssh-rsa AAAA"},
		{"Authorization", "$(HEADER)"},
		{"Authorization", "Bearer $(TOKEN)"},

		{"", "--token-auth-file=/etc/tokens.csv"},
		{"", "--password-file=/run/pw"},
		{"", "--password=$(DB_PASSWORD)"},
		{"", "--password $(DB_PASSWORD)"},
		{"", "--password --verbose"},
		{"", "--password="},
		{"", "--token-ttl=15m"},
		{"", "--initial-cluster-token=etcd-cluster-1"},
		{"", "--image-pull-secret=registry-login"},
		{"", "--enable-bootstrap-token-auth=true"},
		{"", "--authentication-token-webhook-config-file=/x"},
		{"", "DB_PASSWORD=$(cat /run/pw) run"},
		{"", "PASSWORD=\"$1\""},
		{"", "password=os.environ['PASSWORD']"},
		{"", "password=password_field"},
		{"", "if a && password=b"},
		{"", "https://example.com/a@b"},
		{"", "https://example.com:8080/x?y=z@w"},
		{"", "ssh://git@example.com/x"},
		{"", "postgres://app@db/app"},
		{"", "postgres://app:$(PW)@db/app"},
		{"", "postgres://app:{{ .pw }}@db/app"},
		{"", "postgres://<user>:<password>@db/app"},
		{"", "postgres://user:%s@db/app"},
		{"", "docker://busybox:1.36@sha256:0123456789abcdef"},
		{"", "AKIASHORT"},
		{"", "ghp_short"},
		{"", "eyJhbGciOiJIUzI1NiJ9"},
		{"", "eyJ.eyJ.x"},
		{"", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"},
		{"", "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----"},
		{"", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
		{"", "Authorization: Bearer $TOKEN"},
		{"", "Authorization: Basic authentication is off"},
		{"", "a bearer of the password and the token is welcome"},
	}
	for _, test := range tests {
		if got := credential.Kind(test.key, test.value); got != credential.None {
			t.Errorf("Kind(%q, %q) = %q", test.key, test.value, got)
		}
	}
}

func TestMasks(t *testing.T) {
	tests := map[string]struct {
		key, value string
		want       bool
	}{
		"with blanks":           {"password", "correct horse battery", true},
		"a short one":           {"password", "z", true},
		"a reference and more":  {"password", "$(A)hunter2", true},
		"encoded":               {"x", base64.StdEncoding.EncodeToString([]byte(pem)), true},
		"encoded twice":         {"x", "aGVsbG8=", false},
		"a number":              {"pin.password", "1234", true},
		"a reference":           {"password", "$(A)", false},
		"a switch":              {"automountServiceAccountToken", "false", false},
		"a path":                {"password", "/run/pw", false},
		"no name":               {"colour", "blue", false},
		"by form":               {"colour", jwt, true},
		"a pull secret":         {"imagePullSecret", "login", false},
		"a configuration":       {"password", strings.Repeat("a = b\n", 50), true},
		"authorization header":  {"Authorization", "Bearer abcdef", true},
		"a header by reference": {"Authorization", "Bearer $(TOKEN)", false},
	}
	for name, test := range tests {
		if got := credential.Masks(test.key, test.value); got != test.want {
			t.Errorf("%s: Masks(%q, %q) = %v", name, test.key, test.value, got)
		}
	}
}

// TestSpans hides what stands in brackets, and nothing else.
func TestSpans(t *testing.T) {
	tests := map[string]string{
		"yaml":                  "a: b\npassword:[ hunter2]\nc: d\n",
		"quoted":                `password:[ "hun ter2"]`,
		"comment behind":        "password:[ hunter2 # the old one]",
		"in a comment":          "# DB_PASSWORD=[hunter2]",
		"behind a value":        "colour: blue # password:[ hunter2]",
		"json":                  `{"user":"x","password":["hunter2","a":1}]`,
		"json with blanks":      `{"user": "x", "password":[ "hunter2", "a": 1}]`,
		"escaped json":          `{\"user\": \"x\", \"password\":[ \"hunter2\"}]`,
		"properties":            "spring.datasource.password=[hunter2]\nb=c",
		"ini":                   "password =[ correct horse]",
		"xml":                   "<user>x</user><password>[hunter2</password>]",
		"flag":                  "run --password [hunter2 --user x]",
		"flag with equals":      "run --user x --password=[hunter2 -v]",
		"environment":           "PGPASSWORD=[hunter2 psql -h db]",
		"first word":            "requirepass [hunter2]",
		"first word of comment": "# password [hunter2]",
		"in a query":            "url: https://x/?a=b&password=[hunter2]",
		"url":                   "url:[ postgres://app:hunter2@db/app]",
		"url alone":             "  - [postgres://app:hunter2@db/app]",
		"below":                 "a:\n  password: |\n    [hunter2]\n    [more]\n  user: x\n",
		"list below":            "tokens:\ntoken:\n  [- abc]\n  [- def]\nuser: x",
		"private key":           "key: |\n  [" + strings.ReplaceAll(strings.TrimSuffix(pem, "\n"), "\n", "]\n  [") + "]\nuser: x",
		"inside of a key":       "# [MIIEpAIBAAKCAQEA04up8hoqzS1+APIB0RhjXyObwHQnOzhAk5Bd7mhkSbPkyhP1]",
		"template":              "password: {{ .Values.password }}\ntoken: <your token>",
		"nothing":               "name: web\nimage: example.com/vault-secret:1.0\nautomountServiceAccountToken: false\nsecretKeyRef: {name: db, key: password}\nsecretName: db-tls\npassword: $(PW)\n",
		"a digest":              "sha256sum\n9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		"switch in a flow":      "{automountServiceAccountToken: false, containers: {}}",
		"empty":                 `password: ""` + "\nuser: x",
		"header":                "curl -H 'Authorization: Bearer [abcdefgh' http://x]",
		"prose":                 "where the password of the user is kept",
	}
	for name, marked := range tests {
		t.Run(name, func(t *testing.T) {
			text := strings.NewReplacer("[", "", "]", "").Replace(marked)
			var b strings.Builder
			at := 0
			for _, s := range credential.Spans(text) {
				b.WriteString(text[at:s.Start] + "[" + text[s.Start:s.End] + "]")
				at = s.End
			}
			if got := b.String() + text[at:]; got != marked {
				t.Errorf("got  %s\nwant %s", got, marked)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	for text, want := range map[string]string{
		"aHVudGVyMg==":   "hunter2",
		"aHVudGVyMg":     "hunter2",
		"aHVu\ndGVyMg==": "hunter2",
		"":               "",
		"abc":            "i\xb7"[:0],
		"not base64!":    "",
		"AAECAw==":       "",
		"/////w==":       "",
	} {
		if got := credential.Decode(text); got != want {
			t.Errorf("Decode(%q) = %q, want %q", text, got, want)
		}
	}
}

// hostile are texts made to be slow to look at.
var hostile = []string{
	"://", "://a", "://a:", "a:b@", "://x:y", "--", "--password", "--password=", "password=", "PASSWORD=$", "AKIA", "AKIAIOSF", "eyJ", "eyJa.", "ghp_", "SG.",
	"-----BEGIN ", "PRIVATE KEY", "\n", "a=", "a: ", "password: \n ", "<password>", "=", ">", " ", "\"", "'", "Authorization: Bearer ", "uthorization:", "&password=", "[{(", "aA", "A", "_", "\\", "token ", "token:\n", "# ",
}

// TestLinear demands of every function time in proportion to the text, whatever it holds.
func TestLinear(t *testing.T) {
	for _, piece := range hostile {
		text := strings.Repeat(piece, 1<<18/len(piece))
		start := time.Now()
		credential.Kind(text[:min(len(text), 1<<16)], text)
		credential.Masks("password", text)
		credential.Decode(text)
		credential.Spans(text)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("a quarter MiB of %q took %v", piece, took)
		}
	}
}

// FuzzKind demands that nothing panics, that spans are in order and inside the text, that what
// Kind finds is masked too, and that a telling name hides its value whatever that is.
func FuzzKind(f *testing.F) {
	for _, piece := range hostile {
		f.Add(piece, piece+"x"+piece)
	}
	f.Add("DB_PASSWORD", "hunter2")
	f.Add("", "postgres://app:hunter2@db/app")
	f.Fuzz(func(t *testing.T, key, value string) {
		if credential.Kind(key, value) != credential.None && !credential.Masks(key, value) {
			t.Errorf("a credential that is not masked: %q %q", key, value)
		}
		at := 0
		for _, s := range credential.Spans(value) {
			if s.Start < at || s.End < s.Start || s.End > len(value) {
				t.Fatalf("span %v behind %d of %q", s, at, value)
			}
			at = s.End
		}
		for line := range strings.Lines(value) {
			if credential.ByForm(line) != credential.None && len(credential.Spans(line)) == 0 {
				t.Errorf("a line with a credential that is not hidden: %q", line)
			}
		}
		if decoded := credential.Decode(value); len(decoded) > len(value) {
			t.Errorf("%d bytes decoded from %d", len(decoded), len(value))
		}
	})
}
