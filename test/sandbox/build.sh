#!/bin/sh
# build.sh FILE: build the sandbox's one binary, static, saying it is the Kubernetes version that go.mod names.
# The flags matter to the build cache: see "Build" in README.md.
set -eu
case $1 in /*) out=$1 ;; *) out=$PWD/$1 ;; esac
cd "$(dirname "$0")"
version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes) # v1.36.3
major=${version#v} major=${major%%.*}
minor=${version#*.} minor=${minor%%.*}
base=k8s.io/component-base/version
CGO_ENABLED=0 exec go build -trimpath -o "$out" -ldflags "-s -w \
	-X $base.gitVersion=$version -X $base.gitMajor=$major -X $base.gitMinor=$minor \
	-X k8s.io/client-go/pkg/version.gitVersion=$version" ./cmd/sandbox
