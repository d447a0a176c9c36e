package purl

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/fact"
)

var debian = &fact.System{ID: "debian", Version: "12"}

// TestOf has the package URL of a package in every ecosystem, and the package that it names.
func TestOf(t *testing.T) {
	for want, tt := range map[string]struct {
		p      fact.Package
		system *fact.System
	}{
		"pkg:deb/debian/libssl3@3.0.11-1~deb12u2?arch=amd64&distro=debian-12&upstream=openssl": {
			fact.Package{Ecosystem: "Debian:12", Name: "libssl3", Version: "3.0.11-1~deb12u2", Source: "openssl", SourceVersion: "3.0.11-1~deb12u2", Architecture: "amd64"}, debian,
		},
		"pkg:deb/debian/git@1:2.39.2-1%2Bb1?arch=amd64&distro=debian-12&upstream=git%401:2.39.2-1": {
			fact.Package{Ecosystem: "Debian:12", Name: "git", Version: "1:2.39.2-1+b1", Source: "git", SourceVersion: "1:2.39.2-1", Architecture: "amd64"}, debian,
		},
		"pkg:deb/debian/bash@5?distro=debian-12": {fact.Package{Ecosystem: "Debian:12", Name: "bash", Version: "5"}, nil},
		"pkg:apk/alpine/ssl_client@1.36.1-r2?arch=x86_64&distro=alpine-3.18.4&upstream=busybox": {
			fact.Package{Ecosystem: "Alpine:v3.18", Name: "ssl_client", Version: "1.36.1-r2", Source: "busybox", SourceVersion: "1.36.1-r2", Architecture: "x86_64"},
			&fact.System{ID: "alpine", Version: "3.18.4"},
		},
		"pkg:rpm/redhat/openssl-libs@3.0.7-24.el9?arch=x86_64&distro=rhel-9.4&epoch=1&rpmmod=m:1&upstream=openssl-3.0.7-24.el9.src.rpm": {
			fact.Package{Ecosystem: "Red Hat:9", Name: "openssl-libs", Version: "1:3.0.7-24.el9", Source: "openssl", SourceVersion: "3.0.7-24.el9", Architecture: "x86_64", Module: "m:1"},
			&fact.System{ID: "rhel", Version: "9.4"},
		},
		"pkg:rpm/almalinux/bash@5.1.8-6.el9?distro=almalinux-9": {fact.Package{Ecosystem: "AlmaLinux:9", Name: "bash", Version: "5.1.8-6.el9"}, nil},
		"pkg:npm/%40babel/core@7.0.0":                           {fact.Package{Ecosystem: "npm", Name: "@babel/core", Version: "7.0.0"}, debian},
		"pkg:golang/golang.org/x/net@v0.1.0":                    {fact.Package{Ecosystem: "Go", Name: "golang.org/x/net", Version: "v0.1.0"}, debian},
		"pkg:golang/stdlib@1.22.1":                              {fact.Package{Ecosystem: "Go", Name: "stdlib", Version: "1.22.1"}, nil},
		"pkg:maven/org.apache/log4j@2":                          {fact.Package{Ecosystem: "Maven", Name: "org.apache:log4j", Version: "2"}, nil},
		"pkg:composer/monolog/monolog@1.0":                      {fact.Package{Ecosystem: "Packagist", Name: "monolog/monolog", Version: "1.0"}, nil},
		"pkg:pypi/zope-interface@1%212":                         {fact.Package{Ecosystem: "PyPI", Name: "zope-interface", Version: "1!2"}, nil},
		"pkg:gem/rails@7.0.0":                                   {fact.Package{Ecosystem: "RubyGems", Name: "rails", Version: "7.0.0"}, nil},
		"pkg:cargo/serde@1.0":                                   {fact.Package{Ecosystem: "crates.io", Name: "serde", Version: "1.0"}, nil},
		"pkg:nuget/Newtonsoft.Json@13.0.1":                      {fact.Package{Ecosystem: "NuGet", Name: "Newtonsoft.Json", Version: "13.0.1"}, nil},
		"pkg:hex/plug@1.0":                                      {fact.Package{Ecosystem: "Hex", Name: "plug", Version: "1.0"}, nil},
		"pkg:conan/zlib@1.2.13":                                 {fact.Package{Ecosystem: "ConanCenter", Name: "zlib", Version: "1.2.13"}, nil},
	} {
		u, ok := Of(&tt.p, tt.system)
		if u.String() != want || !ok {
			t.Errorf("%s %s: got %s, want %s", tt.p.Ecosystem, tt.p.Name, u, want)
		}
		back, err := Parse(want)
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		if diff := cmp.Diff(tt.p, back.Package()); diff != "" {
			t.Errorf("%s (-made of +read):\n%s", want, diff)
		}
	}
}

// TestSystem has what others write for the release of a distribution.
func TestSystem(t *testing.T) {
	for text, want := range map[string]string{
		"pkg:deb/debian/a@1?distro=debian-12": "Debian:12", "pkg:deb/debian/a@1?distro=bookworm": "Debian:12", "pkg:deb/debian/a@1?distro=debian-bookworm": "Debian:12",
		"pkg:deb/debian/a@1?distro=12": "Debian:12", "pkg:deb/debian/a@1": "Debian", "pkg:deb/ubuntu/a@1?distro=jammy": "Ubuntu:22.04",
		"pkg:apk/alpine/a@1?distro=3.15.0": "Alpine:v3.15", "pkg:apk/alpine/a@1?distro=alpine-3.24.0_alpha20260127": "Alpine:edge", "pkg:apk/wolfi/a@1?distro=wolfi-20230201": "Wolfi",
		"pkg:rpm/redhat/a@1?distro=rhel-9.2": "Red Hat:9", "pkg:rpm/redhat/a@1?distro=redhat-8": "Red Hat:8", "pkg:rpm/opensuse/a@1?distro=opensuse-leap-15.5": "openSUSE:Leap 15.5",
		"pkg:rpm/oraclelinux/a@1?distro=oraclelinux-8.5": "Oracle Linux:8", "pkg:deb/linuxmint/a@1?distro=linuxmint-21": "linuxmint:21", "pkg:deb/a@1": "",
		"pkg:generic/a@1": "", "pkg:oci/a@sha256:00": "", "pkg:github/a/b@1": "",
	} {
		u, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := u.Package().Ecosystem; got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"pkg:npm/%40a/b@1", "pkg:deb/debian/a@1%2B1?arch=x&distro=debian-12&upstream=b%401", "pkg:rpm/redhat/a@1-1?epoch=1&upstream=a-1-1.src.rpm", "pkg:golang/a/b@1#c/d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := Parse(text)
		if err != nil {
			return
		}
		p := u.Package()
		Of(&p, u.System())
		canonical := u.String()
		again, err := Parse(canonical)
		if err != nil {
			if len(canonical) > maxText {
				return // escaped it is longer than is read
			}
			t.Fatalf("%q is written %q: %v", text, canonical, err)
		}
		if got := again.String(); got != canonical {
			t.Errorf("%q is written %q, and then %q", text, canonical, got)
		}
	})
}
