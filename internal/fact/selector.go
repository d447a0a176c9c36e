package fact

import "github.com/coaming/coaming/internal/document"

// Selects says whether a LabelSelector selects the labels. An empty selector selects everything,
// an absent or a malformed one nothing (k8s.io/apimachinery meta/v1 LabelSelectorAsSelector).
func Selects(selector, labels document.Value) bool {
	if selector.Kind() != document.Map || !HasLabels(labels, selector.Get("matchLabels")) {
		return false
	}
	expressions := selector.Get("matchExpressions")
	if k := expressions.Kind(); k > document.Null && k != document.List {
		return false
	}
	for _, e := range expressions.Items() {
		if !meets(e, labels) {
			return false
		}
	}
	return true
}

// HasLabels says whether all wanted labels are there with their values. A value that is no text is
// malformed, and equal to none.
func HasLabels(labels, wanted document.Value) bool {
	if k := wanted.Kind(); k > document.Null && k != document.Map {
		return false
	}
	for key, value := range wanted.Fields() {
		if !hasValue(labels.Get(key), value) {
			return false
		}
	}
	return true
}

// hasValue compares a label's value; null is the empty text, as the API server reads it.
func hasValue(label, want document.Value) bool {
	return isLabel(label) && isLabel(want) && label.Str() == want.Str()
}

func isLabel(v document.Value) bool { return v.Kind() == document.String || v.Kind() == document.Null }

func meets(expression, labels document.Value) bool {
	key := expression.Get("key").Str()
	if key == "" {
		return false
	}
	label, values := labels.Get(key), expression.Get("values")
	within := false
	for _, v := range values.Items() {
		within = within || hasValue(label, v)
	}
	switch expression.Get("operator").Str() {
	case "In":
		return within
	case "NotIn":
		return !within && values.Len() > 0
	case "Exists":
		return label.Exists() && values.Len() == 0
	case "DoesNotExist":
		return !label.Exists() && values.Len() == 0
	default:
		return false
	}
}

// MaySelect is Selects for labels that may hold more than is known: of a key that open names, a
// value may be there or not. It says whether the selector selects, and whether that is certain.
func MaySelect(selector, labels document.Value, open func(key string) bool) (selects, certain bool) {
	if selector.Kind() != document.Map {
		return false, true
	}
	asked := false
	for key, value := range selector.Get("matchLabels").Fields() {
		if open(key) && !labels.Get(key).Exists() && isLabel(value) {
			asked = true
		} else if !hasValue(labels.Get(key), value) {
			return false, true
		}
	}
	for _, e := range selector.Get("matchExpressions").Items() {
		key := e.Get("key").Str()
		if open(key) && !labels.Get(key).Exists() {
			asked = true
		} else if !meets(e, labels) {
			return false, true
		}
	}
	if !asked {
		return Selects(selector, labels), true
	}
	return true, false
}
