package image

import (
	"archive/tar"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/credential"
)

const (
	aToken    = "ghp_kT9vQ2mZx7abcdefghijklmnopqrstuvwxyz01"
	anAWSKey  = "abcdEFGH1234567890abcdEFGH1234567890/bcd"
	aPassword = "kT9vQ2mZx7"
	// aServiceToken is signed by nobody.
	aServiceToken = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJrdWJlcm5ldGVzL3NlcnZpY2VhY2NvdW50Iiwic3ViIjoic3lzdGVtOnNlcnZpY2VhY2NvdW50OnNob3A6d2ViIn0.c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJl"
)

// secretsOf are the paths and kinds of the credentials in files of an image, in order.
func secretsOf(t *testing.T, entries ...tar.Header) string {
	t.Helper()
	img, _ := mustRead(t, layout(t, gzipped(t, tarOf(t, entries...))), Options{})
	var list []string
	for _, s := range img.Contents.Secrets {
		list = append(list, s.Path+" "+s.Kind)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// TestSecretsInFiles looks for credentials in the languages that they are written in, and holds what reads like one and is none.
func TestSecretsInFiles(t *testing.T) {
	for at, tt := range map[string]struct{ text, want string }{
		"var/www/html/config.php": {"<?php\n$db_user = 'shop';\n$db_password = \"" + aPassword + "\";\n", "password"},
		"var/www/wp-config.php":   {"<?php\ndefine( 'DB_PASSWORD', '" + aPassword + "' );\n", "password"},
		"srv/a.php":               {"<?php\nreturn ['host' => 'db', 'password' => '" + aPassword + "'];\n", "password"},
		"app/settings.py":         {"DEBUG = False\nSECRET_KEY = 'django-insecure-#x(9vq2mz7!kt=abcdefghijklmnopqrstuvwxyz01'\n", "password"},
		"app/aws.py":              {"AWS_SECRET_ACCESS_KEY=\"" + anAWSKey + "\"\n", "aws-access-key"},
		"app/flask.py":            {"app.config[\"SECRET_KEY\"] = \"" + aPassword + "\"\n", "password"},
		"app/default.py":          {"KEY = 1\nSECRET_KEY = os.environ.get('SECRET_KEY') or '" + aPassword + "'\n", "password"},
		"app/config.rb":           {"Shop.configure do |c|\n  c.api_key = '" + aPassword + "99'\nend\n", "password"},
		"app/a.rb":                {"connect(user: 'a', :password => \"" + aPassword + "\")\n", "password"},
		"app/db.js":               {"module.exports = {\n  user: 'a',\n  password: '" + aPassword + "',\n}\n", "password"},
		"app/jwt.ts":              {"const jwtSecret = process.env.JWT_SECRET || '" + aPassword + "88';\n", "password"},
		"app/url.js":              {"connect(\"mongodb://shop:" + aPassword + "@db/shop\")\n", "url-password"},
		"app/run.sh":              {"#!/bin/sh\nexport DB_PASSWORD=" + aPassword + "\nexec app\n", "password"},
		"app/call.sh":             {"curl -u admin:" + aPassword + " https://x/\n", "password"},
		"app/Dockerfile":          {"FROM debian\nENV A=1 API_TOKEN=" + aPassword + "77\n", "password"},
		"etc/default/app":         {"USER=a\nDB_PASSWORD=" + aPassword + "\n", "password"},
		"srv/main.tf":             {"resource \"x\" \"y\" {\n  password = \"" + aPassword + "\"\n}\n", "password"},
		"var/run/secrets/kubernetes.io/serviceaccount/token": {aServiceToken, "service-account-token"},
		"app/notes.md":    {"the token is " + aToken + "\n", "token"},
		"app/several.env": {"DB_PASSWORD=" + aPassword + "\nURL=postgres://a:" + aPassword + "@db/x\nAWS=AKIAQ3EGR5T7ZXCV2BNM\nGH=" + aToken + "\n", "aws-access-key, app/several.env password, app/several.env token, app/several.env url-password"},

		"app/none.php":            {"<?php\n$password = $_POST['password'];\n$token = getenv('TOKEN');\ndefine('PASSWORD_DEFAULT', 'bcrypt');\n", ""},
		"app/none.py":             {"\"\"\"Give it as\n  password='s3cret1234'\n\"\"\"\npassword = os.environ['DB_PASSWORD']\ntoken_type = 'bearer1'\nsecret_algorithm = 'sha256'\nif password == 'abc12345': pass\n", ""},
		"app/none.js":             {"const password = req.body.password;\nconst t = {password: 'Password', token: '#ff00aa11', secretName: 'shop-db-1'};\n// password = 'kT9vQ2mZx7'\nlabel(\"password\", \"Your password 1\");\n", ""},
		"app/none.rb":             {"password = ENV.fetch('DB_PASSWORD')\nsecret_key_base: <%= ENV['X'] %>\n", ""},
		"app/none.sh":             {"#!/bin/sh\nPASSWORD=$(cat /run/pw)\nTOKEN=${TOKEN:-none}\nPASSWORD_FILE=/run/x1\n", ""},
		"app/none_test.go":        {"package a\n\nvar password = \"kT9vQ2mZx7\"\n", ""},
		"app/readme.md":           {"Set `password: \"kT9vQ2mZx7\"` in the file.\n", ""},
		"app/jwt.md":              {"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c", ""},
		"app/example.yaml":        {"key: AKIAIOSFODNN7EXAMPLE\n", ""},
		"app/node_modules/a/b.js": {"const password = 'kT9vQ2mZx7'\n", ""},
		"app/binary":              {"\x7fELF\x00\x00" + strings.Repeat("x", 9000) + aToken, ""},
	} {
		want := ""
		if tt.want != "" {
			want = at + " " + tt.want
		}
		if got := secretsOf(t, written(at, tt.text)); got != want {
			t.Errorf("%s: got %q, want %q", at, got, want)
		}
	}
}

// TestLargeTexts searches texts that are larger than what is held of one, wherever the credential stands in it; of what is larger
// than all that is searched, that is told.
func TestLargeTexts(t *testing.T) {
	key := "-----BEGIN RSA PRIVATE KEY-----\n" + strings.Repeat(strings.Repeat("kT9v", 16)+"\n", 50) + "-----END RSA PRIVATE KEY-----\n"
	line := "2026-11-22 everything is well here, as it was before\n"
	for _, before := range []int{0, 100 << 10, 256<<10 - 30, 256<<10 - 5, 683 << 10, 5 << 20, 15 << 20} {
		fill := strings.Repeat(line, before/len(line)) + strings.Repeat("x", before%len(line))
		for what, kind := range map[string]string{" " + aToken + "\n": "token", "\n" + key: "private-key", " postgres://a:" + aPassword + "@h \n" + aServiceToken: "service-account-token"} {
			if got := secretsOf(t, written("srv/big.log", fill+what+line)); got != "srv/big.log "+kind {
				t.Errorf("%s behind %d bytes: got %q", kind, before, got)
			}
		}
	}
	for size, want := range map[int]bool{credential.MaxFile: false, credential.MaxFile + 1: true} {
		text := strings.Repeat(line, size/len(line)) + strings.Repeat("y", size%len(line))
		img, _ := mustRead(t, layout(t, gzipped(t, tarOf(t, written("srv/big.log", text), written("srv/data", "\x00"+text)))), Options{})
		if got := img.Contents.Unsearched; (got != "") != want || want && !strings.Contains(got, "srv/big.log") {
			t.Errorf("%d bytes: %q", size, got)
		}
	}
}

// TestPublishedKeysInImages leaves out what Go and Python publish, and finds any other key beside it.
func TestPublishedKeysInImages(t *testing.T) {
	own := "-----BEGIN PRIVATE KEY-----\n" + strings.Repeat("kT9v", 16) + "\n-----END PRIVATE KEY-----\n"
	for at, want := range map[string]string{
		"usr/local/go/src/crypto/x509/platform_root_key.pem":     "private-key",
		"usr/local/go/src/crypto/tls/testdata/own.key":           "private-key",
		"usr/local/lib/python3.12/test/certdata/ssl_key.pem":     "private-key",
		"usr/local/lib/python3.12/site-packages/a/tests/key.pem": "",
		"app/tests/key.pem": "",
	} {
		if want != "" {
			want = at + " " + want
		}
		if got := secretsOf(t, written(at, own)); got != want {
			t.Errorf("%s: got %q, want %q", at, got, want)
		}
	}
}

// TestSecretsInConfiguration looks at all that a configuration holds, and for the values in all that is told of it.
func TestSecretsInConfiguration(t *testing.T) {
	for name, tt := range map[string]struct {
		config map[string]any
		want   string
	}{
		"entry point":    {map[string]any{"Entrypoint": []string{"/app", "--token=" + aToken}}, "entrypoint token"},
		"command":        {map[string]any{"Cmd": []string{"--password", aPassword}}, "command password"},
		"a shell":        {map[string]any{"Cmd": []string{"/bin/sh", "-c", "app --db-password " + aPassword}}, "command token"},
		"mysql":          {map[string]any{"Cmd": []string{"mysql", "-p" + aPassword}}, "command password"},
		"a label":        {map[string]any{"Labels": map[string]string{"build.token": aToken}}, "label build.token token"},
		"another label":  {map[string]any{"Labels": map[string]string{"db.password": aPassword}}, "label db.password password"},
		"a health check": {map[string]any{"Healthcheck": map[string]any{"Test": []string{"CMD-SHELL", "curl -u admin:" + aPassword + " http://localhost"}}}, "health check password"},
		"in words":       {map[string]any{"Healthcheck": map[string]any{"Test": []string{"CMD", "curl", "-u", "admin:" + aPassword, "http://localhost"}}}, "health check password"},
		"ONBUILD":        {map[string]any{"OnBuild": []string{"ENV X=1 NPM_TOKEN=" + aPassword + "11"}}, "step for images built on this one token"},
		"none": {map[string]any{
			"Entrypoint": []string{"/app", "--token-file=/run/token", "--user", "1000:1000"}, "Cmd": []string{"--password", "$(PASSWORD)"},
			"Labels": map[string]string{"secret": "shop-db", "maintainer": "a@b.c"}, "OnBuild": []string{"COPY . /"},
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			img, _ := mustRead(t, configured(t, map[string]any{"os": "linux", "architecture": "amd64", "config": tt.config}, written("app", "x")), Options{})
			var got []string
			for _, c := range img.Contents.Config.Credentials {
				got = append(got, c.Name+" "+c.Kind)
			}
			if strings.Join(got, ", ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			o, err := img.Object()
			if err != nil {
				t.Fatal(err)
			}
			if text := string(o.Root.AppendSorted(nil)); strings.Contains(text, aPassword) || strings.Contains(text, aToken) {
				t.Errorf("a value is told: %s", text)
			}
		})
	}
}

// TestPasswordless reads the files of sudo and doas.
func TestPasswordless(t *testing.T) {
	for name, tt := range map[string]struct{ at, text, want string }{
		"one":          {"etc/sudoers.d/shop", "shop ALL=(ALL) NOPASSWD: ALL\n", "shop ALL"},
		"carried on":   {"etc/sudoers", "%wheel\tALL=(ALL) \\\n\tNOPASSWD: /bin/a, /bin/b, PASSWD: /bin/c\n", "%wheel /bin/a, /bin/b,"},
		"a number":     {"etc/sudoers", "#1000 ALL=NOPASSWD:ALL\n", "#1000 ALL"},
		"for all":      {"etc/sudoers", "Defaults   !authenticate\n", "everybody whatever sudo allows"},
		"for one":      {"etc/sudoers", "Defaults:shop !authenticate\n", "shop whatever sudo allows"},
		"root":         {"etc/sudoers", "root ALL=(ALL) NOPASSWD: ALL\n", ""},
		"a comment":    {"etc/sudoers", "# shop ALL=(ALL) NOPASSWD: ALL\nshop ALL=(ALL) ALL # NOPASSWD: x\n", ""},
		"not included": {"etc/sudoers.d/shop.bak", "shop ALL=(ALL) NOPASSWD: ALL\n", ""},
		"doas":         {"etc/doas.conf", "permit nopass setenv { A B=c } shop as root cmd apk # x\npermit persist other\n", "shop ALL as root cmd apk"},
		"doas, deny":   {"etc/doas.conf", "deny nopass shop\n", ""},
		"no value":     {"etc/sudoers.d/a", "shop ALL=NOPASSWD: /bin/x --password " + aPassword + "\n", "shop /bin/x --password [masked]"},
	} {
		img, _ := mustRead(t, layout(t, tarOf(t, written(tt.at, tt.text))), Options{})
		var got []string
		for _, p := range img.Contents.Passwordless {
			got = append(got, fmt.Sprint(p.Name, " ", p.Commands))
		}
		if strings.Join(got, "; ") != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}
