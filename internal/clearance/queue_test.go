package clearance

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
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

// TestGreedy lets nobody keep others out by requests that wait: who has more than half of a full queue gives up even those.
func TestGreedy(t *testing.T) {
	q, add := line(t, 4)
	var waiting []*job
	for i := range 4 {
		j, err := add(fmt.Sprintf("many%d", i), "many", waited)
		if err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, j)
	}
	if _, err := add("many9", "many", waited); err == nil {
		t.Error("who filled the queue finds room for one more")
	}
	for i := range 2 {
		if _, err := add(fmt.Sprintf("few%d", i), "few", requested); err != nil {
			t.Errorf("who has less than half of the queue finds no room: %v", err)
		}
	}
	if _, err := add("few2", "few", requested); err == nil {
		t.Error("of half of the queue is given up what a request waits for")
	}
	gone := 0
	for _, j := range waiting {
		select {
		case <-j.done:
			gone++
		default:
		}
		q.leave(j)
	}
	if gone != 2 {
		t.Errorf("%d requests were told that they wait in vain, want 2", gone)
	}
}

// TestFiguresAreFigures reads what is written of a clearance as Prometheus does.
func TestFiguresAreFigures(t *testing.T) {
	b := newBed(t)
	c := b.clearance()
	c.ask(b.host + "/team/unseen:1")
	var text bytes.Buffer
	if err := c.WriteMetrics(&text); err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.New(bytes.NewReader(text.Bytes())).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v\n%s", err, problems, text.Bytes())
	}
	for _, line := range []string{"coaming_images_queue_images 1\n", `coaming_images_answers_total{state="queued"} 1` + "\n"} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("nothing says %s among\n%s", line, text.String())
		}
	}
}
