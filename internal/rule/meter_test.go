package rule

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/verdict"
)

// outside is a rule from outside that asserts an expression about every object.
func outside(t *testing.T, assert string) *Compiled {
	t.Helper()
	text := "id: a\ntitle: t\npractice: pod\nseverity: low\nwhy: w\nremedy: r\nmatch: object\nsays: '\"s\"'\nassert: |-\n  " + strings.ReplaceAll(assert, "\n", "\n  ") + "\n"
	r, err := Parse("a.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	r.Origin = "somewhere"
	c, err := Compile(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// objectOf is a scope with one object.
func objectOf(t *testing.T, text string) *Scope {
	t.Helper()
	docs, errs := document.Read(document.NewText(text), 1)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return &Scope{Object: Of(docs[0].Root()), Nodes: docs[0].Root().Nodes()}
}

// TestPanicIsUnknown reads a fact that panics, and demands that the rule alone is unknown: of a rule
// from outside, of a built-in one, and in a message.
func TestPanicIsUnknown(t *testing.T) {
	for _, origin := range []string{"", "somewhere"} {
		for name, assert := range map[string]string{
			"field":    "object.boom == 1",
			"function": "image(object.boom).valid",
			"loop":     "[1, 2].all(x, object.boom != x)",
			"index":    `object["boom"] == 1`,
			"swallow":  "object.boom == 1 || true",
		} {
			t.Run(name+" "+origin, func(t *testing.T) {
				c := outside(t, assert)
				c.Origin = origin
				scope := &Scope{Object: Lazy(func(string) (Fact, error) { panic("boom") }), Nodes: 3}
				v, applies, reason := c.Judge(scope)
				if v != verdict.Unknown || !applies || reason == "" {
					t.Errorf("%v, %t, %q", v, applies, reason)
				}
				if c.Says = `object.boom`; c.Message(scope) == "" {
					t.Error("no message")
				}
				// The next question is answered as if nothing had been.
				if v, _, _ := outside(t, "object.kind == 'A'").Judge(objectOf(t, "kind: A")); v != verdict.Pass {
					t.Errorf("the next rule is %v", v)
				}
			})
		}
	}
}

// TestMeteredRulesAgree asks expressions with and without a meter.
func TestMeteredRulesAgree(t *testing.T) {
	object := "kind: A\nn: 3\nf: 1.5\ns: héllo\nnothing: null\nlist: [1, 2, 3]\nmap: {a: x, b: y}\nnested: [{k: [1]}, {k: []}]\nimage: quay.io/a/b:1@x\n"
	for _, assert := range []string{
		"object.n + 1 == 4", "object.s + '!' == 'héllo!'", "object.list + [4] == [1, 2, 3, 4]", "[0] + object.list == [0, 1, 2, 3]",
		"object.list.map(x, x * 2) == [2, 4, 6]", "object.list.filter(x, x > 1).size() == 2", "object.list.exists_one(x, x == 2)",
		"object.map.all(k, object.map[k] in ['x', 'y'])", "object.map.size() == 2 && 'a' in object.map", "object.nested.all(n, n.k.size() < 2)",
		"object.nested[0].k[0] == 1", "object.?nothing.orValue('none') == 'none'", "!has(object.nothing)", "has(object.map.a)", "object.missing == 1",
		"object.?map.?a.orValue('') == 'x'", "object.s.matches('^h.llo$')", "object.s.find('l+') == 'll'", "object.s.findAll('l') == ['l', 'l']",
		"object.s.replace('l', 'L') == 'héLLo'", "object.s.replace('l', 'L', 1) == 'héLlo'", "object.s.split('l').size() == 3", "object.s.size() == 5",
		"['a', 'b'].join('-') == 'a-b'", "'%s is %d'.format([object.s, object.n]) == 'héllo is 3'", "object.s.indexOf('l') == 2", "object.s.lastIndexOf('l') == 3",
		"object.s.substring(1, 3) == 'él'", "object.s.upperAscii() == 'HéLLO'", "object.s.charAt(1) == 'é'", "object.list.sum() == 6 && object.list.max() == 3",
		"sets.contains(object.list, [1, 3])", "object.list.indexOf(2) == 1", "quantity('1Gi').isGreaterThan(quantity('1Mi'))", "image(object.image).registry == 'quay.io'",
		"credential('PASSWORD', 'hunter2hunter2') != ''", "object.n > 2 ? object.f < 2.0 : false", "object.list.all(i, v, i + 1 == v)", "object.map.transformMap(k, v, v + v)['a'] == 'xx'",
		"object.list == [1.0, 2.0, 3.0]", "object.n == 'a'", "object.n.size() == 1", "-object.n == -3", "!(object.n == 3)", "object.s.bogus == 1", "type(object.n) == int",
		"string(object.n) == '3' && int('3') == object.n", "timestamp('2026-01-01T00:00:00Z').getFullYear() == 2026", "duration('1h') > duration('1m')",
		"ip('10.0.0.1').family() == 4", "url('https://a/b').getHost() == 'a'", "isSemver('1.2.3')", "optional.of(1).hasValue()", "object.list.isSorted()", "object.map == {'a': 'x', 'b': 'y'}",
		"1 / (object.n - 3) == 1", "object.list[7] == 1", "object.nested.exists(n, 1 in n.k) && object.nested.map(n, n.k.map(x, x + 1)) == [[2], []]",
	} {
		metered := outside(t, assert)
		plain := outside(t, assert)
		plain.Origin = ""
		plain, err := Compile(plain.Rule, nil)
		if err != nil {
			t.Fatal(err)
		}
		scope := objectOf(t, object)
		gotV, _, gotReason := metered.Judge(scope)
		wantV, _, wantReason := plain.Judge(scope)
		if gotV != wantV || gotReason != wantReason {
			t.Errorf("%s: with a meter %v (%s), without %v (%s)", assert, gotV, gotReason, wantV, wantReason)
		}
	}
}

// TestHostileRules asks rules that would take all time or memory there is, and demands an unknown
// within a second or so and 300 MiB.
func TestHostileRules(t *testing.T) {
	ten := "[0,1,2,3,4,5,6,7,8,9]"
	all := func(body string, depth int) string {
		return strings.Repeat(ten+".all(x, ", depth) + body + strings.Repeat(")", depth)
	}
	chain := func(start, link string, n int) string { return start + strings.Repeat(link, n) }
	letters := strings.Repeat("a", 900)
	tests := map[string]string{
		"loops in loops":            all("true", 20),
		"loops over two variables":  strings.Repeat(ten+".all(i, v, ", 20) + "true" + strings.Repeat(")", 20),
		"text that doubles":         chain(`["`+letters+`"]`, ".map(x, x + x)", 60) + "[0] != ''",
		"text doubled by itself":    chain(`"`+letters+`"`, `.replace("a", "`+letters+`")`, 6) + " != ''",
		"text replaced by itself":   chain(`["`+letters+`"]`, `.map(x, x.replace("", x))`, 6) + "[0] != ''",
		"bytes that double":         chain(`[b"`+letters+`"]`, ".map(x, x + x)", 60) + "[0] != b''",
		"lists that double":         chain("["+ten+"]", ".map(x, x + x)", 60) + "[0].size() > 0",
		"lists of themselves":       chain("["+ten+"]", ".map(x, [x, x])", 60) + " == []",
		"equal trees":               chain("["+ten+"]", ".map(x, [x, x])", 60) + " == " + chain("["+ten+"]", ".map(x, [x, x])", 60),
		"text of a tree":            `"%s".format([` + chain("["+ten+"]", ".map(x, [x, x])", 60) + "]) != ''",
		"member of a tree":          "dyn(1) in " + chain("[dyn("+ten+")]", ".map(x, [x, x])", 60),
		"maps of themselves":        chain("["+ten+"]", ".map(x, {'a': x, 'b': x})", 60) + " == [{}]",
		"join":                      "[" + strings.Repeat(`"`+letters+`",`, 12) + "].map(x, x.split('')).map(x, x.join('" + letters + "')).map(x, x.split('').join('" + letters + "')) != []",
		"format with digits":        `"%.999999999f".format([1.0]) != ''`,
		"format of much":            chain(`["`+letters+`"]`, `.map(x, "%s%s%s%s%s%s%s%s".format([x, x, x, x, x, x, x, x]))`, 20) + "[0] != ''",
		"sets":                      chain("["+ten+"]", ".map(x, x + x)", 16) + ".all(x, sets.equivalent(x, x))",
		"a pattern over much":       chain(`["`+letters+`"]`, ".map(x, x + x)", 10) + `.all(x, x.matches("` + strings.Repeat("(a?b?){100}", 40) + `c"))`,
		"a pattern made in a loop":  all(`!"a".matches("`+strings.Repeat("x{900}", 20)+`" + string(x))`, 6),
		"a large list in a loop":    all("["+strings.Repeat("x,", 7000)+"].size() > 0", 6),
		"large lists kept":          ten + ".map(x, " + ten + ".map(x, " + ten + ".map(x, " + ten + ".map(x, [" + strings.Repeat("x,", 7000) + "])))).size() > 0",
		"text searched":             chain(`["`+letters+`"]`, ".map(x, x + x)", 9) + `.all(x, x.indexOf(x.substring(1) + "b") < 0 && x.lastIndexOf(x.substring(9)) < 0 && x.indexOf(x + x) < 0 && x.indexOf("` + letters + `b") > 3)`,
		"quantity":                  `quantity("1" + "` + strings.Repeat("0", 900) + `".replace("0", "` + strings.Repeat("0", 90) + `")).isGreaterThan(quantity("1"))`,
		"conditions that swallow":   chain("["+ten+"]", ".map(x, x + x)", 60) + "[0].size() > 0 || true",
		"optional chains":           chain("[optional.of("+ten+")]", ".map(x, optional.of([x, x]))", 60) + "[0] == optional.none()",
		"items read again":          "object.items.all(x, object.items.all(y, object.items.all(z, z != 'none')))",
		"a map read again":          "object.items.all(x, object.items.all(y, object.map.all(k, object.map[k] != 'none')))",
		"the last item in a loop":   "object.items.all(x, object.items.all(y, object.items[19999] != 'none' && object.items[19998] != 'none'))",
		"counted in a loop":         "object.items.all(x, object.items.all(y, size(object.map) > 3))",
		"copied for native":         "object.items.all(x, object.items.all(y, sets.contains(object.items, [y])))",
		"addition of what was read": "object.items.all(x, object.items.all(y, (object.items + object.items).size() > 3))",
	}
	var object strings.Builder
	object.WriteString("kind: A\nitems:\n" + strings.Repeat("- item\n", 20000) + "map:\n")
	for i := range 5000 {
		object.WriteString("  k" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + time.Duration(i).String() + ": v\n")
	}
	scope := objectOf(t, object.String())
	for name, assert := range tests {
		t.Run(name, func(t *testing.T) {
			c := outside(t, assert)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			v, _, reason := c.Judge(scope)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			mib := (after.TotalAlloc - before.TotalAlloc) >> 20
			t.Logf("%v: %s in %v, %d MiB", v, reason, took.Round(time.Millisecond), mib)
			if v != verdict.Unknown {
				t.Errorf("the verdict is %v, want unknown", v)
			}
			if took > 30*time.Second { // seconds at worst, on a machine that does other things too
				t.Errorf("it took %v", took)
			}
			if mib > 1500 {
				t.Errorf("it took %d MiB in all", mib)
			}
		})
	}
}
