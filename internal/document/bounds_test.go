package document

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hostile are texts that a stranger might write to keep the reader busy; n is about how many bytes.
var hostile = map[string]func(n int) string{
	"one scalar":                func(n int) string { return "a: " + strings.Repeat("x", n) + "\n" },
	"one quoted scalar":         func(n int) string { return "a: \"" + strings.Repeat("x\\n", n/3) + "\"\n" },
	"one block scalar":          func(n int) string { return "a: |\n" + strings.Repeat("  x\n", n/4) },
	"one folded scalar":         func(n int) string { return "a: >\n" + strings.Repeat("\n", n/3) + strings.Repeat("  x\n", n/6) },
	"one plain scalar of lines": func(n int) string { return "a: x\n" + strings.Repeat("  x\n", n/4) },
	"blank lines":               func(n int) string { return "a: x\n" + strings.Repeat("\n", n) + "b: y\n" },
	"comments":                  func(n int) string { return strings.Repeat("#\n", n/2) + "b: y\n" },
	"keys of one map":           func(n int) string { return numbered(n, "k%07d: 1\n") },
	"keys of one flow map":      func(n int) string { return "a: {" + numbered(n, "k%07d: 1, ") + "z: 1}\n" },
	"a wide map, then many": func(n int) string {
		return numbered(n/2, "k%07d: 1\n") + "x:\n" + strings.Repeat("- {a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1, i: 1, j: 1, k: 1, l: 1, o: 1, p: 1}\n", n/180)
	},
	"empty items":                  func(n int) string { return strings.Repeat("-\n", n/2) },
	"items":                        func(n int) string { return "a: [x" + strings.Repeat(",x", n/2) + "]\n" },
	"tiny documents":               func(n int) string { return strings.Repeat("---\n-\n", n/6) },
	"empty documents":              func(n int) string { return strings.Repeat("---\n", n/4) },
	"tiny documents, library":      func(n int) string { return strings.Repeat("--- a\n", n/6) },
	"broken documents":             func(n int) string { return strings.Repeat("---\n}\n", n/6) },
	"broken documents of one line": func(n int) string { return strings.Repeat("--- }\n", n/6) },
	"documents with a key twice":   func(n int) string { return strings.Repeat("---\na: 1\na: 2\n", n/14) },
	"deep dashes":                  func(n int) string { return strings.Repeat("- ", n/2) + "a\n" },
	"deep flow lists":              func(n int) string { return "a: " + strings.Repeat("[", n) },
	"deep flow lists, closed":      func(n int) string { return "a: " + strings.Repeat("[", n/2) + strings.Repeat("]", n/2) },
	"deep flow maps":               func(n int) string { return "a: " + strings.Repeat("{a: ", n/4) },
	"deep maps":                    deepMaps,
	"deep maps, shallow enough":    func(n int) string { return "a: 1\n---\n" + deepMaps(min(n, 490*491/2)) },
	"complex keys":                 func(n int) string { return strings.Repeat("? ", n/2) },
	"tabs":                         func(n int) string { return "a: b\n" + strings.Repeat("\t\n", n/2) },
	"anchors":                      func(n int) string { return numbered(n, "- &a%07d x\n") },
	"aliases of a large scalar": func(n int) string {
		return "a: &a " + strings.Repeat("x", n/2) + "\nb: [x" + strings.Repeat(", *a", n/8) + "]\n"
	},
	"aliases of a small scalar": func(n int) string { return "a: &a x\nb: [x" + strings.Repeat(",*a", n/3) + "]\n" },
	"laughs":                    func(n int) string { return laughs(9, 9) + strings.Repeat("# x\n", n/4) },
	"many laughs":               func(n int) string { return strings.Repeat("---\n"+laughs(5, 9), n/250) },
	"laughs by merge": func(n int) string {
		return strings.Repeat("---\na: &a {x: 1}\nb: &b {<<: [*a, *a, *a]}\nc: {<<: [*b, *b, *b]}\n", n/70)
	},
	"an anchor in itself":          func(n int) string { return strings.Repeat("---\na: &a [*a]\n", n/15) },
	"a key twice at every level":   func(n int) string { return nestedTwice(n) },
	"JSON: a key twice everywhere": func(n int) string { return strings.Repeat(`{"a":1,"a":2}`, n/13) },
	"JSON: nested twice": func(n int) string {
		return strings.Repeat(`{"a":1,"a":`, 450) + "[0" + strings.Repeat(",0", n/2) + "]" + strings.Repeat("}", 450)
	},
	"JSON: deep":                    func(n int) string { return strings.Repeat("[", n) },
	"JSON: deep maps":               func(n int) string { return strings.Repeat(`{"a":`, n/5) },
	"JSON: items":                   func(n int) string { return "[0" + strings.Repeat(",0", n/2) + "]" },
	"JSON: documents":               func(n int) string { return strings.Repeat("[]", n/2) },
	"JSON: one scalar":              func(n int) string { return `["` + strings.Repeat("x", n) + `"]` },
	"JSON: one scalar of escapes":   func(n int) string { return `["` + strings.Repeat(`\n`, n/2) + `"]` },
	"JSON: escaped keys":            func(n int) string { return `{"a":1` + numbered(n, `,"\n%07d":1`) + "}" },
	"JSON: broken at the end":       func(n int) string { return "[0" + strings.Repeat(",0", n/2) },
	"JSON: broken after documents":  func(n int) string { return strings.Repeat("{}\n", n/3) + "{" },
	"library: items":                func(n int) string { return "a: [ x: y" + strings.Repeat(",x", n/2) + "]\n" },
	"library: empty items":          func(n int) string { return "- !!str\n" + strings.Repeat("-\n", n/2) },
	"library: empty flow":           func(n int) string { return "[x: y" + strings.Repeat(",{}", n/3) + "]\n" },
	"library: pairs":                func(n int) string { return "[x: y" + strings.Repeat(",:", n/2) + "]\n" },
	"library: keys":                 func(n int) string { return "? a\n" + numbered(n, "%07d:\n") },
	"library: many lines of a word": func(n int) string { return "? a\n: x\n" + strings.Repeat(" x\n", n/3) },
	"library: quotes":               func(n int) string { return "? a\n: 'x\n" + strings.Repeat(" x\n", n/3) + " '" },
	"library: comments":             func(n int) string { return "? a\n: x\n" + strings.Repeat("#x\n", n/3) },
	"library: comments on items":    func(n int) string { return "? a\n:\n" + strings.Repeat("- x #y\n", n/7) },
	"carriage returns":              func(n int) string { return strings.Repeat("a\r", n/2) },
	"documents behind CR":           func(n int) string { return strings.Repeat("---\ra: 1\r", n/9) },
	"directives":                    func(n int) string { return strings.Repeat("%TAG ! x\n", n/9) },
	"directives and markers":        func(n int) string { return strings.Repeat("%TAG ! x\n---\n", n/13) },
	"templates":                     func(n int) string { return strings.Repeat("---\n{{ x }}\n", n/12) },
}

func numbered(n int, format string) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func deepMaps(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// nestedTwice has a key twice in each of 90 maps, one in the other.
func nestedTwice(n int) string {
	var b strings.Builder
	for i := range 90 {
		indent := strings.Repeat(" ", i)
		b.WriteString(indent + "a: 1\n" + indent + "a:\n")
	}
	indent := strings.Repeat(" ", 90)
	for b.Len() < n {
		b.WriteString(indent + "- x\n")
	}
	return b.String()
}

// laughs is a list of lists of lists by aliases: wide to the power of deep values.
func laughs(deep, wide int) string {
	var b strings.Builder
	b.WriteString("a0: &a0 x\n")
	for i := range deep {
		fmt.Fprintf(&b, "a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), wide-1), i)
	}
	return b.String()
}

// cost is what reading a text took: CPU time, and memory beside the text in bytes: what the
// documents keep, and the most there was at a time (found by looking every few milliseconds).
type cost struct {
	time       time.Duration
	held, peak int64
	docs, errs int
}

// costOf reads a text, and asks for the place of its last value.
func costOf(text string) cost {
	before := heap()
	stop, top := make(chan bool), make(chan int64)
	go watch(stop, top)
	start := cpuTime()
	docs, errs := Read(NewText(text), 1)
	if n := len(docs); n > 0 {
		(Value{docs[n-1], uint32(len(docs[n-1].nodes) - 1)}).Position()
	}
	c := cost{time: cpuTime() - start, docs: len(docs), errs: len(errs)}
	stop <- true
	most := <-top
	after := heap()
	c.held, c.peak = after-before, max(most, after)-before
	runtime.KeepAlive(docs)
	runtime.KeepAlive(errs)
	return c
}

// heap is what is in use once all scratch memory is gone.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // the pools keep theirs for one
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func watch(stop <-chan bool, top chan<- int64) {
	most := int64(0)
	var m runtime.MemStats
	for {
		select {
		case <-stop:
			top <- most
			return
		case <-time.After(5 * time.Millisecond):
			runtime.ReadMemStats(&m)
			most = max(most, int64(m.HeapAlloc))
		}
	}
}

func cpuTime() time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return 0
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// What TestHostileText allows: the bounds that the package comment promises, with a margin for
// garbage that is not collected yet.
const (
	heldRatio = 16
	heldDoc   = 200 // for each document or error
	peakRatio = 220
	slack     = 8 << 20
)

// TestHostileText reads texts of 128 KiB, or as many MiB as HOSTILE_MIB says, and holds their cost
// to the bounds. Eight times the text may take eight times the time, and some more.
func TestHostileText(t *testing.T) {
	size := 128 << 10
	if n, err := strconv.Atoi(os.Getenv("HOSTILE_MIB")); err == nil {
		size = n << 20
	}
	for _, name := range slices.Sorted(maps.Keys(hostile)) {
		if only := os.Getenv("HOSTILE_ONLY"); only != "" && only != name {
			continue
		}
		text := hostile[name](size)
		c := costOf(text)
		n := int64(len(text))
		t.Logf("%-30s %5.1f MB: %6.2fs, held %5.1fx, peak %5.1fx, %d documents, %d errors",
			name, float64(n)/1e6, c.time.Seconds(), float64(c.held)/float64(n), float64(c.peak)/float64(n), c.docs, c.errs)
		if c.held > heldRatio*n+heldDoc*int64(c.docs+c.errs)+slack {
			t.Errorf("%s: documents keep %d bytes of %d", name, c.held, n)
		}
		if c.peak > peakRatio*n+slack {
			t.Errorf("%s: reading takes %d bytes of %d", name, c.peak, n)
		}
		if c.time < 500*time.Millisecond {
			continue
		}
		if small := costOf(hostile[name](size / 8)); c.time > 30*small.time {
			t.Errorf("%s: %v for %d bytes, %v for an eighth of it", name, c.time, n, small.time)
		}
	}
}

// TestLargeTexts are the largest of their kind that may be met, and how long they may take.
func TestLargeTexts(t *testing.T) {
	if testing.Short() {
		t.Skip("large texts take seconds")
	}
	for name, test := range map[string]struct {
		text string
		docs int
	}{
		"a scalar of 64 MiB":             {"a: " + strings.Repeat("x", 64<<20) + "\nb: c\n", 1},
		"a block scalar of 64 MiB":       {"a: |\n" + strings.Repeat("  a line of text, no longer than this\n", 64<<20/38) + "b: c\n", 1},
		"a JSON scalar of 64 MiB":        {`{"a": "` + strings.Repeat(`x\n`, 64<<20/3) + `"}`, 1},
		"a million keys":                 {numbered(15<<20, "key%07d: 1\n"), 1},
		"a million keys of JSON":         {`{"a":1` + numbered(16<<20, `,"key%07d":1`) + "}", 1},
		"a million documents":            {strings.Repeat("a: b\n---\n", 1<<20), 1 << 20},
		"a million documents of JSON":    {strings.Repeat("{}\n", 1<<20), 1 << 20},
		"2,000 maps in each other":       {deepMaps(100_000 * 20), 0},
		"100,000 lists in each other":    {"a: " + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), 0},
		"100,000 dashes":                 {strings.Repeat("- ", 100_000) + "a\n", 0},
		"100,000 JSON lists":             {strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), 0},
		"100,000 JSON maps":              {strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000), 0},
		"a JSON text that ends too soon": {`{"items":[` + strings.Repeat(`{"kind":"Pod"},`, 1<<20), 0},
	} {
		c := costOf(test.text)
		t.Logf("%-32s %5.1f MB: %5.2fs, held %4.1fx, peak %5.1fx", name, float64(len(test.text))/1e6, c.time.Seconds(),
			float64(c.held)/float64(len(test.text)), float64(c.peak)/float64(len(test.text)))
		if c.docs != test.docs || c.docs == 0 && c.errs != 1 {
			t.Errorf("%s: %d documents and %d errors, want %d", name, c.docs, c.errs, test.docs)
		}
		if c.time > 20*time.Second {
			t.Errorf("%s takes %v", name, c.time)
		}
	}
}

func TestMoreValuesThanTheBound(t *testing.T) {
	if os.Getenv("HOSTILE_MIB") == "" {
		t.Skip("this takes 1.5 GiB of memory: set HOSTILE_MIB")
	}
	for name, text := range map[string]string{
		"JSON":        "[0" + strings.Repeat(",0", maxNodes) + "]",
		"items":       "a:\n" + strings.Repeat("-\n", maxNodes),
		"words":       "a:\n" + strings.Repeat("- x\n", maxNodes),
		"keys":        "a:\n" + strings.Repeat("- x:\n", maxNodes),
		"items, flow": "a: [b" + strings.Repeat(",b", maxNodes) + "]\n",
	} {
		c := costOf(text)
		t.Logf("%-12s %5.1f MB: %5.2fs, peak %d MB", name, float64(len(text))/1e6, c.time.Seconds(), c.peak/1e6)
		if c.docs != 0 || c.errs != 1 || c.peak > 2<<30 {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

func TestMoreDocumentsThanTheBound(t *testing.T) {
	for name, text := range map[string]string{
		"YAML": strings.Repeat("a:\n---\n", maxDocuments+2),
		"JSON": strings.Repeat("[]", maxDocuments+2),
	} {
		docs, errs := Read(NewText(text), 2)
		if len(docs) != maxDocuments || len(errs) != 1 || errs[0].Code != CodeTooLarge {
			t.Errorf("%s: %d documents, errors %v", name, len(docs), errs)
		}
	}
}

// TestSameAnswerOnEveryWidth reads on several goroutines what one reads.
func TestSameAnswerOnEveryWidth(t *testing.T) {
	text := strings.Repeat("a: 1\n---\n? b\n: c\n---\nd: e: f\n---\n# none\n---\n- &x y\n- *x\n---\n", 200)
	show := func(width int) string {
		docs, errs := Read(NewText(text), width)
		return all(docs) + fmt.Sprint(errs)
	}
	if want, got := show(1), show(8); want != got {
		t.Error("eight goroutines read something else than one")
	}
}
