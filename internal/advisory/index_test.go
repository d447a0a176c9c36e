package advisory

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/purl"
)

// realData is OSV's layout: a folder an ecosystem, all.zip in it.
const realData = "../../../shared/vulndata"

var day = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// realRecords reads the real records once.
var realRecords = sync.OnceValues(func() (map[string][]*Record, error) {
	zips, err := filepath.Glob(realData + "/*/all.zip")
	if err != nil || len(zips) == 0 {
		return nil, err
	}
	all := map[string][]*Record{}
	for _, path := range zips {
		z, err := zip.OpenReader(path)
		if err != nil {
			return nil, err
		}
		name := filepath.Base(filepath.Dir(path))
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				return nil, err
			}
			text, err := io.ReadAll(r)
			if err != nil {
				return nil, err
			}
			record, err := ParseRecord(text)
			if err != nil {
				return nil, err
			}
			all[name] = append(all[name], record)
		}
		if err := z.Close(); err != nil {
			return nil, err
		}
	}
	return all, nil
})

var realIndex = sync.OnceValues(func() ([]byte, error) {
	all, err := realRecords()
	if err != nil || all == nil {
		return nil, err
	}
	b := NewBuilder()
	for name, records := range all {
		b.Add(Source{Name: name}, records)
	}
	for path, join := range map[string]func(io.Reader) error{"/kev.json.gz": b.JoinKEV, "/severity.tsv.gz": b.JoinCVSS} {
		file, err := os.Open(realData + path)
		if err != nil {
			return nil, err
		}
		z, err := gzip.NewReader(file)
		if err != nil {
			return nil, err
		}
		if err := join(z); err != nil {
			return nil, err
		}
		_ = file.Close() // it was only read
	}
	var out bytes.Buffer
	_, err = b.Write(&out, day, 1)
	return out.Bytes(), err
})

func openReal(t testing.TB) *Index {
	file, err := realIndex()
	if err != nil {
		t.Fatal(err)
	}
	if file == nil {
		t.Skip("no ../shared/vulndata beside this checkout")
	}
	x, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestRealIndex holds the index of the real records to what is in them.
func TestRealIndex(t *testing.T) {
	x := openReal(t)
	if err := x.CheckSeal(); err != nil {
		t.Error(err)
	}
	if x.About.Records < 47_000 || x.About.Vulnerabilities < 40_000 || x.About.Exploited < 200 || x.About.Scores < 2_000 {
		t.Errorf("the index holds %+v", x.About)
	}
	// DSA-5417-1 mended four vulnerabilities of openssl in bookworm's 3.0.9-1, DSA-5532-1 one in 3.0.11-1~deb12u2.
	a, err := x.Match(&Question{Today: "2026-11-22", Packages: []Package{
		{Ecosystem: "Debian:12", Name: "openssl", Version: "3.0.11-1~deb12u1"},
		{Ecosystem: "Debian:12", Name: "openssl", Version: "3.0.11-1~deb12u2"},
		{Ecosystem: "npm", Name: "lodash", Version: "4.17.20"},
		{Ecosystem: "npm", Name: "lodash", Version: "4.17.20", Owner: "node-lodash"},
		{Ecosystem: "Debian:11", Name: "openssl", Version: "9"},
		{Ecosystem: "PyPI", Name: "Jinja2", Version: "2.4.1"},
		{Ecosystem: "Go", Name: "golang.org/x/net", Version: "v0.17.0"},
		{Ecosystem: "Go", Name: "stdlib", Version: "go1.21.0"},
		{Ecosystem: "AlmaLinux:9.4", Name: "openssl", Version: "1:3.0.1-41.el9_0"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	fixed := map[int]map[string]string{}
	for _, f := range a.Findings {
		if fixed[f.Package] == nil {
			fixed[f.Package] = map[string]string{}
		}
		fixed[f.Package][f.Vulnerability] = f.FixedIn
	}
	for i, want := range []struct {
		vulnerability, fixed string
		found                bool
	}{
		{"CVE-2023-5363", "3.0.11-1~deb12u2", true},
		{"CVE-2023-5363", "", false},
		{"CVE-2021-23337", "4.17.21", true},
		{"CVE-2021-23337", "", false},
		{"CVE-2021-23337", "", false},
		{"CVE-2019-8341", "", false},
		{"CVE-2023-45288", "0.23.0", true},
		{"CVE-2023-39325", "1.21.3", true},
		{"CVE-2023-0286", "1:3.0.1-47.el9_1", true},
	} {
		got, found := fixed[i][want.vulnerability]
		if want.vulnerability == "CVE-2019-8341" {
			continue // disputed: only that PyPI's names are normal is someAsked, below
		}
		if found != want.found || got != want.fixed {
			t.Errorf("package %d: %s found %v, fixed in %q; want %v, %q", i, want.vulnerability, found, got, want.found, want.fixed)
		}
	}
	if len(fixed[5]) == 0 {
		t.Error("nothing about Jinja2 2.4.1, which PyPI's advisories call jinja2")
	}
	if a.Left != 1 {
		t.Errorf("%d packages left to their owner, want 1", a.Left)
	}
	if len(a.Unknown) != 1 || a.Unknown[0].Ecosystem != "Debian:11" {
		t.Errorf("unknown: %+v", a.Unknown)
	}
}

// TestStatuses asks about streams of modules, packages of Go modules, urgencies, and packages from elsewhere.
func TestStatuses(t *testing.T) {
	x, err := Open(widest(t))
	if err != nil {
		t.Fatal(err)
	}
	const stream, other = "nodejs:18:9020:abc", "nodejs:20:9020:abc"
	for name, test := range map[string]struct {
		p       Package
		found   int
		unknown string
	}{
		"its stream":                 {Package{Ecosystem: "AlmaLinux:9", Name: "nodejs", Version: "1:18.1-1.module_el9.2+1", Module: stream}, 2, ""},
		"another stream":             {Package{Ecosystem: "AlmaLinux:9", Name: "nodejs", Version: "1:18.1-1.module_el9.2+1", Module: other}, 0, ""},
		"a stream that nobody knows": {Package{Ecosystem: "AlmaLinux:9", Name: "nodejs", Version: "1:18.1-1.module_el9.2+1"}, 2, ""},
		"outside of streams":         {Package{Ecosystem: "AlmaLinux:9", Name: "nodejs", Version: "1:16.2-1.el9"}, 0, ""},
		"outside, and older":         {Package{Ecosystem: "AlmaLinux:9", Name: "nodejs", Version: "1:16.1-1.el9"}, 2, ""},
		"of another vendor":          {Package{Ecosystem: "AlmaLinux:9", Name: "nodejs", Version: "1:16.1-1.el9", Vendor: "Fedora Project"}, 0, "made by Fedora Project"},
		"of AlmaLinux":               {Package{Ecosystem: "AlmaLinux:9", Name: "nodejs", Version: "1:16.1-1.el9", Vendor: "AlmaLinux"}, 2, ""},
		"of a Debian maintainer":     {Package{Ecosystem: "Debian:12", Name: "curl", Version: "7.88.1-10", Vendor: "Somebody <somebody@example.org>"}, 1, ""},
		"of a vendor's repository":   {Package{Ecosystem: "Debian:12", Name: "curl", Version: "7.88.1-10", Vendor: "Docker <support@docker.com>"}, 0, "made by Docker"},
		"by its version":             {Package{Ecosystem: "Debian:12", Name: "curl", Version: "18.1-1nodesource1"}, 0, "made by whoever"},
	} {
		a, err := x.Match(&Question{Packages: []Package{test.p}})
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Findings) != test.found {
			t.Errorf("%s: %d findings, want %d", name, len(a.Findings), test.found)
		}
		if (len(a.Unknown) > 0) != (test.unknown != "") || test.unknown != "" && !strings.Contains(a.Unknown[0].Reason, test.unknown) {
			t.Errorf("%s: unknown %+v, want %q", name, a.Unknown, test.unknown)
		}
	}
	a, err := x.Match(&Question{Packages: someAsked})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Findings {
		switch f.Vulnerability {
		case "CVE-2026-4":
			if !slices.Equal(f.Imports, []string{"example.org/m/a", "example.org/m/b"}) {
				t.Errorf("imports %q", f.Imports)
			}
		case "CVE-2026-5":
			if !f.Unimportant || f.FixedIn != "" {
				t.Errorf("%+v, want unimportant and without a fix", f)
			}
		}
	}
}

// TestNormalEcosystem spells releases as advisories share them.
func TestNormalEcosystem(t *testing.T) {
	for given, want := range map[string]string{
		"Debian:12.5": "Debian:12", "Ubuntu:22.04:LTS": "Ubuntu:22.04", "Ubuntu:Pro:22.04:LTS": "Ubuntu:Pro:22.04", "Alpine:3.20.1": "Alpine:v3.20",
		"Red Hat:enterprise_linux:9::appstream": "Red Hat:9", "Red Hat:9.4": "Red Hat:9", "Red Hat:rhel_eus:9.2::baseos": "Red Hat:rhel_eus:9.2::baseos",
		"Wolfi:20230201": "Wolfi", "Chainguard": "Chainguard", "MinimOS:20241031": "MinimOS",
		"SUSE:Linux Enterprise Module for Basesystem 15 SP5": "SUSE:15.5", "SUSE:Linux Enterprise Server 12 SP5-LTSS": "SUSE:12.5", "SUSE:15.5": "SUSE:15.5",
		"SUSE:Linux Enterprise Server 15": "SUSE:15", "SUSE:Linux Enterprise Micro 5.4": "SUSE:Linux Enterprise Micro 5.4",
		"openSUSE:15.5": "openSUSE:Leap 15.5", "openSUSE:Leap 15.5": "openSUSE:Leap 15.5", "openSUSE:Tumbleweed": "openSUSE:Tumbleweed",
		"Azure Linux:3.0": "Azure Linux:3", "Photon OS:4.0": "Photon OS:4.0", "Amazon Linux:2023": "Amazon Linux:2023", "Rocky Linux:9.3": "Rocky Linux:9",
	} {
		if got := NormalEcosystem(given); got != want {
			t.Errorf("%s: %q, want %q", given, got, want)
		}
	}
	for given, want := range map[string]string{"go1.21rc2": "1.21.0-rc.2", "go1.22.3 X:boringcrypto": "1.22.3", "v1.2.3+incompatible": "v1.2.3+incompatible", "1.21": "1.21", "go1.9beta1": "1.9.0-beta.1"} {
		if got := normalVersion("Go", given); got != want {
			t.Errorf("%s: %q, want %q", given, got, want)
		}
	}
}

// TestInstalled names packages as their distributions' advisories do.
func TestInstalled(t *testing.T) {
	for given, want := range map[*fact.Package]Package{
		{Ecosystem: "Debian:12", Name: "libssl3", Version: "3.0.9-1+b1", Source: "openssl", SourceVersion: "3.0.9-1"}: {
			Ecosystem: "Debian:12", Name: "openssl", Version: "3.0.9-1", Binary: "libssl3", BinaryVersion: "3.0.9-1+b1",
		},
		{Ecosystem: "AlmaLinux:9", Name: "openssl-libs", Version: "1:3.0.7-16.el9", Source: "openssl", SourceVersion: "3.0.7-16.el9", Module: "a:1", Vendor: "AlmaLinux"}: {
			Ecosystem: "AlmaLinux:9", Name: "openssl-libs", Version: "1:3.0.7-16.el9", Module: "a:1", Vendor: "AlmaLinux",
		},
		{Ecosystem: "SUSE:15.5", Name: "libopenssl1_1", Version: "1:1.1.1l-1", Source: "openssl-1_1", SourceVersion: "1.1.1l-1"}: {
			Ecosystem: "SUSE:15.5", Name: "openssl-1_1", Version: "1:1.1.1l-1", Binary: "libopenssl1_1", BinaryVersion: "1:1.1.1l-1",
		},
		{Ecosystem: "npm", Name: "a", Version: "1", Source: "b"}: {Ecosystem: "npm", Name: "a", Version: "1"},
	} {
		if got := Installed(given); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	for given, want := range map[string]Package{
		"pkg:deb/debian/libssl3@3.0.9-1%2Bb1?distro=debian-12&upstream=openssl%403.0.9-1":    {Ecosystem: "Debian:12", Name: "openssl", Version: "3.0.9-1", Binary: "libssl3", BinaryVersion: "3.0.9-1+b1"},
		"pkg:rpm/opensuse/libz1@1.2-1?distro=opensuse-leap-15.5&upstream=zlib-1.2-1.src.rpm": {Ecosystem: "openSUSE:Leap 15.5", Name: "zlib", Version: "1.2-1", Binary: "libz1", BinaryVersion: "1.2-1"},
		"pkg:rpm/redhat/nodejs@18-1?distro=rhel-8.9&rpmmod=nodejs:18:8:a&epoch=1":            {Ecosystem: "Red Hat:8", Name: "nodejs", Version: "1:18-1", Module: "nodejs:18:8:a"},
	} {
		p, err := purl.Parse(given)
		if err != nil {
			t.Fatal(err)
		}
		got := Named(p)
		if got.Ecosystem = NormalEcosystem(got.Ecosystem); got != want {
			t.Errorf("%s: %+v, want %+v", given, got, want)
		}
	}
}

// TestSameBytes gives the records in another order.
func TestSameBytes(t *testing.T) {
	all, err := realRecords()
	if err != nil {
		t.Fatal(err)
	}
	if all == nil {
		t.Skip("no ../shared/vulndata beside this checkout")
	}
	write := func(turn bool) []byte {
		b := NewBuilder()
		for _, name := range []string{"npm", "Debian", "PyPI"} {
			records := slices.Clone(all[name])
			if turn {
				slices.Reverse(records)
			}
			b.Add(Source{Name: name}, records)
		}
		if turn {
			slices.Reverse(b.sources)
		}
		var out bytes.Buffer
		if _, err := b.Write(&out, day, 1); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	if !bytes.Equal(write(false), write(true)) {
		t.Error("the order of the records changes the index")
	}
}

const small = `{"id":"GHSA-1","aliases":["CVE-2026-1"],"modified":"2026-01-01T00:00:00Z","summary":"s","affected":[
 {"package":{"ecosystem":"npm","name":"left"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"2.0.0"}]}],"versions":["odd"]}]}`

// more are records with what small has not: streams of modules, imports, statuses and several vulnerabilities.
var more = []string{
	`{"id":"ALSA-1","related":["CVE-2026-2","CVE-2026-3"],"modified":"2026-01-01T00:00:00Z","summary":"Important: nodejs:18 security update","affected":[
 {"package":{"ecosystem":"AlmaLinux:9","name":"nodejs"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1:18.2-1.module_el9.2+1"}]}]},
 {"package":{"ecosystem":"AlmaLinux:9","name":"nodejs"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1:16.2-1.el9"}]}]}]}`,
	`{"id":"GO-1","aliases":["CVE-2026-4"],"modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"example.org/m"},
 "ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.2.0"}]}],"ecosystem_specific":{"imports":[{"path":"example.org/m/a","symbols":["F"]},{"path":"example.org/m/b"}]}}]}`,
	`{"id":"DEBIAN-CVE-2026-5","upstream":["CVE-2026-5"],"modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Debian:12","name":"curl"},
 "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}],"ecosystem_specific":{"urgency":"unimportant"}}]}`,
}

// widest is an index of all of them.
func widest(t testing.TB) []byte {
	t.Helper()
	var records []*Record
	for _, text := range append([]string{small}, more...) {
		r, err := ParseRecord([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	return writeIndex(t, records...)
}

// TestDamage changes every byte of an index: each is an error or no difference at all, never another answer.
func TestDamage(t *testing.T) {
	file := widest(t)
	want := ask(t, file)
	for i := range file {
		broken := slices.Clone(file)
		broken[i] ^= 0x41
		x, err := Open(broken)
		if err != nil {
			continue
		}
		if x.CheckSeal() == nil {
			t.Fatalf("byte %d: the seal is whole", i)
		}
		a, err := x.Match(&Question{Packages: someAsked})
		if err == nil && !reflect.DeepEqual(a, want) {
			t.Fatalf("byte %d: another answer: %+v", i, a)
		}
	}
	for n := range file {
		if _, err := Open(file[:n:n]); err == nil {
			t.Fatalf("the first %d bytes open", n)
		}
	}
}

var someAsked = []Package{
	{Ecosystem: "npm", Name: "left", Version: "1.0.0"},
	{Ecosystem: "npm", Name: "left", Version: "odd"},
	{Ecosystem: "npm", Name: "right", Version: "1.0.0"},
	{Ecosystem: "AlmaLinux:9", Name: "nodejs", Version: "1:18.1-1.module_el9.2+1", Module: "nodejs:18:9020:abc"},
	{Ecosystem: "AlmaLinux:9.2", Name: "nodejs", Version: "1:16.1-1.el9"},
	{Ecosystem: "Go", Name: "example.org/m", Version: "v1.1.0"},
	{Ecosystem: "Debian:12", Name: "curl", Version: "7.88.1-10"},
}

func ask(t testing.TB, file []byte) *Answer {
	t.Helper()
	x, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	a, err := x.Match(&Question{Packages: someAsked})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// FuzzIndex changes an index and mends its sums, as who means harm would: it may say anything, and must not panic.
func FuzzIndex(f *testing.F) {
	file := widest(f)
	f.Add(uint32(0), []byte{}, true)
	for at := uint32(0); at < uint32(len(file)); at += 509 {
		f.Add(at, []byte{0xff, 0xff, 0xff, 0xff, 0x7f}, true)
		f.Add(at, []byte{0}, false)
	}
	f.Fuzz(func(_ *testing.T, at uint32, change []byte, mend bool) {
		broken := slices.Clone(file)
		copy(broken[int(at)%len(broken):], change)
		if mend {
			resum(broken)
		}
		x, err := Open(broken)
		if err != nil {
			return
		}
		_, _ = x.Match(&Question{Packages: someAsked, Today: "2026-11-22"}) // whatever it says
	})
}

// resum makes the sums right again.
func resum(file []byte) {
	offset := binary.LittleEndian.Uint64(file[32+16*sumSection:])
	length := binary.LittleEndian.Uint64(file[40+16*sumSection:])
	if offset > uint64(len(file)) || length > uint64(len(file))-offset || offset%blockSize != 0 {
		return
	}
	sums := file[offset : offset+length]
	for n := 0; 4*n+4 <= len(sums) && (n+2)*blockSize <= len(file); n++ {
		binary.LittleEndian.PutUint32(sums[4*n:], crc32.Checksum(file[(n+1)*blockSize:(n+2)*blockSize], castagnoli))
	}
	binary.LittleEndian.PutUint32(file[24:], crc32.Checksum(sums, castagnoli))
	binary.LittleEndian.PutUint32(file[headSum:], crc32.Checksum(file[:headSum], castagnoli))
}

func writeIndex(t testing.TB, records ...*Record) []byte {
	t.Helper()
	b := NewBuilder()
	b.Add(Source{Name: "test"}, records)
	var out bytes.Buffer
	if _, err := b.Write(&out, day, 1); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
