package fix

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/coaming/coaming/internal/verdict"
)

// Written is edits that were made on a copy, which nobody has judged: whoever made them for another
// reason than a rule proves them.
type Written struct {
	Copy Copy
	// Result holds the files, objects and patches; it has no outcomes.
	Result Result
	// Failed is why an edit could not be made, by the index of its route. Nothing of such a document is changed.
	Failed map[int]string
}

// Write makes edits, one route each, on a copy.
func Write(routes []Route) (*Written, error) {
	items := make([]*item, 0, len(routes))
	number := map[*item]int{}
	for i, r := range routes {
		c := &Case{Routes: []Route{r}, Finding: verdict.Finding{Fingerprint: strconv.Itoa(i)}}
		it := &item{Case: c, choice: -1}
		items, number[it] = append(items, it), i
	}
	w := &Written{Failed: map[int]string{}}
	s := newSheets()
	var failed map[*item]string
	w.Copy, failed = s.compose(items)
	for it, reason := range failed {
		w.Failed[number[it]] = reason
	}
	items = slices.DeleteFunc(items, func(it *item) bool { return failed[it] != "" })
	var err error
	if w.Result.Files, w.Result.Objects, w.Result.Added, err = s.finished(items); err != nil {
		return nil, err
	}
	w.Result.Patches = w.Copy.Patches
	slices.SortFunc(w.Result.Files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	return w, nil
}
