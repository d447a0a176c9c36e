package sbom

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/purl"
	"github.com/coaming/coaming/internal/verdict"
)

var made = time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)

// written is a bill of an image in a format.
func written(t testing.TB, format string, img *fact.Image, gaps ...verdict.Gap) string {
	t.Helper()
	var out bytes.Buffer
	b := &Bill{Image: img, Coverage: &verdict.Coverage{Gaps: gaps}, Created: made, Version: "1.2.3"}
	if err := Write(&out, format, b); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func mustRead(t testing.TB, text string) (*fact.Image, *verdict.Coverage) {
	t.Helper()
	img, c, err := Read("bill", strings.NewReader(text), Limits{})
	if err != nil {
		t.Fatalf("%v\n%.2000s", err, text)
	}
	return img, c
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// word is a name with letters that formats escape.
func word(r *rand.Rand) string {
	var b strings.Builder
	b.WriteByte(byte('a' + r.IntN(26)))
	for range r.IntN(12) {
		b.WriteString(pick(r, "a", "B", "7", "-", "_", ".", "+", "~", "%", "é", "x"))
	}
	return b.String()
}

// random is an image as a catalogue might make it.
func random(r *rand.Rand) *fact.Image {
	img := &fact.Image{Name: "shop", Form: "oci-layout", Digest: "sha256:" + strings.Repeat("ab", 32), Platform: "linux/amd64", Packages: []fact.Package{}}
	for i := range r.IntN(4) {
		img.Layers = append(img.Layers, fact.Layer{Digest: pick(r, "sha256:"+strings.Repeat(strconv.Itoa(i), 64), "sha512:odd")})
	}
	img.System = pick(r, nil, &fact.System{ID: "debian", Version: "12", Codename: "bookworm", Name: "Debian GNU/Linux 12"},
		&fact.System{ID: "alpine", Version: "3.20.3", Name: "Alpine"}, &fact.System{ID: "alpine", Version: "3.21.0_alpha20240807"},
		&fact.System{ID: "rhel", Version: "9.4"},
		&fact.System{ID: "rhel", Version: "9.5", Edition: "cpe:/o:redhat:enterprise_linux:9::baseos", EndOfLife: "2032-05-31"}, &fact.System{ID: "sles", Version: "15.5"},
		&fact.System{ID: "openeuler", Version: "22.03", Edition: "22.03 (LTS-SP3)"}, &fact.System{ID: "opensuse-tumbleweed", Version: "20240101"}, &fact.System{ID: "wolfi", Version: "20230201"}, &fact.System{ID: "linuxmint", Version: "21"},
		&fact.System{ID: "debian"}, &fact.System{ID: "opensuse-leap", Version: "15.5"})
	var owners []string
	for range r.IntN(30) {
		p := fact.Package{Name: word(r), Version: pick(r, "1.0", "1:2.3~rc1-4+b1", "0", "v1.2.3-0.20240101000000-abcdef"), Place: pick(r, "", "a, b/c", "x/"+word(r))}
		p.Licence = pick(r, "", "MIT", "GPL-2.0-only WITH Classpath-exception-2.0 OR (MIT AND BSD-3-Clause)", "GPL+custom licence", "mit")
		p.Layer = r.IntN(max(1, len(img.Layers)))
		if p.Ecosystem = purl.Distribution(img.System); r.IntN(2) == 0 && p.Ecosystem != "" {
			p.Place = map[string]string{"debian": "var/lib/dpkg/status", "linuxmint": "var/lib/dpkg/status", "alpine": "lib/apk/db/installed", "wolfi": "lib/apk/db/installed", "rhel": "var/lib/rpm/rpmdb.sqlite", "sles": "var/lib/rpm/Packages.db", "openeuler": "var/lib/rpm/Packages", "opensuse-tumbleweed": "usr/lib/sysimage/rpm/Packages.db", "opensuse-leap": "usr/lib/sysimage/rpm/Packages.db"}[img.System.ID]
			p.Name, p.Architecture = strings.ToLower(p.Name), pick(r, "amd64", "x86_64", "all")
			p.Source, p.SourceVersion = pick(r, p.Name, word(r)), pick(r, p.Version, "1.0", "7:1.0-1")
			if img.System.ID == "rhel" {
				p.Module = pick(r, "", "nodejs:18:9020020230301:rhel9")
			}
			owners = append(owners, p.Name)
		} else {
			p.Ecosystem = pick(r, "npm", "Go", "PyPI", "RubyGems", "Maven", "crates.io", "NuGet", "Packagist", "conda", "", "OSS-Fuzz")
			if p.Ecosystem == "Maven" {
				p.Name = "org.x:" + p.Name
			}
			if p.Ecosystem == "npm" && r.IntN(2) == 0 {
				p.Name = "@scope/" + p.Name
			}
			if p.Ecosystem == "" {
				p.Kind = pick(r, "", "binary")
			}
			if p.Ecosystem == "Maven" && p.Place != "" {
				p.Within = pick(r, "", "BOOT-INF/lib/a.jar!/b.jar")
			}
			if len(owners) > 0 && r.IntN(3) == 0 {
				p.Owner = pick(r, owners...)
			}
		}
		img.Packages = append(img.Packages, p)
	}
	slices.SortStableFunc(img.Packages, func(a, b fact.Package) int { return a.Compare(&b) })
	return img
}

// sample is a small image with something of everything.
func sample() *fact.Image {
	return &fact.Image{
		Name: "shop", Digest: "sha256:" + strings.Repeat("ab", 32), Layers: []fact.Layer{{Digest: "odd"}}, System: &fact.System{ID: "debian", Version: "12"},
		Packages: []fact.Package{
			{Ecosystem: "Debian:12", Name: "six", Version: "1", Source: "six", SourceVersion: "2", Place: "var/lib/dpkg/status", Licence: "odd one"},
			{Ecosystem: "npm", Name: "@a/b", Version: "1", Owner: "six", Licence: "MIT"},
		},
	}
}

func TestRoundTrip(t *testing.T) {
	gap := verdict.Gap{Code: verdict.GapSyntax, Message: "it is no package.json: <text>", Remedy: "Mend it.", Location: verdict.Location{Source: "image:shop: layer 1", File: "a/package.json"}}
	for seed := range uint64(100) {
		img := random(rand.New(rand.NewPCG(seed, 1)))
		var gaps []verdict.Gap
		if seed%2 == 0 {
			gaps = []verdict.Gap{gap, gap}
		}
		for _, format := range Formats {
			text := written(t, format, img, gaps...)
			if again := written(t, format, img, gaps...); again != text {
				t.Fatalf("%s: the same image gave another bill", format)
			}
			back, c := mustRead(t, text)
			if diff := cmp.Diff(img.Packages, back.Packages); diff != "" {
				t.Fatalf("seed %d, %s (-written +read):\n%s", seed, format, diff)
			}
			if diff := cmp.Diff(img.System, back.System); diff != "" {
				t.Fatalf("seed %d, %s: system (-written +read):\n%s", seed, format, diff)
			}
			if diff := cmp.Diff(img.Layers, back.Layers); diff != "" {
				t.Fatalf("seed %d, %s: layers (-written +read):\n%s", seed, format, diff)
			}
			if back.Digest != img.Digest || back.Platform != img.Platform || back.Name != "bill (shop)" {
				t.Fatalf("seed %d, %s: read %s %s %s", seed, format, back.Name, back.Digest, back.Platform)
			}
			if len(c.Gaps) != len(gaps) || len(gaps) > 0 && (c.Gaps[0].Code != gap.Code || c.Gaps[0].Message != gap.Message || c.Gaps[0].Remedy != gap.Remedy || c.Gaps[0].Location.File != gap.Location.File) {
				t.Fatalf("seed %d, %s: gaps %v", seed, format, c.Gaps)
			}
			// What was read is written again as it was.
			back.Name = img.Name
			third, _ := mustRead(t, written(t, format, back))
			if diff := cmp.Diff(back.Packages, third.Packages); diff != "" {
				t.Fatalf("seed %d, %s: the second time (-written +read):\n%s", seed, format, diff)
			}
		}
	}
}
