package fact_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// upstream is what Kubernetes' own code answers: what it cannot decode or refuses selects nothing.
func upstream(selector, set string) bool {
	var s *metav1.LabelSelector
	var l map[string]string
	if json.Unmarshal([]byte(selector), &s) != nil || json.Unmarshal([]byte(set), &l) != nil {
		return false
	}
	compiled, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && compiled.Matches(labels.Set(l))
}

func value(t *testing.T, text string) document.Value {
	t.Helper()
	docs, errs := document.Read(document.NewText(text), 1)
	if len(errs) > 0 {
		t.Fatal(errs[0])
	}
	if len(docs) == 0 {
		return document.Value{}
	}
	return docs[0].Root()
}

func TestSelects(t *testing.T) {
	tests := map[string]struct {
		selector, labels string
		want             bool
	}{
		"empty selects all":          {`{}`, `{"a": "1"}`, true},
		"empty selects no labels":    {`{}`, `{}`, true},
		"null selects nothing":       {`null`, `{"a": "1"}`, false},
		"a label":                    {`{"matchLabels": {"a": "1"}}`, `{"a": "1", "b": "2"}`, true},
		"another value":              {`{"matchLabels": {"a": "1"}}`, `{"a": "2"}`, false},
		"one of two labels":          {`{"matchLabels": {"a": "1", "b": "2"}}`, `{"a": "1"}`, false},
		"null is the empty text":     {`{"matchLabels": {"a": null}}`, `{"a": ""}`, true},
		"null labels":                {`{"matchLabels": {"a": "1"}}`, `null`, false},
		"In":                         {`{"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}`, `{"a": "2"}`, true},
		"In without the label":       {`{"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", ""]}]}`, `{}`, false},
		"In nothing is refused":      {`{"matchExpressions": [{"key": "a", "operator": "In", "values": []}]}`, `{"a": "1"}`, false},
		"NotIn without the label":    {`{"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}`, `{}`, true},
		"NotIn nothing is refused":   {`{"matchExpressions": [{"key": "a", "operator": "NotIn"}]}`, `{}`, false},
		"Exists":                     {`{"matchExpressions": [{"key": "a", "operator": "Exists"}]}`, `{"a": ""}`, true},
		"Exists with values":         {`{"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["1"]}]}`, `{"a": "1"}`, false},
		"DoesNotExist":               {`{"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}`, `{"b": ""}`, true},
		"DoesNotExist, but does":     {`{"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}`, `{"a": ""}`, false},
		"an unknown operator":        {`{"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}`, `{"a": "2"}`, false},
		"no key":                     {`{"matchExpressions": [{"operator": "DoesNotExist"}]}`, `{}`, false},
		"labels and expressions":     {`{"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}`, `{"a": "1"}`, false},
		"matchLabels is a list":      {`{"matchLabels": []}`, `{}`, false},
		"matchExpressions is a map":  {`{"matchExpressions": {}}`, `{}`, false},
		"a value that is no text":    {`{"matchLabels": {"a": true}}`, `{"a": false}`, false},
		"a label that is no text":    {`{"matchLabels": {"a": "1"}}`, `{"a": 1}`, false},
		"the selector is a list":     {`[]`, `{}`, false},
		"an expression that is text": {`{"matchExpressions": ["a"]}`, `{}`, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := fact.Selects(value(t, test.selector), value(t, test.labels)); got != test.want {
				t.Errorf("got %v", got)
			}
			if got := upstream(test.selector, test.labels); got != test.want {
				t.Errorf("Kubernetes itself says %v", got)
			}
		})
	}
	if fact.Selects(document.Value{}, value(t, `{}`)) {
		t.Error("an absent selector selects")
	}
}

// TestSelectsAsKubernetes compares with Kubernetes' own code on selectors and labels made at random
// from few words, so that many match.
func TestSelectsAsKubernetes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func() string { return []string{"a", "b", "c", ""}[random.IntN(4)] }
	set := func() map[string]any {
		m := map[string]any{}
		for range random.IntN(4) {
			m[[]string{"a", "b", "c"}[random.IntN(3)]] = word()
			if random.IntN(20) == 0 {
				m["a"] = nil
			}
		}
		return m
	}
	matched := 0
	for range 20_000 {
		selector := map[string]any{}
		if random.IntN(2) == 0 {
			selector["matchLabels"] = set()
		}
		var expressions []any
		for range random.IntN(3) {
			e := map[string]any{"key": word(), "operator": []string{"In", "NotIn", "Exists", "DoesNotExist", "in"}[random.IntN(5)]}
			var values []string
			for range random.IntN(3) {
				values = append(values, word())
			}
			if len(values) > 0 || random.IntN(2) == 0 {
				e["values"] = values
			}
			expressions = append(expressions, e)
		}
		if len(expressions) > 0 {
			selector["matchExpressions"] = expressions
		}
		s, _ := json.Marshal(selector)
		l, _ := json.Marshal(set())
		want := upstream(string(s), string(l))
		if got := fact.Selects(value(t, string(s)), value(t, string(l))); got != want {
			t.Fatalf("%s on %s: %v, Kubernetes says %v", s, l, got, want)
		}
		if want {
			matched++
		}
	}
	if matched < 2000 {
		t.Errorf("only %d matched: the test compares nothing", matched)
	}
}
