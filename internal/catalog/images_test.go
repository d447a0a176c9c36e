package catalog_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/workbench"
	"github.com/coaming/coaming/test/specimen"
)

var day = regexp.MustCompile(`^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`)

// checkImages holds the form of the image calendar: names as references are taken apart, dates as they
// are compared, and no name twice.
func checkImages(t *testing.T, root document.Value) {
	only(t, root, "images", "bases")
	name := regexp.MustCompile(`^[a-z0-9.-]+\.[a-z]+/[a-z0-9/._-]+$`)
	seen := map[string]bool{}
	for _, entry := range root.Get("images").Items() {
		only(t, entry, "names", "cycles")
		if entry.Get("names").Len() == 0 || entry.Get("cycles").Len() == 0 {
			t.Error("an entry without names or cycles")
		}
		for _, n := range entry.Get("names").Items() {
			if !name.MatchString(n.Str()) || seen[n.Str()] {
				t.Errorf("%q is no name with its registry, or stands there twice", n.Str())
			}
			seen[n.Str()] = true
		}
		for cycle, end := range entry.Get("cycles").Fields() {
			if end.Kind() != document.Null && !day.MatchString(end.Text()) {
				t.Errorf("%s ends on %q", cycle, end.Text())
			}
		}
	}
	for base, end := range root.Get("bases").Fields() {
		if !day.MatchString(end.Text()) {
			t.Errorf("%s ends on %q", base, end.Text())
		}
	}
}

// TestBasesAreTheImages holds that an image ends on the day on which what it is built upon does: each word for
// a base is one release of a distribution's own image, and each such release with an end has its word.
func TestBasesAreTheImages(t *testing.T) {
	root := wholeFile(t, "support/images.yaml")
	own := map[string]string{}
	for _, entry := range root.Get("images").Items() {
		for _, n := range entry.Get("names").Items() {
			for cycle, end := range entry.Get("cycles").Fields() {
				switch {
				case end.Kind() == document.Null:
				case n.Str() == "docker.io/library/alpine" && strings.HasPrefix(cycle, "3."):
					own["alpine"+cycle] = end.Text()
				case (n.Str() == "docker.io/library/debian" || n.Str() == "docker.io/library/ubuntu") && cycle[0] > '9':
					own[cycle] = end.Text()
				}
			}
		}
	}
	for word, end := range root.Get("bases").Fields() {
		if own[word] != end.Text() {
			t.Errorf("%s ends on %s, and the image of that release on %q", word, end.Text(), own[word])
		}
		delete(own, word)
	}
	for word, end := range own {
		if end >= "2019-07" { // before that no official image that is still pulled was built on it
			t.Errorf("%s ends on %s, and no word for a base says so", word, end)
		}
	}
}

// TestImageEndOfLife holds which release a tag names, and that no date is told where none is known.
func TestImageEndOfLife(t *testing.T) {
	tests := map[string]string{
		"node:12":                           "2022-04-30",
		"node:12.22.1-alpine":               "2022-04-30",
		"docker.io/library/node:v12":        "2022-04-30",
		"node:120":                          "",
		"node":                              "",
		"node:latest":                       "",
		"node:alpine":                       "",
		"example.com/node:12":               "",
		"python:2":                          "2020-01-01",
		"python:3":                          "2030-10-31", // whichever of them the tag means, it is mended until then at most
		"python:3.7.17-slim":                "2023-06-27",
		"python:3.12-buster":                "2024-06-30", // what it stands on ends first
		"postgres:9.6":                      "2021-11-11",
		"postgres:9":                        "2021-11-11",
		"nginx:1":                           "", // newer releases are mended, with no end announced
		"nginx:1.19":                        "2021-04-20",
		"nginx:1.190":                       "",
		"redis:6":                           "",
		"redis:6.0.20":                      "2023-07-10",
		"debian:buster-slim":                "2024-06-30",
		"ubuntu:18.04":                      "2023-05-31",
		"alpine:3.12":                       "2022-05-01",
		"centos:7":                          "2024-06-30",
		"mysql:5":                           "2023-10-31",
		"docker.elastic.co/kibana/kibana:6": "2022-02-10",
		"":                                  "",
		"{{ .Values.image }}":               "",
	}
	for image, want := range tests {
		got, ok := catalog.ImageEndOfLife(image)
		if got != want && (want != "" || ok) || ok != (want != "") {
			t.Errorf("%s: %q %v, want %q", image, got, ok, want)
		}
	}
}

// TestOneFindingForARetiredImage demands that an image that is at its end for one reason is told once.
func TestOneFindingForARetiredImage(t *testing.T) {
	ending := []string{"image-abandoned-registry", "component-retired", "helm-tiller", "ingress-nginx-retired", "image-end-of-life", "image-retired-official"}
	for _, image := range []string{
		"bitnamilegacy/redis:7.2", "bitnami/redis:7.2.4", "weaveworks/weave-kube:2.8.1", "weaveworks/weave-npc:2.8.1", "weaveworks/scope:1.13.2", "weaveworks/flux:1.0.0", "weaveworks/eksctl:0.1",
		"fluxcd/flux:1.25.4", "k8s.gcr.io/heapster-amd64:v1.5.4", "gcr.io/google_containers/heapster-amd64:v1.5.4", "gcr.io/google_containers/kubernetes-dashboard-amd64:v1.8.3",
		"k8s.gcr.io/kubernetes-dashboard-amd64:v1.10.1", "kubernetesui/dashboard:v2.7.0", "quay.io/coreos/alb-ingress-controller:v1.0.0", "quay.io/coreos/flannel:v0.15.1",
		"quay.io/kubernetes-ingress-controller/nginx-ingress-controller:0.33.0", "quay.io/kubernetes-ingress-controller/nginx-ingress-controller-amd64:0.26.1",
		"k8s.gcr.io/ingress-nginx/controller:v1.1.0", "registry.k8s.io/ingress-nginx/controller:v1.14.0", "gcr.io/kubernetes-helm/tiller:v2.17.0", "gcr.io/google_containers/tiller:v2.0.0",
		"k8s.gcr.io/pause:3.2", "gcr.io/kaniko-project/executor:v1.23.0", "jetstack/kube-lego:0.1.7", "quay.io/uswitch/kiam:v4.0",
	} {
		pod := specimen.Values(t, "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a, image: '"+image+"'}]}}")
		var told []string
		for _, r := range compiled(t) {
			if !slices.Contains(ending, r.ID) {
				continue
			}
			if res, _ := workbench.Judge(r, pod, bench, nil); len(res.Findings) > 0 {
				told = append(told, r.ID)
			}
		}
		if len(told) != 1 {
			t.Errorf("%s is told by %v, want one rule", image, told)
		}
		mounted := specimen.Values(t, "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [], volumes: [{name: a, image: {reference: '"+image+"'}}]}}")
		told = nil
		for _, r := range compiled(t) {
			if !slices.ContainsFunc(ending, r.IsChosenBy) {
				continue
			}
			if res, _ := workbench.Judge(r, mounted, bench, nil); len(res.Findings) > 0 {
				told = append(told, r.ID)
			}
		}
		if len(told) > 1 { // what a component is that runs, those rules say
			t.Errorf("a volume of %s is told by %v", image, told)
		}
	}
}
