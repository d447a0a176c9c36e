package clearance

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// line is a queue with a clock that goes on by a second for each image.
func line(t *testing.T, most int) (*queue, func(image, namespace string, c class) (*job, error)) {
	t.Helper()
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	q := newQueue(most, func() time.Time { return now })
	return q, func(image, namespace string, c class) (*job, error) {
		now = now.Add(time.Second)
		r, err := parse("registry.example.com/" + image)
		if err != nil {
			t.Fatal(err)
		}
		return q.add(r, namespace, c)
	}
}

func order(q *queue) (list []string) {
	for j := q.take(); j != nil; j = q.take() {
		list = append(list, j.repository.RepositoryStr())
	}
	return list
}

// TestOrder takes those first for whom a request waits, then what was asked for most, in turns of namespaces; every fourth is the oldest.
func TestOrder(t *testing.T) {
	q, add := line(t, 100)
	for i := range 4 {
		_, _ = add(fmt.Sprintf("many%d", i), "many", requested)
	}
	_, _ = add("old", "few", refreshed)
	_, _ = add("few", "few", requested)
	_, _ = add("popular", "many", requested)
	_, _ = add("popular", "other", requested)
	waits, _ := add("waited", "many", waited)
	again, _ := add("waited", "few", requested)
	if waits != again || q.pending != 8 {
		t.Errorf("one image is queued twice: %d wait", q.pending)
	}
	if got, want := order(q), []string{"waited", "few", "popular", "many0", "many1", "many2", "many3", "old"}; !slices.Equal(got, want) {
		t.Errorf("taken are %q, want %q", got, want)
	}
	for i := range 8 {
		_, _ = add(fmt.Sprintf("new%d", i), "many", requested)
	}
	_, _ = add("patient", "few", running)
	q.jobs["registry.example.com/patient:latest"].since = time.Time{}
	if got := order(q); !slices.Contains(got[:4], "patient") {
		t.Errorf("what is less urgent starves: %q", got)
	}
}

// TestRoom makes room in a full queue for who has less in it, and for what is more urgent; never of those for whom a request waits.
func TestRoom(t *testing.T) {
	q, add := line(t, 4)
	waits, _ := add("waited", "many", waited)
	for i := range 3 {
		_, _ = add(fmt.Sprintf("many%d", i), "many", requested)
	}
	if _, err := add("many9", "many", requested); err == nil {
		t.Error("who filled the queue finds room for one more")
	}
	if _, err := add("few", "few", requested); err != nil {
		t.Errorf("who has none in the queue finds no room: %v", err)
	}
	if _, err := add("now", "many", waited); err != nil {
		t.Errorf("a request that waits finds no room: %v", err)
	}
	q.leave(waits)
	if got := order(q); len(got) != 4 || !slices.Contains(got, "waited") || !slices.Contains(got, "now") || !slices.Contains(got, "few") {
		t.Errorf("left are %q", got)
	}
	if q.refused != 3 {
		t.Errorf("%d found no room", q.refused)
	}
}
