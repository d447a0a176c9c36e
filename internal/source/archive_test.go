package source

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

func archivedObject(t *testing.T, file, text string) *fact.Object {
	t.Helper()
	doc, fault := document.ParseJSON(text)
	if fault != nil {
		t.Fatal(fault)
	}
	return fact.NewObject(doc.Root(), &fact.Origin{Source: "cluster:prod", File: file})
}

func exampleReading(t *testing.T) *Reading {
	t.Helper()
	doubtful := archivedObject(t, `/api/v1/namespaces/shop/configmaps/"odd"`, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"<odd>\n","namespace":"shop"},"data":{"k":"v"}}`)
	doubtful.Doubt = "a key stands twice"
	r := &Reading{
		Version: "1.36", Live: true,
		Objects: []*fact.Object{
			archivedObject(t, "/apis/apps/v1/namespaces/shop/deployments/cart", `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"cart","namespace":"shop"},"spec":{"replicas":2}}`),
			doubtful,
			archivedObject(t, "/api/v1/namespaces/a", `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a"}}`),
		},
	}
	r.Coverage.Sources = []string{"cluster:prod"}
	r.Coverage.Gaps = []verdict.Gap{{
		Code: verdict.GapForbidden, Location: verdict.Location{Source: "cluster:prod", File: "/api/v1/nodes"},
		Message: "no", Remedy: "Yes.", Kinds: []string{"Node"}, Namespace: "shop",
	}}
	r.Coverage.Exclusions = []verdict.Exclusion{{What: "Secret", Reason: "never"}, {What: "pods", Reason: "made", Count: 3}}
	return r
}

func pack(t *testing.T, r *Reading) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteArchive(&b, r, ArchiveMeta{Context: "prod", Taken: time.Unix(1_800_000_000, 0), Tool: "coaming/test"}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unzip(t *testing.T, data []byte) string {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func zipped(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.Bytes()
}

func TestArchiveLooks(t *testing.T) {
	const want = `{"format":"coaming.dev/archive/v1","version":"1.36","context":"prod","taken":"2027-01-15T08:00:00Z","tool":"coaming/test"}
{"path":"/api/v1/namespaces/shop/configmaps/\"odd\"","doubt":"a key stands twice","object":{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"<odd>\n","namespace":"shop"},"data":{"k":"v"}}}
{"path":"/apis/apps/v1/namespaces/shop/deployments/cart","object":{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"cart","namespace":"shop"},"spec":{"replicas":2}}}
{"path":"/api/v1/namespaces/a","object":{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a"}}}
`
	got := unzip(t, pack(t, exampleReading(t)))
	body, trailer, _ := strings.Cut(got, `{"trailer":`)
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(trailer, `{"objects":3,"gaps":[{"code":"forbidden",`) || !strings.HasSuffix(trailer, "\"}}\n") {
		t.Errorf("trailer: %s", trailer)
	}
}

func TestArchiveRoundTrip(t *testing.T) {
	first := pack(t, exampleReading(t))
	if !bytes.Equal(first, pack(t, exampleReading(t))) {
		t.Error("the same reading gives other bytes")
	}
	r, err := ReadArchive(bytes.NewReader(first), "cluster.coaming", ArchiveLimits{})
	if err != nil {
		t.Fatal(err)
	}
	want := exampleReading(t)
	want.Objects = inOrder(want.Objects)
	if diff := cmp.Diff(flat(want), flat(r)); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	want.Coverage.Sources = []string{"archive:cluster.coaming"}
	want.Coverage.Documents = 3
	want.Coverage.Gaps[0].Location.Source = "archive:cluster.coaming"
	if diff := cmp.Diff(want.Coverage, r.Coverage); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	if r.Version != "1.36" || !r.Live || r.Objects[0].Doubt != "a key stands twice" {
		t.Errorf("version %q, live %v, doubt %q", r.Version, r.Live, r.Objects[0].Doubt)
	}
	for _, o := range r.Objects {
		if o.Origin.Source != "archive:cluster.coaming" || len(o.Root.Steps()) > 0 {
			t.Errorf("origin %+v, root at %v", o.Origin, o.Root.Steps())
		}
	}
}

func TestArchiveHoldsNoSecretValues(t *testing.T) {
	const value = "bmV2ZXItdG8tYmUtc2Vlbg=="
	r := &Reading{Objects: []*fact.Object{
		archivedObject(t, "a", `{"apiVersion":"v1","data":{"k":"`+value+`"},"stringData":{"k":"`+value+`"},"kind":"Secret","metadata":{"name":"a","annotations":{"`+lastApplied+`":"`+value+`"}},"type":"Opaque"}`),
		archivedObject(t, "b", `{"apiVersion":"v1","kind":"SecretList","metadata":{"name":"b"},"items":[{"data":{"k":"`+value+`"}}]}`),
		archivedObject(t, "c", `{"apiVersion":"v1","kind":"List","metadata":{"name":"c"},"items":[{"kind":"Secret","data":{"k":"`+value+`"}}]}`),
		archivedObject(t, "d", `{"apiVersion":"work/v1","kind":"ManifestWork","metadata":{"name":"d"},"spec":{"manifests":[{"stringData":{"k":"`+value+`"},"kind":"Secret"}]}}`),
		archivedObject(t, "e", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"e"},"data":{"kept":"v"}}`),
	}}
	text := unzip(t, pack(t, r))
	if strings.Contains(text, value) {
		t.Errorf("a secret's value is in\n%s", text)
	}
	for _, kept := range []string{`"type":"Opaque"`, `"kept":"v"`} {
		if !strings.Contains(text, kept) {
			t.Errorf("%s is not in\n%s", kept, text)
		}
	}
}

func TestArchiveDamaged(t *testing.T) {
	whole := pack(t, exampleReading(t))
	text := unzip(t, whole)
	lines := strings.SplitAfter(text, "\n")
	tests := map[string]struct {
		data    []byte
		limits  ArchiveLimits
		objects int
		gaps    []string // beside the one that the cluster had
		lost    bool     // that one cannot be read
	}{
		"cut off in the packing":  {data: whole[:len(whole)-20], objects: 3, gaps: []string{"unreadable"}, lost: true},
		"only the sum is wrong":   {data: append(bytes.Clone(whole[:len(whole)-8]), make([]byte, 8)...), objects: 3, gaps: []string{"unreadable"}},
		"no trailer":              {data: zipped(strings.Join(lines[:4], "")), objects: 3, gaps: []string{"unreadable"}, lost: true},
		"cut off in a line":       {data: zipped(text[:len(lines[0])+len(lines[1])+20]), objects: 1, gaps: []string{"unreadable"}, lost: true},
		"a line was changed":      {data: zipped(strings.Replace(text, `"replicas":2`, `"replicas":9`, 1)), objects: 3, gaps: []string{"unreadable"}},
		"a line is gone":          {data: zipped(lines[0] + lines[1] + lines[2] + lines[4]), objects: 2, gaps: []string{"unreadable"}},
		"a line is no JSON":       {data: zipped(lines[0] + "{\n" + lines[1] + lines[2] + lines[3] + lines[4]), objects: 3, gaps: []string{"syntax", "unreadable"}},
		"a line is no object":     {data: zipped(lines[0] + "{\"object\":{\"kind\":\"A\"}}\n7\n" + lines[1] + lines[4]), objects: 1, gaps: []string{"not-object", "not-object", "unreadable"}},
		"a line is nested deep":   {data: zipped(lines[0] + strings.Repeat("[", 5000) + "\n" + lines[1]), objects: 1, gaps: []string{"too-large", "unreadable"}, lost: true},
		"a line is too long":      {data: whole, limits: ArchiveLimits{Line: len(lines[1]) - 1}, objects: 2, gaps: []string{"too-large", "too-large", "unreadable"}, lost: true},
		"it unpacks to too much":  {data: whole, limits: ArchiveLimits{Bytes: int64(len(lines[0]) + len(lines[1]) + 5)}, objects: 1, gaps: []string{"too-large"}, lost: true},
		"it just fits":            {data: whole, limits: ArchiveLimits{Bytes: int64(len(text))}, objects: 3},
		"two archives in one":     {data: append(bytes.Clone(whole), whole...), objects: 3, gaps: []string{"unreadable"}},
		"the trailer is no such":  {data: zipped(lines[0] + lines[1] + "{\"trailer\":7}\n"), objects: 1, gaps: []string{"unreadable"}, lost: true},
		"nothing but bad lines":   {data: zipped(lines[0] + strings.Repeat("\x01\n", 5000)), gaps: append(strings.Split(strings.Repeat("syntax ", 100), " ")[:100], "unreadable", "unreadable"), lost: true},
		"a key of a line twice":   {data: zipped(lines[0] + `{"object":{"apiVersion":"v1","kind":"A","kind":"B","metadata":{"name":"n"}}}` + "\n"), objects: 1, gaps: []string{"unreadable"}, lost: true},
		"a header and then noise": {data: append(zipped(lines[0]), "noise"...), gaps: []string{"unreadable"}, lost: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := ReadArchive(bytes.NewReader(test.data), "x", test.limits)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Objects) != test.objects {
				t.Errorf("%d objects, want %d", len(r.Objects), test.objects)
			}
			var codes []string
			carried := false
			for _, g := range r.Coverage.Gaps {
				if g.Code == verdict.GapForbidden {
					carried = true
					continue
				}
				codes = append(codes, string(g.Code))
				if g.Message == "" || g.Remedy == "" {
					t.Errorf("gap says nothing: %+v", g)
				}
			}
			if diff := cmp.Diff(test.gaps, codes); diff != "" {
				t.Errorf("gaps (-want +got):\n%s\n%+v", diff, r.Coverage.Gaps)
			}
			if carried == test.lost {
				t.Errorf("gap of the cluster carried over: %v", carried)
			}
		})
	}
}

func TestNoArchive(t *testing.T) {
	tests := map[string]struct {
		data   []byte
		remedy string
	}{
		"nothing":          {nil, "Take an archive"},
		"text":             {[]byte("kind: Pod\n"), "Take an archive"},
		"nothing packed":   {zipped(""), "Take an archive"},
		"something packed": {zipped("kind: Pod\n"), "Take an archive"},
		"no end of line":   {zipped(`{"format":"coaming.dev/archive/v1"}`), "Take an archive"},
		"other JSON":       {zipped("{\"kind\":\"Pod\"}\n"), "Take an archive"},
		"endless line":     {zipped(strings.Repeat("a", 1<<20) + "\n"), "Take an archive"},
		"of the future":    {zipped("{\"format\":\"coaming.dev/archive/v2\"}\n"), "Use the version"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ReadArchive(bytes.NewReader(test.data), "x.coaming", ArchiveLimits{})
			wantRemedy(t, err, test.remedy)
		})
	}
}

// TestArchiveBomb unpacks to a gigabyte that must not be read.
func TestArchiveBomb(t *testing.T) {
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	_, _ = io.WriteString(w, `{"format":"coaming.dev/archive/v1"}`+"\n")
	zeros := make([]byte, 1<<20)
	for range 64 {
		_, _ = w.Write(zeros)
	}
	_ = w.Close()
	r, err := ReadArchive(&bomb, "x", ArchiveLimits{Bytes: 8 << 20, Line: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if g := r.Coverage.Gaps; len(g) != 1 || g[0].Code != verdict.GapTooLarge {
		t.Errorf("gaps: %+v", g)
	}
}

func TestWriteArchiveFails(t *testing.T) {
	err := WriteArchive(fullDisk{}, exampleReading(t), ArchiveMeta{})
	if err == nil || !strings.HasPrefix(err.Error(), "write archive: ") {
		t.Errorf("got %v", err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// FuzzReadArchive reads hostile archives, packed and as they are. What can be read once can be
// written and read again.
func FuzzReadArchive(f *testing.F) {
	header := "{\"format\":\"coaming.dev/archive/v1\",\"version\":\"1.36\"}\n"
	f.Add([]byte(header+"{\"path\":\"/a\",\"object\":{\"apiVersion\":\"v1\",\"kind\":\"A\",\"metadata\":{\"name\":\"n\"}}}\n{\"trailer\":{\"objects\":1,\"gaps\":[{}],\"sha256\":\"\"}}\n"), true)
	f.Add([]byte(header+"{\"trailer\":null}\n{}\n"), true)
	f.Add([]byte(header+"{\"object\":{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"n\"},\"data\":{}}}\n\n"), true)
	f.Add(zipped(header), false)
	f.Fuzz(func(t *testing.T, data []byte, zip bool) {
		if zip {
			data = zipped(string(data))
		}
		r, err := ReadArchive(bytes.NewReader(data), "x", ArchiveLimits{Bytes: 1 << 20, Line: 1 << 16})
		if err != nil {
			wantRemedy(t, err, "")
			return
		}
		var b bytes.Buffer
		if err := WriteArchive(&b, r, ArchiveMeta{}); err != nil {
			t.Fatal(err)
		}
		again, err := ReadArchive(bytes.NewReader(b.Bytes()), "x", ArchiveLimits{})
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Coverage.Gaps) != len(r.Coverage.Gaps) || len(again.Objects) != len(r.Objects) {
			t.Fatalf("%d objects and %d gaps became %d and %d: %+v", len(r.Objects), len(r.Coverage.Gaps), len(again.Objects), len(again.Coverage.Gaps), again.Coverage.Gaps)
		}
		var twice bytes.Buffer
		if err := WriteArchive(&twice, again, ArchiveMeta{}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.Bytes(), twice.Bytes()) {
			t.Errorf("written\n%s\nand then\n%s", unzip(t, b.Bytes()), unzip(t, twice.Bytes()))
		}
	})
}
