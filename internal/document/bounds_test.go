package document

import (
	"fmt"
	"os"
	"runtime"
	"strings"
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
		return numbered(n/2, "k%07d: 1\n") + "x:\n" + strings.Repeat("- {a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1, i: 1, j: 1, k: 1, l: 1, m: 1, n: 1}\n", n/180)
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

func TestMeasure(t *testing.T) {
	if os.Getenv("MEASURE") == "" {
		t.Skip("MEASURE is not set")
	}
	for name, make := range hostile {
		text := make(4 << 20)
		line := fmt.Sprintf("%-32s %5.1f MB", name, float64(len(text))/1e6)
		took, held, peak, docs, errs := measure(text)
		t.Logf("%s %8.2fs held %6.1fx peak %6.1fx docs %d errs %d", line, took.Seconds(), held, peak, docs, errs)
	}
}

// measure reads a text, and asks for the place of its last value. held is the memory that the
// documents keep, peak the most there was beside the text, both as multiples of the text.
func measure(text string) (took time.Duration, held, peak float64, docs, errs int) {
	blocks.New().(*block).nodes = nil
	runtime.GC()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	stop, most := make(chan bool), make(chan uint64)
	go func() {
		top := uint64(0)
		var now runtime.MemStats
		for {
			select {
			case <-stop:
				most <- top
				return
			case <-time.After(5 * time.Millisecond):
				runtime.ReadMemStats(&now)
				top = max(top, now.HeapAlloc)
			}
		}
	}()
	start := time.Now()
	list, faults := Read(NewText(text), 1)
	for _, d := range list {
		if d.Root().Exists() {
			Value{d, uint32(len(d.nodes) - 1)}.Position()
		}
	}
	took = time.Since(start)
	stop <- true
	top := <-most
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	n := float64(len(text))
	held = float64(int64(after.HeapAlloc)-int64(before.HeapAlloc)) / n
	peak = float64(int64(max(top, after.HeapAlloc))-int64(before.HeapAlloc)) / n
	docs, errs = len(list), len(faults)
	runtime.KeepAlive(list)
	runtime.KeepAlive(faults)
	return took, held, peak, docs, errs
}
