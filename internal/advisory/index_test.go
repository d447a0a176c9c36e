package advisory

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
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

func TestRealIndex(t *testing.T) {
	start := time.Now()
	x := openReal(t)
	t.Logf("%d bytes after %v: %d records, %d vulnerabilities, %d exploited, %d scores", len(x.file), time.Since(start), x.About.Records, x.About.Vulnerabilities, x.About.Exploited, x.About.Scores)
	start = time.Now()
	x2, err := Open(x.file)
	if err != nil {
		t.Fatal(err)
	}
	t.Log("open", time.Since(start))
	for _, e := range x.About.Ecosystems {
		t.Logf("%+v", e)
	}
	start = time.Now()
	if err := x2.CheckSeal(); err != nil {
		t.Fatal(err)
	}
	t.Log("seal", time.Since(start))
	for range 3 {
		start = time.Now()
		a, err := x2.Match(&Question{Packages: []Package{{Ecosystem: "Debian:12", Name: "openssl", Version: "3.0.9-1"}, {Ecosystem: "npm", Name: "lodash", Version: "4.17.4"}}, Today: "2026-11-22"})
		if err != nil {
			t.Fatal(err)
		}
		t.Log("match", time.Since(start))
		for _, f := range a.Findings {
			t.Logf("%+v", f)
		}
		t.Logf("%+v", a.Unknown)
	}
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
