package image

import (
	"bytes"
	_ "embed"
	"path"
	"regexp"
	"strings"
	"sync"

	yaml "github.com/coaming/coaming/internal/document"
)

// mark is one line of the table of programs that images carry along without a package manager.
type mark struct {
	name, ecosystem string
	files           []string // names; a star at the end stands for any rest
	near            string   // what the version stands beside, "" where the pattern says so itself
	version         *regexp.Regexp
	stem            bool // the version begins as the number in the file's name
	silent          bool // programs of the name may hold no version
}

//go:embed bundled.yaml
var bundledTable string

// marks are the table by the first two letters of the files' names.
var marks = sync.OnceValue(func() map[string][]*mark {
	index := map[string][]*mark{}
	docs, _ := yaml.Read(yaml.NewText(bundledTable), 1) // TestBundledTable reads it and fails
	if len(docs) == 0 {
		return index
	}
	for _, entry := range docs[0].Root().Get("programs").Items() {
		m := &mark{
			name: entry.Get("name").Str(), ecosystem: entry.Get("ecosystem").Str(), near: entry.Get("near").Str(),
			version: regexp.MustCompile(entry.Get("version").Str()), stem: entry.Get("stem").Bool(), silent: entry.Get("silent").Bool(),
		}
		begins := map[string]bool{}
		for _, f := range entry.Get("files").Items() {
			m.files = append(m.files, f.Str())
			begins[f.Str()[:2]] = true
		}
		for two := range begins {
			index[two] = append(index[two], m)
		}
	}
	return index
})

// marksOf are the marks of programs that are called so.
func marksOf(at string) []*mark {
	base := path.Base(at)
	if len(base) < 2 {
		return nil
	}
	var list []*mark
	for _, m := range marks()[base[:2]] {
		if m.called(base) {
			if m = m.of(base); m != nil {
				list = append(list, m)
			}
		}
	}
	return list
}

func (m *mark) called(base string) bool {
	for _, f := range m.files {
		begin, open := strings.CutSuffix(f, "*")
		if base == f || open && strings.HasPrefix(base, begin) {
			return true
		}
	}
	return false
}

var stem = regexp.MustCompile(`\d+\.\d+`)

// of is the mark for a file of that name: where the name has the beginning of the version, near it alone.
func (m *mark) of(base string) *mark {
	if !m.stem {
		return m
	}
	number := stem.FindString(base)
	if number == "" {
		return nil
	}
	own := *m
	own.near = "\x00" + number + "."
	return &own
}

// beside is how far around the text in near the version is looked for.
const beside = 96

// find is the version that a block tells, "" for none.
func (m *mark) find(block []byte) string {
	if m.near == "" {
		return m.group(block)
	}
	for from := 0; ; {
		i := bytes.Index(block[from:], []byte(m.near))
		if i < 0 {
			return ""
		}
		i += from
		begin := max(0, i-beside)
		if m.stem {
			begin = i
		}
		if v := m.group(block[begin:min(len(block), i+len(m.near)+beside)]); v != "" {
			return v
		}
		from = i + len(m.near)
	}
}

func (m *mark) group(block []byte) string {
	if found := m.version.FindSubmatch(block); found != nil {
		return string(found[1])
	}
	return ""
}
