package fact

import "github.com/coaming/coaming/internal/document"

// Selects says whether a LabelSelector selects the labels. An empty selector selects everything,
// an absent or a malformed one nothing (k8s.io/apimachinery meta/v1 LabelSelectorAsSelector).
func Selects(selector, labels document.Value) bool {
	if selector.Kind() != document.Map {
		return false
	}
	if !HasLabels(labels, selector.Get("matchLabels")) {
		return false
	}
	for _, e := range selector.Get("matchExpressions").Items() {
		if !meets(e, labels) {
			return false
		}
	}
	return true
}

// HasLabels says whether all wanted labels are there with their values.
func HasLabels(labels, wanted document.Value) bool {
	for key, value := range wanted.Fields() {
		got := labels.Get(key)
		if !got.Exists() || got.Text() != value.Text() {
			return false
		}
	}
	return true
}

func meets(expression, labels document.Value) bool {
	got := labels.Get(expression.Get("key").Str())
	within := false
	for _, v := range expression.Get("values").Items() {
		within = within || got.Exists() && v.Text() == got.Text()
	}
	switch expression.Get("operator").Str() {
	case "In":
		return within
	case "NotIn":
		return !within
	case "Exists":
		return got.Exists()
	case "DoesNotExist":
		return !got.Exists()
	default:
		return false
	}
}
