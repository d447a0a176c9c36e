package rule_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/rule"
)

// TestAspects demands that values of which a rule sees the same aspects come out the same, and
// that those aspects are few enough to be worth it.
func TestAspects(t *testing.T) {
	images := []string{
		`image: a.example/b:1`, `image: a.example/b:2`, `image: a.example/c@sha256:1`, `image: docker.io/b`, `image: miner`, `image: xmr/miner`,
		`image: ""`, `image: 5`, `image: [x]`, `image: null`, `name: a`, `image: true`,
	}
	for name, test := range map[string]struct {
		when, assert string
		most         int // ways in which the images look
	}{
		"registry":       {"", `image(container.image).registry != "docker.io"`, 7},
		"several parts":  {"has(container.image)", `image(container.image).tag in ["", "latest"] || image(container.image).digest == ""`, 8},
		"behind a word":  {"", `!(has(container.image) && container.image.contains("xmr") && image(container.image).repository.matches("miner$"))`, 8},
		"either":         {"", `!container.image.contains("miner") || image(container.image).registry == "docker.io"`, 8},
		"a choice":       {"", `container.image.contains("xmr") ? false : container.image.startsWith("a.")`, 8},
		"validity":       {"", `image(container.image).valid`, 7},
		"the whole text": {"", `container.image.size() > 3`, len(images)},
		"optional":       {"", `container.?image.orValue("") == ""`, len(images)},
		"renamed":        {"", `[image(container.image)].exists(i, i.registry == "docker.io")`, len(images)},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := rule.Compile(&rule.Rule{ID: "x", When: test.when, Assert: test.assert, Says: `""`, Match: rule.Match{Fact: "container"}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			aspects := c.Aspects([]string{"container", "image"})
			if len(aspects) == 0 {
				t.Fatal("no aspects")
			}
			outcomes := map[string]string{}
			for _, text := range images {
				docs, errs := document.Read(document.NewText(text), 1)
				if len(errs) > 0 {
					t.Fatal(errs[0])
				}
				scope := &rule.Scope{Container: rule.Of(docs[0].Root())}
				var seen []byte
				for _, a := range aspects {
					seen = a.Append(seen, &rule.Viewed{Value: docs[0].Root()}, scope)
				}
				v, applies, reason := c.Judge(scope)
				outcome := strings.Join([]string{v.String(), reason}, " ")
				if !applies {
					outcome = "does not apply"
				}
				if other, known := outcomes[string(seen)]; known && other != outcome {
					t.Errorf("%s comes out as %q, and another of which is seen the same as %q", text, outcome, other)
				}
				outcomes[string(seen)] = outcome
			}
			if len(outcomes) > test.most {
				t.Errorf("seen in %d ways, want at most %d", len(outcomes), test.most)
			}
		})
	}
}

// TestAspectsOfItems sees the fields of an item, and the key of an entry.
func TestAspectsOfItems(t *testing.T) {
	c, err := rule.Compile(&rule.Rule{
		ID: "x", EachName: "v", EachPath: []string{"env"}, Match: rule.Match{Fact: "container"}, Says: `""`,
		When: "has(v.value)", Assert: `credential(v.key, v.value) == ""`,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	aspects := c.Aspects([]string{"v"})
	if len(aspects) != 2 || slices.ContainsFunc(aspects, func(a *rule.Aspect) bool { return !a.Few() || a.Whole([]string{"v"}) }) {
		t.Fatalf("got %v", aspects)
	}
	see := func(key, value string) string {
		docs, errs := document.Read(document.NewText(value), 1)
		if len(errs) > 0 {
			t.Fatal(errs[0])
		}
		var b []byte
		for _, a := range aspects {
			b = a.Append(b, &rule.Viewed{Value: docs[0].Root(), Entry: true, Key: key}, &rule.Scope{})
		}
		return string(b)
	}
	if see("A", "plain") != see("B", "text") {
		t.Error("plain texts are seen differently")
	}
	if see("PASSWORD", "hunter22") == see("B", "text") || see("A", "5") == see("A", "text") {
		t.Error("different ones are seen as the same")
	}
}
