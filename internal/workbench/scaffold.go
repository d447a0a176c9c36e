package workbench

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/kubetype"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// Draft is what a new rule is about.
type Draft struct {
	ID, Practice, Severity string
	// Match is what the rule judges, as in a rule's file: container, workload, namespace, object,
	// cluster, or one object kind.
	Match string
}

// Scaffold is the text of a new rule: a rule that works, with examples that pass its trial, and
// comments on what to change.
func Scaffold(d Draft) (string, error) {
	body, err := bodyFor(d.Match)
	if err != nil {
		return "", err
	}
	title := strings.ReplaceAll(d.ID, "-", " ")
	if title != "" {
		title = strings.ToUpper(title[:1]) + title[1:]
	}
	text := fmt.Sprintf(scaffold, d.ID, cut(title, maxTitle-3), d.Practice, strings.Join(rule.Practices[:9], " | "), d.Severity, body.why, body.remedy, d.Match,
		body.assert, body.says, atLine(body.at), indented(body.bad), indented(body.good))
	if _, err := read(rule.File{Name: d.ID + ".yaml", Text: text, Origin: "a draft"}); err != nil {
		return "", &verdict.RemedyError{Err: err, Remedy: "See 'coaming rule new --help'."}
	}
	return text, nil
}

const scaffold = `# A rule of your own. Change it line by line; 'coaming rule test FILE' says whether it still holds.
id: %s
title: %s
practice: %s # %s
severity: %s # critical: gives the node or the cluster; high: one step from it; medium: removes a layer of defence; low: makes an incident wider
why: >-
  %s
remedy: >-
  %s
# What is judged: container, workload, namespace, object, cluster, or object kinds: [Service, Ingress.networking.k8s.io].
match: %s
# A condition in CEL may say where the rule applies at all:
# when: 'object.metadata.name != "exempt"'
# CEL: true passes, false fails, an error is unknown. An optional field is read as x.?f.orValue(default).
assert: >-
  %s
# What a report says: one line without a full stop. Never put a credential's value in it.
says: >-
  %s
# Where the fault stands, a path below what is judged.
%s
# The controls of frameworks that it serves, and those of your own: {cis: ["5.2.2"], acme: [SEC-7]}
maps: {}
# Each bad example must fail and each good one pass: two of each at least, no two alike.
examples:
  bad:
%s  good:
%s`

func atLine(path string) string {
	if path == "" {
		return "# at: spec.field"
	}
	return "at: " + path
}

func indented(list []string) string {
	var b strings.Builder
	for _, e := range list {
		b.WriteString("    - " + e + "\n")
	}
	return b.String()
}

// body is what a new rule says, and shows, of one kind of fact.
type body struct {
	why, remedy, assert, says, at string
	bad, good                     []string
}

func bodyFor(match string) (body, error) {
	switch match {
	case "container":
		return containerBody, nil
	case "workload":
		return owned("workload.labels", `workload.kind + " " + workload.name`, func(labels string) string {
			return "{apiVersion: v1, kind: Pod, metadata: {name: web" + labels + "}, spec: {containers: [{name: web, image: web}]}}"
		}), nil
	case "namespace":
		return owned("ns.labels", `"namespace " + ns.name`, func(labels string) string {
			return "{apiVersion: v1, kind: Namespace, metadata: {name: shop" + labels + "}}"
		}), nil
	case "cluster":
		return clusterBody, nil
	case "object":
		return ownedObject("v1", "ConfigMap"), nil
	}
	if !objectKind.MatchString(match) {
		return body{}, &verdict.RemedyError{
			Err:    fmt.Errorf("--match: %q is none of %s, and no object kind", match, strings.Join(facts, ", ")),
			Remedy: "Write an object kind as Kind or Kind.group: Service, Ingress.networking.k8s.io.",
		}
	}
	kind, group, _ := strings.Cut(match, ".")
	version := kubetype.Version(match)
	if version == "" {
		version = "v1"
	}
	return ownedObject(strings.TrimPrefix(group+"/"+version, "/"), kind), nil
}

var (
	facts      = []string{"container", "workload", "namespace", "object", "cluster"}
	objectKind = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*(\.[a-z0-9.-]+)?$`)
)

// Matches are the words that a new rule can match, for completion.
func Matches() []string { return append(slices.Clone(facts), kubetype.Kinds()...) }

var containerBody = body{
	why:    "An image from anywhere else has not been checked by us.",
	remedy: "Use the copy of the image in registry.example.com.",
	assert: `image(container.image).registry == "registry.example.com"`,
	says:   `"container " + container.name + " uses an image from " + image(container.image).registry`,
	at:     "image",
	bad: []string{
		"{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: web, image: nginx}]}}",
		"{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: web, image: registry.example.com/web}], initContainers: [{name: init, image: quay.io/init}]}}",
	},
	good: []string{
		"{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: web, image: registry.example.com/web}]}}",
		"{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {spec: {containers: [{name: web, image: 'registry.example.com/web:1.2'}]}}}}",
	},
}

var clusterBody = body{
	why:    "Older clusters lack what we rely on.",
	remedy: "Upgrade the cluster.",
	assert: `int(cluster.version.split(".")[1]) >= 33`,
	says:   `"the cluster runs Kubernetes " + cluster.version`,
	bad:    []string{`{version: "1.31"}`, `{version: "1.32"}`},
	good:   []string{`{version: "1.33"}`, `{version: "1.36"}`},
}

func ownedObject(apiVersion, kind string) body {
	return owned("object.metadata.?labels.orValue({})", `object.kind + " " + object.metadata.name`, func(labels string) string {
		return fmt.Sprintf("{apiVersion: %s, kind: %s, metadata: {name: web%s}}", apiVersion, kind, labels)
	})
}

// owned is a rule that wants an owner's label.
func owned(labels, name string, example func(labels string) string) body {
	return body{
		why:    "What nobody owns is not patched, and nobody answers when it is attacked.",
		remedy: "Add the label example.com/owner with the name of a team.",
		assert: `"example.com/owner" in ` + labels + ` && ` + labels + `["example.com/owner"] != ""`,
		says:   name + ` + " names no owner"`,
		at:     "metadata.labels",
		bad:    []string{example(""), example(`, labels: {app: web, example.com/owner: ""}`)},
		good:   []string{example(", labels: {example.com/owner: shop}"), example(", labels: {app: web, example.com/owner: platform}")},
	}
}
