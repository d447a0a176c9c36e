package judge_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/report"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

// everywhere are rules that find a fault in every place where a secret may stand.
func everywhere(t testing.TB) []*rule.Compiled {
	list := all(t)
	for i, at := range []string{"apiVersion", "kind", "metadata", "metadata.name", "metadata.annotations", "data", "stringData", "spec", "spec.template", "spec.nothing.there"} {
		list = append(list, newRule(t, fmt.Sprintf("at-%d", i), "match: object", "assert: 'false'", "at: "+at))
	}
	for _, path := range []string{"data", "stringData", "metadata.annotations"} {
		list = append(list, newRule(t, "each-"+strings.ToLower(strings.ReplaceAll(path, ".", "-")), "match: object", "each: {entry: "+path+"}", "assert: 'false'", `says: '"entry " + entry.key'`))
	}
	for _, at := range []string{"env", "args", "command", "image", "name"} {
		list = append(list, newRule(t, "container-"+at, "match: container", "assert: 'false'", "at: "+at, `says: '"image " + container.?image.orValue("")'`))
	}
	for _, path := range []string{"env", "args", "command"} {
		list = append(list, newRule(t, "each-"+path, "match: container", "each: {item: "+path+"}", "assert: 'false'"))
	}
	return append(list, newRule(t, "each-value", "match: container", "each: {item: env}", "assert: 'false'", "at: value"))
}

// pieces are the forms in which a secret would give itself away.
func pieces(secret string) []string {
	list := []string{base64.StdEncoding.EncodeToString([]byte(secret))}
	for i := 0; i+6 <= len(secret); i++ {
		list = append(list, secret[i:i+6])
	}
	return list
}

// demandSilence renders every report of a judgement of the text, read as a file and as what a
// server sent, and demands that nothing of the secret is in any.
func demandSilence(t *testing.T, rules []*rule.Compiled, secret, text string) {
	t.Helper()
	for _, served := range []bool{false, true} {
		origin := specimen.File("a.yaml")
		origin.Served = served
		inv := fact.NewInventory(specimen.Objects(t, origin, text), "1.36", served)
		res := judge.Judge(judge.Input{Inventory: inv, Rules: rules, Now: now})
		if len(res.Findings) == 0 {
			t.Fatalf("nothing was found in:\n%s", text)
		}
		var out bytes.Buffer
		meta := report.Meta{Version: "test", FailOn: verdict.Low}
		for _, err := range []error{
			report.JSON(&out, res, meta), report.SARIF(&out, res, meta),
			report.Terminal(&out, res, report.TerminalOptions{Width: 200, Verbose: true}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, piece := range pieces(secret) {
			if at := strings.Index(out.String(), piece); at >= 0 {
				t.Fatalf("served %v: the report holds %q:\n%s\nof:\n%s", served, piece, out.String()[max(0, at-300):min(out.Len(), at+100)], text)
			}
		}
	}
}

// secretPlaces are texts with SECRET (and BASE64 of it) in the places where people write secrets.
var secretPlaces = map[string]string{
	"env value": `
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: app
      image: nginx
      env:
        - name: DB_PASSWORD
          value: SECRET # the old one: SECRET
        - name: OTHER
          value: "1"
      securityContext: {privileged: true}
`,
	"env value first":  "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: app, image: nginx, env: [{value: SECRET, name: DB_PASSWORD}, {name: API_TOKEN, value: 'SECRET'}], securityContext: {privileged: true}}]}}",
	"env value quoted": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - image: nginx\n    env:\n    - {name: DB_PASSWORD, value: \"SECRET\"}\n    - name: B_PASSWORD\n      value: 'SECRET'\n    name: app\n",
	"env folded":       "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - image: nginx\n    env:\n    - name: DB_PASSWORD\n      value: >-\n        SECRET\n        SECRET\n    - name: C_PASSWORD\n      value: |\n        SECRET\n\n        SECRET\n    - name: D_PASSWORD\n      value: \"x\n        SECRET\n        y\"\n    - name: E_PASSWORD\n      value: plain\n        SECRET and\n        SECRET\n    name: app\n",
	"env escaped":      "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - image: nginx\n    env:\n    - name: DB_PASSWORD\n      value: \"a\\\"SECRET\\n\\u0041SECRET\"\n    - name: \"D\\u0042_PASSWORD\"\n      value: \"SECRET\"\n    name: app\n",
	"env passphrase":   "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - image: nginx\n    env:\n    - name: DB_PASSWORD\n      value: my SECRET phrase\n    name: app\n",
	"args": `
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  template:
    spec:
      containers:
        - name: app
          image: nginx
          args:
            - --password
            - SECRET
            - --token=SECRET
            - "--api-key=SECRET"
            - -secret=SECRET
            - --url=postgres://app:SECRET@db/app
            - --set=db.password=SECRET
          command: [sh, -c, "export PGPASSWORD=SECRET; psql --password SECRET"]
`,
	"args in a flow": "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: app, image: nginx, args: [--password, SECRET, '--token=SECRET', \"--token\", \"SECRET\"], command: [\"--password\", 'SECRET']}]}}",
	"script": `
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: app
      image: nginx
      command:
        - sh
        - -c
        - |
          set -e
          export DB_PASSWORD='SECRET'
          curl -H "Authorization: Bearer SECRET" https://u:SECRET@example.com
          mysql --password SECRET
      ports: []
`,
	"ConfigMap": `
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data:
  password: SECRET
  app.properties: |
    colour=blue
    db.password=SECRET
    db.url=jdbc:mysql://db/x?user=a&password=SECRET
    token = SECRET and more
  app.json: '{"user": "x", "password": "SECRET", "other": "SECRET"}'
  app2.json: "{\"user\": \"x\", \"password\": \"SECRET\"}"
  app.yaml: |
    db:
      password: |
        SECRET
        SECRET
      token:
        - SECRET
  app.xml: "<a><password>SECRET</password></a>"
  redis.conf: |
    requirepass SECRET
`,
	"ConfigMap on one line": `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"colour":"blue","x.json":"{\"user\":\"x\",\"password\":\"SECRET\",\"more\":\"SECRET\"}","password":"SECRET"}}`,
	"Secret": `
apiVersion: v1
kind: Secret
metadata: {name: a}
type: Opaque
stringData:
  colour: SECRET
  kind: SECRET
  "quoted": "SECRET"
  "esc\u0061ped": "a\tSECRET"
  folded: >-
    SECRET
    SECRET
  literal: |
    SECRET

    SECRET
  flow: {nested: SECRET}
  number: 12345678
data:
  encoded: BASE64
`,
	"Secret in a flow":         `{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {colour: SECRET, "b": "SECRET", c: 'SECRET'}, data: {d: BASE64}}`,
	"Secret in JSON":           `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"stringData":{"colour":"SECRET","esc\u0061ped":"\u0041SECRET"},"data":{"d":"BASE64"}}`,
	"Secret with wrong types":  `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"stringData":["SECRET"],"data":"BASE64 SECRET"}`,
	"neighbours in a list":     `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"stringData":{"colour":"SECRET"}},{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"app"}]}},{"apiVersion":"v1","kind":"Secret","metadata":{"name":"t"},"data":{"colour":"BASE64"}}]}`,
	"neighbours in one line":   `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"app"}]}} {"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"stringData":{"colour":"SECRET"}}`,
	"SecretList without kinds": "apiVersion: v1\nkind: SecretList\nitems:\n- metadata: {name: s}\n  apiVersion: v1\n  stringData:\n    colour: SECRET\n",
	"annotations": `
apiVersion: v1
kind: Pod
metadata:
  name: a
  annotations:
    example.com/token: SECRET
    kubectl.kubernetes.io/last-applied-configuration: |
      {"apiVersion":"v1","kind":"Secret","stringData":{"colour":"SECRET"}}
    other/original: '{"kind":"Secret","data":{"colour":"BASE64"}}'
    ingress/snippet: |
      proxy_set_header Authorization "Bearer SECRET";
      set $api_key=SECRET;
spec: {containers: [{name: app}]}
`,
	"comments": `
# password: SECRET
apiVersion: v1
kind: Pod # token=SECRET
metadata: {name: a} # "password": "SECRET"
# PASSWORD SECRET
spec:
  # export DB_PASSWORD=SECRET
  containers:
    - name: app # --password SECRET
      # url: postgres://app:SECRET@db
      image: nginx
`,
	"anchors": `
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - &a
      name: app
      image: nginx
      env:
        - &pw {name: DB_PASSWORD, value: SECRET}
    - <<: *a
      name: two
`,
	"anchors in a Secret": "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n  colour: &c SECRET\n  other: *c\n",
	"anchors beside a Secret": `
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: &m {name: a}
  spec: {containers: [{name: app}]}
- apiVersion: v1
  kind: Secret
  metadata: *m
  stringData: {colour: SECRET}
`,
	"a tag":          "apiVersion: v1\nkind: Pod\nmetadata: {name: !!str a}\nspec:\n  containers:\n  - name: app\n    env: [{name: DB_PASSWORD, value: !!str SECRET}]\n",
	"image with URL": "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: app\n    image: https://user:SECRET@registry/app\n",
	"probe header":   "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: app\n    livenessProbe: {httpGet: {httpHeaders: [{name: Authorization, value: Bearer SECRET}]}}\n    image: nginx\n",
	"windows lines":  "apiVersion: v1\r\nkind: Secret\r\nmetadata: {name: a}\r\nstringData:\r\n  colour: |\r\n    SECRET\r\n    SECRET\r\n",
	"long line":      `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"x":"` + strings.Repeat("é", 400) + `","containers":[{"name":"app","env":[{"name":"DB_PASSWORD","value":"SECRET"},{"name":"B_PASSWORD","value":"` + strings.Repeat("SECRET", 100) + `"}],"args":["--password","SECRET"],"image":"nginx"}]}}`,
	"mask in the text": `
apiVersion: v1
kind: Pod
metadata: {name: a} # [masked] password: SECRET
spec:
  containers:
    - {name: app, env: [{name: A_PASSWORD, value: "[masked]"}, {name: B_PASSWORD, value: SECRET}]}
`,
}

// TestNoSecret demands that what a scan has read as a secret does not reach any report.
func TestNoSecret(t *testing.T) {
	rules := everywhere(t)
	const secret = "Zq7vK2mX9w"
	for name, place := range secretPlaces {
		t.Run(name, func(t *testing.T) {
			text := strings.NewReplacer("SECRET", secret, "BASE64", base64.StdEncoding.EncodeToString([]byte(secret))).Replace(place)
			demandSilence(t, rules, secret, text)
		})
	}
}

// FuzzNoSecret writes secrets of any letters into those places.
func FuzzNoSecret(f *testing.F) {
	f.Add("Zq7vK2mX9w", uint8(0))
	f.Add("hunter2hunter2", uint8(3))
	var places []string
	for _, name := range slices.Sorted(maps.Keys(secretPlaces)) {
		places = append(places, secretPlaces[name])
	}
	rules := everywhere(f)
	f.Fuzz(func(t *testing.T, secret string, place uint8) {
		if len(secret) < 8 || len(secret) > 40 || strings.Trim(secret, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" || strings.Trim(secret, "xX") == "" {
			return
		}
		text := strings.NewReplacer("SECRET", "q"+secret, "BASE64", base64.StdEncoding.EncodeToString([]byte("q"+secret))).Replace(places[int(place)%len(places)])
		shown, _ := json.Marshal(places)
		for _, piece := range pieces("q" + secret) {
			if strings.Contains(string(shown), piece) || strings.Contains("password", piece) {
				return // the text itself says it
			}
		}
		demandSilence(t, rules, "q"+secret, text)
	})
}
