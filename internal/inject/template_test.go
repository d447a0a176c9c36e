package inject_test

import (
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/inject"
)

// template is one with some lines in its spec.
func template(lines string) string {
	return "apiVersion: coaming.dev/v1alpha1\nkind: SidecarTemplate\nmetadata: {name: own}\nspec:\n  version: 1.0.0\n" + lines
}

func TestTemplatesAreReadStrictly(t *testing.T) {
	const sidecar = "  sidecars: [{name: a, image: b}]\n"
	for name, test := range map[string]struct {
		text string
		want []string // each a fault, with its place
	}{
		"sound":                  {template(sidecar), nil},
		"no YAML":                {"a: [", []string{"t.yaml:1:"}},
		"two documents":          {"a: b\n---\nc: d\n", []string{"t.yaml:1:1: want one YAML map"}},
		"everything missing":     {"a: b\n", []string{`unknown key "a"`, "apiVersion is missing", "kind is missing", "metadata is missing", "spec is missing"}},
		"of another kind":        {strings.ReplaceAll(template(sidecar), "SidecarTemplate", "Sidecar"), []string{"t.yaml:2:1: kind: want SidecarTemplate"}},
		"no name":                {strings.ReplaceAll(template(sidecar), "name: own", "name: Own_1"), []string{"t.yaml:3:12: metadata.name: want at most 40"}},
		"no version":             {strings.ReplaceAll(template(sidecar), "1.0.0", "1@2"), []string{"spec.version: want letters"}},
		"unknown key":            {template(sidecar + "  images: []\n"), []string{`t.yaml:7:3: spec: unknown key "images"`}},
		"nothing in it":          {template("  volumes: []\n"), []string{"want at least one of sidecars, containers"}},
		"unknown field":          {template("  sidecars: [{name: a, image: b, cmd: [x]}]\n"), []string{`unknown field "cmd"`}},
		"deep unknown field":     {template("  sidecars:\n  - name: a\n    image: b\n    securityContext: {runAsuser: 1}\n"), []string{`t.yaml:9:23: spec.sidecars[0]: unknown field "runAsuser"; did you mean runAsUser?`}},
		"wrong type":             {template(`  sidecars: [{name: a, image: b, securityContext: {runAsUser: "1"}, ports: [{containerPort: http}]}]` + "\n"), []string{"want the type integer, this is of type string"}},
		"no quantity":            {template("  sidecars: [{name: a, image: b, resources: {limits: {memory: lots}}}]\n"), []string{`"lots" is no quantity`}},
		"no image":               {template("  sidecars: [{name: a}]\n"), []string{"image is missing"}},
		"a name twice":           {template("  sidecars: [{name: a, image: b}]\n  containers: [{name: a, image: b}]\n"), []string{"spec.containers[0].name: a is there twice"}},
		"restartPolicy":          {template("  sidecars: [{name: a, image: b, restartPolicy: Always}]\n"), []string{"restartPolicy: leave it out"}},
		"a mount of nothing":     {template("  sidecars: [{name: a, image: b, volumeMounts: [{name: v, mountPath: /v}]}]\n"), []string{"v is no volume of the template"}},
		"an unknown value":       {template(`  sidecars: [{name: a, image: "$[image]"}]` + "\n"), []string{`spec.values has no value "image"`}},
		"an unused value":        {template(sidecar + "  values: {x: {about: y, default: z}}\n"), []string{"nothing says $[x]"}},
		"neither nor":            {template(sidecar + "  values: {x: {about: y}}\n"), []string{"want either a default or required: true", "nothing says $[x]"}},
		"a name with a value":    {template(`  sidecars: [{name: "$[x]", image: b}]` + "\n  values: {x: {about: y, default: z}}\n"), []string{"a name is fixed"}},
		"a key with a value":     {template(sidecar + "  annotations: {\"$[x]\": y}\n  values: {x: {about: y, default: z}}\n"), []string{"a key is fixed"}},
		"an annotation of ours":  {template(sidecar + "  annotations: {coaming.dev/injected: y}\n"), []string{"is written by Coaming itself"}},
		"an annotation's type":   {template(sidecar + "  annotations: {a: 1}\n"), []string{"want a text"}},
		"no server":              {template(sidecar + "  servers: {from: \"1.30\", before: \"1.29\"}\n"), []string{"no version is from 1.30 on and before 1.29"}},
		"a server that is none":  {template(sidecar + "  servers: {from: new}\n"), []string{"spec.servers.from: want the text of a Kubernetes version"}},
		"a key twice":            {template(sidecar + "  about: a\n  about: b\n"), []string{"about"}},
		"several at once":        {template("  about: 1\n  sidecars: [{image: b, x: y}]\n  volumes: {}\n"), []string{"spec.about: want a text", `unknown field "x"`, "name is missing", "spec.volumes: want a list"}},
		"programs of their own":  {template(sidecar + "  programs: {env: [{nam: a}], volumes: []}\n"), []string{`unknown key "volumes"`, `unknown field "nam"`, "name is missing"}},
		"a port that is no name": {template("  sidecars: [{name: a, image: b, livenessProbe: {httpGet: {port: \"80\"}}}]\n"), []string{"the name of a port, and has no letter"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := inject.ReadTemplate("t.yaml", test.text)
			if err == nil != (len(test.want) == 0) {
				t.Fatalf("error %v", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("want %q in\n%v", want, err)
				}
			}
		})
	}
}

func TestShippedTemplatesNeedAnImage(t *testing.T) {
	all, err := inject.Shipped()
	if err != nil || len(all) != 2 {
		t.Fatalf("%d templates, %v", len(all), err)
	}
	for name, template := range all {
		if _, err := template.Fill(nil); err == nil || !strings.Contains(err.Error(), "sidecar "+name+" needs the value image: an image whose entry point") {
			t.Errorf("%s without an image: %v", name, err)
		}
		if _, err := template.Fill(map[string]string{"image": "a b", "other": "x"}); err == nil || !strings.Contains(err.Error(), "no reference of an image") || !strings.Contains(err.Error(), `no value "other"`) {
			t.Errorf("%s with a bad image and an unknown value: %v", name, err)
		}
		if _, err := template.Fill(map[string]string{"image": "registry.example.com/x@sha256:" + strings.Repeat("0", 64)}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValuesBecomeWhatTheAPIWants(t *testing.T) {
	read := func(text string) *inject.Template {
		template, err := inject.ReadTemplate("t.yaml", text)
		if err != nil {
			t.Fatal(err)
		}
		return template
	}
	own := read(template(`  values: {port: {about: a, default: 80}, loud: {about: b, default: "true"}}
  sidecars: [{name: a, image: b, stdin: "$[loud]", ports: [{containerPort: "$[port]"}], env: [{name: PORT, value: "$[port]"}, {name: LOUD, value: "is $[loud]"}]}]
`))
	in := injector(t, "{sidecars: [{template: own, values: {port: 90}}]}", func(o *inject.Options) { o.Templates = []*inject.Template{own} })
	c := change(t, in, object(t, webPod), "1.36").Root.At("spec", "initContainers").Index(0)
	const want = `{"env":[{"name":"PORT","value":"90"},{"name":"LOUD","value":"is true"}],"image":"b","name":"a","ports":[{"containerPort":90}],"restartPolicy":"Always","stdin":true}`
	if got := string(c.AppendJSON(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := own.Fill(map[string]string{"port": "many"}); err == nil || !strings.Contains(err.Error(), "Container a with its values: want the type integer") {
		t.Errorf("a port that is none: %v", err)
	}
}

func FuzzReadTemplate(f *testing.F) {
	for _, name := range []string{"audit-forwarder", "falco-agent"} {
		text, _ := inject.ShippedText(name)
		f.Add(text)
	}
	f.Add(template("  sidecars: [{name: a, image: \"$[b]\"}]\n  values: {b: {about: c, default: d}}\n"))
	f.Add(template("  sidecars: {a: 1}\n  values: [1]\n  programs: {env: {a: b}}\n  annotations: [x]\n"))
	f.Fuzz(func(t *testing.T, text string) {
		template, err := inject.ReadTemplate("t.yaml", text)
		if err != nil {
			return
		}
		values := map[string]string{}
		for _, p := range template.Parameters {
			values[p.Name] = "1"
		}
		_, _ = template.Fill(values) // any error will do, a panic will not
	})
}
