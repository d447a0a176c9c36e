package judge_test

import (
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/image"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

// judgeImage builds an image from a description, opens it and asks all rules.
func judgeImage(t *testing.T, description string, exceptions ...verdict.Exception) *verdict.Result {
	t.Helper()
	img, err := image.Specimen(specimen.Values(t, description)[0])
	if err != nil {
		t.Fatal(err)
	}
	brief, err := catalog.Brief()
	if err != nil {
		t.Fatal(err)
	}
	rules, err := catalog.Compile(brief)
	if err != nil {
		t.Fatal(err)
	}
	return judge.Judge(judge.Input{
		Inventory: &fact.Inventory{Images: []*fact.Image{img}}, Rules: rules, Settings: rule.Settings{}, Exceptions: exceptions,
		Now: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC),
	})
}

const setuid = "{layers: [{files: {/etc/hosts: x}}, {files: {/usr/bin/mount: {mode: '4755', elf: {}}}}]}"

func findings(res *verdict.Result, id string) []verdict.Finding {
	var list []verdict.Finding
	for _, f := range res.Findings {
		if f.Rule == id {
			list = append(list, f)
		}
	}
	return list
}

// TestImageFindingsHaveTheirPlace asks for the layer and the path, and for a fingerprint that outlives another build.
func TestImageFindingsHaveTheirPlace(t *testing.T) {
	first := findings(judgeImage(t, setuid), "image-setuid-file")
	if len(first) != 1 || first[0].Location.File != "usr/bin/mount" || !strings.HasSuffix(first[0].Location.Source, ": layer 1") ||
		first[0].Subject.Kind != "Image" || first[0].Subject.Name != "registry.example.com/shop/web" {
		t.Fatalf("got %+v", first)
	}
	again := findings(judgeImage(t, "{reference: 'registry.example.com/shop/web:2', layers: [{files: {/usr/bin/mount: {mode: '4755', elf: {symbols: 50}}, /bin/x: {elf: {}}}}]}"), "image-setuid-file")
	if len(again) != 1 || again[0].Fingerprint != first[0].Fingerprint || again[0].Location == first[0].Location {
		t.Errorf("of another build: %+v", again)
	}
	other := findings(judgeImage(t, "{reference: 'registry.example.com/shop/db:2', files: {/usr/bin/mount: {mode: '4755', elf: {}}}}"), "image-setuid-file")
	if len(other) != 1 || other[0].Fingerprint == first[0].Fingerprint {
		t.Errorf("of another image: %+v", other)
	}
}

// TestImageNotSeenIsUnknown asks that nothing passes that needs what was not read, and that what was seen still fails.
func TestImageNotSeenIsUnknown(t *testing.T) {
	res := judgeImage(t, "{damaged: true, config: {user: '0'}, layers: [{files: {/etc/hosts: x}}, {files: {/usr/bin/mount: {mode: '4755', elf: {}}}}]}")
	setuid := findings(res, "image-setuid-file")
	if len(setuid) != 2 || setuid[0].Verdict == setuid[1].Verdict {
		t.Errorf("want what was seen, and that more may be there: %+v", setuid)
	}
	for _, id := range []string{"image-wasted", "image-base-full", "image-private-key", "image-several-applications"} {
		if f := findings(res, id); len(f) != 1 || f[0].Verdict != verdict.Unknown || !strings.Contains(f[0].Reason, "layer 0") {
			t.Errorf("%s: %+v", id, f)
		}
	}
	if f := findings(res, "image-root-user"); len(f) != 1 || f[0].Verdict != verdict.Fail {
		t.Errorf("the configuration was read: %+v", f)
	}
}

// TestImageExceptions excuses a finding by its name, and by the digest of the image.
func TestImageExceptions(t *testing.T) {
	e := verdict.Exception{
		Rules: []string{"image-setuid-file"}, Owner: "shop", Reason: "is needed", Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), Grant: verdict.GrantFile,
	}
	named := e
	named.Selector.Kind, named.Selector.Name = "Image", "registry.example.com/shop/web"
	img, err := image.Specimen(specimen.Values(t, setuid)[0])
	if err != nil {
		t.Fatal(err)
	}
	byDigest := e
	byDigest.Image, byDigest.AtMost = img.Digest, 1
	for name, x := range map[string]verdict.Exception{"by name": named, "by digest": byDigest} {
		if f := findings(judgeImage(t, setuid, x), "image-setuid-file"); len(f) != 1 || f[0].Verdict != verdict.Exempt {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// TestHardenedImages demands silence on images that are as they should be.
func TestHardenedImages(t *testing.T) {
	const source = "labels: {org.opencontainers.image.source: 'https://example.com/shop', org.opencontainers.image.revision: 0123456789abcdef0123456789abcdef01234567}"
	for name, description := range map[string]string{
		"scratch": "{created: '2026-11-01T00:00:00Z', files: {/app: {elf: {}}}, config: {entrypoint: [/app], user: '65532', ports: [8080/tcp], " + source + "}}",
		"distroless": `
created: "1970-01-01T00:00:00Z"
config: {entrypoint: [/usr/bin/shop], user: nonroot, ports: [8443/tcp], environment: {SSL_CERT_FILE: /etc/ssl/certs/ca-certificates.crt}, ` + source + `}
annotations: {org.opencontainers.image.base.name: "gcr.io/distroless/base-debian12:nonroot"}
layers:
- command: bazel build
  files:
    /etc/os-release: "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Distroless\"\n"
    /etc/passwd: "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"
    /tmp/: {mode: "1777"}
    /etc/ssl/certs/ca-certificates.crt: {certificate: {subject: Root, expires: "2035-01-01", authority: true}}
    /var/lib/dpkg/status.d/libc6: "Package: libc6\nVersion: 2.36-9\nArchitecture: amd64\n"
    /var/lib/dpkg/status.d/libc6.md5sums: "0  usr/lib/x86_64-linux-gnu/libc.so.6\n0  usr/lib64/ld-linux-x86-64.so.2\n"
    /lib64: {link: usr/lib64}
    /usr/lib64/ld-linux-x86-64.so.2: {elf: {}}
    /usr/lib/x86_64-linux-gnu/libc.so.6: {elf: {}}
- command: COPY shop /usr/bin/shop
  files:
    /usr/bin/shop: {elf: {interpreter: /lib64/ld-linux-x86-64.so.2, needs: [libc.so.6]}}
`,
	} {
		for _, f := range judgeImage(t, description).Findings {
			t.Errorf("%s: %s %s: %s (%s)", name, f.Verdict, f.Rule, f.Message, f.Reason)
		}
	}
}
