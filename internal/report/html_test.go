package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/coaming/coaming/internal/verdict"
)

// TestHTMLIsSound holds of every page: it loads and runs nothing, says so in its policy, every link leads
// somewhere, no id stands there twice, tables have headers and captions, and headings skip no level.
func TestHTMLIsSound(t *testing.T) {
	for name, res := range cases() {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := HTML(&out, res, Meta{Version: "0.1.0"}); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), "ZgotmplZ") || strings.Contains(out.String(), "<script") {
				t.Error("the page holds a script, or something that html/template refused")
			}
			root, err := html.Parse(&out)
			if err != nil {
				t.Fatal(err)
			}
			v := &htmlJudge{ids: map[string]int{}}
			v.walk(t, root)
			for _, link := range v.links {
				if v.ids[strings.TrimPrefix(link, "#")] == 0 {
					t.Errorf("%s leads nowhere", link)
				}
			}
			for id, n := range v.ids {
				if n > 1 {
					t.Errorf("id %s stands there %d times", id, n)
				}
			}
			for _, tag := range []string{"main", "header", "footer", "nav", "h1", "title"} {
				if v.tags[tag] != 1 {
					t.Errorf("%d elements %s, want 1", v.tags[tag], tag)
				}
			}
			sum := sha256.Sum256([]byte(v.style))
			if hash := base64.StdEncoding.EncodeToString(sum[:]); !strings.Contains(v.policy, "'sha256-"+hash+"'") || !strings.HasPrefix(v.policy, "default-src 'none'; style-src 'sha256-") {
				t.Errorf("the policy %q does not allow the page's own style alone", v.policy)
			}
		})
	}
}

// htmlJudge gathers what a page is judged by.
type htmlJudge struct {
	ids           map[string]int
	tags          map[string]int
	links         []string
	policy, style string
	heading       int
}

// known are the elements that a page is made of; none of them loads anything by itself.
var known = strings.Fields("html head meta title style body a header footer p h1 h2 h3 h4 strong b i small span ul li nav main section table caption thead tbody " +
	"tfoot tr th td div details summary code pre mark dl dt dd article br")

func (v *htmlJudge) walk(t *testing.T, n *html.Node) {
	t.Helper()
	if v.tags == nil {
		v.tags = map[string]int{}
	}
	if n.Type == html.ElementNode {
		v.element(t, n)
	}
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		v.walk(t, child)
	}
}

func (v *htmlJudge) element(t *testing.T, n *html.Node) {
	t.Helper()
	v.tags[n.Data]++
	if !slices.Contains(known, n.Data) {
		t.Errorf("element %s", n.Data)
	}
	attributes := map[string]string{}
	for _, a := range n.Attr {
		attributes[a.Key] = a.Val
		switch {
		case a.Key == "id":
			v.ids[a.Val]++
		case a.Key == "href" && n.Data == "a" && strings.HasPrefix(a.Val, "#"):
			v.links = append(v.links, a.Val)
		case strings.HasPrefix(a.Key, "on"), slices.Contains([]string{"src", "href", "style", "srcset", "action", "ping", "data"}, a.Key):
			t.Errorf("%s has %s=%q", n.Data, a.Key, a.Val)
		}
	}
	switch n.Data {
	case "meta":
		if attributes["http-equiv"] == "Content-Security-Policy" {
			v.policy = attributes["content"]
		}
	case "style":
		v.style = n.FirstChild.Data
	case "th":
		if attributes["scope"] == "" {
			t.Error("a th has no scope")
		}
	case "table":
		if first := n.FirstChild; first == nil || first.NextSibling == nil || first.NextSibling.Data != "caption" {
			t.Error("a table has no caption")
		}
	case "h1", "h2", "h3", "h4":
		level := int(n.Data[1] - '0')
		if level > v.heading+1 {
			t.Errorf("a heading %s behind one of level %d", n.Data, v.heading)
		}
		v.heading = level
	case "section":
		if v.tags["section"] > 0 && attributes["aria-labelledby"] == "" {
			t.Error("a section has no name")
		}
	}
}

// TestHTMLStyleIsInert: nothing in the style loads anything either.
func TestHTMLStyleIsInert(t *testing.T) {
	for _, word := range []string{"url(", "@import", "image-set", "http:", "https:", "//", "expression"} {
		if strings.Contains(pageStyle, word) {
			t.Errorf("the style holds %s", word)
		}
	}
	if strings.Contains(pageTemplate, "http://") || strings.Contains(pageTemplate, "https://") {
		t.Error("the page holds an address")
	}
}

// TestHTMLContrast holds every text colour to WCAG's 4.5 : 1 on both papers.
func TestHTMLContrast(t *testing.T) {
	_, rest, _ := strings.Cut(pageStyle, ":root {")
	light, rest, _ := strings.Cut(rest, "}")
	_, rest, _ = strings.Cut(rest, ":root {")
	dark, _, _ := strings.Cut(rest, "}")
	for name, text := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]float64{}
		for part := range strings.SplitSeq(text, ";") {
			key, value, found := strings.Cut(strings.TrimSpace(part), ": #")
			if found {
				colours[strings.TrimPrefix(key, "--")] = luminance(t, value)
			}
		}
		for _, ink := range []string{"ink", "soft", "link", "critical", "high", "medium", "low", "unknown", "exempt", "pass"} {
			for _, paper := range []string{"paper", "raised"} {
				a, b := colours[ink], colours[paper]
				if ratio := (max(a, b) + .05) / (min(a, b) + .05); ratio < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.2f, want 4.5", name, ink, paper, ratio)
				}
			}
		}
		if a, b := colours["ink"], colours["mark"]; (max(a, b)+.05)/(min(a, b)+.05) < 4.5 {
			t.Errorf("%s: ink on mark has too little contrast", name)
		}
	}
}

// TestHTMLIsBounded: a page of very many findings is one that a browser opens, and says how many there are.
func TestHTMLIsBounded(t *testing.T) {
	var out bytes.Buffer
	if err := HTML(&out, many(100_000), Meta{}); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 24<<20 {
		t.Errorf("100,000 findings make %d MiB, want at most 24", out.Len()>>20)
	}
	if !strings.Contains(out.String(), " more: --format csv lists them all") {
		t.Error("the page does not say that there are more")
	}
	hostile := &verdict.Result{Findings: []verdict.Finding{{
		Fingerprint: "0123456789abcdef", Verdict: verdict.Fail, Rule: strings.Repeat("r", 1<<20), Message: strings.Repeat("<m>", 1<<20),
		Subject: verdict.Subject{Kind: "Pod", Name: strings.Repeat("n", 1<<20)},
		Excerpt: &verdict.Excerpt{First: 1, Marked: 1, Lines: slices.Repeat([]string{strings.Repeat("&", 1<<16)}, 500)},
	}}}
	out.Reset()
	if err := HTML(&out, hostile, Meta{}); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 100<<10 {
		t.Errorf("one finding makes %d KiB", out.Len()>>10)
	}
}

// luminance is WCAG's relative luminance of a colour like 1b1f27.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	total := 0.0
	for i, weight := range []float64{.2126, .7152, .0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= .04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+.055)/1.055, 2.4)
		}
		total += weight * c
	}
	return total
}
