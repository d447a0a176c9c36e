package clearance

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/coaming/coaming/internal/admission"
)

// counts are what a clearance has done since it began.
type counts struct {
	answers      [3]atomic.Uint64 // by admission.State
	waitedInVain atomic.Uint64
	resolved     atomic.Uint64
	images       atomic.Uint64
	took         atomic.Int64 // nanoseconds of all reads
	failed       atomic.Uint64
	rejudged     atomic.Uint64
	unopened     atomic.Uint64
}

func (c *counts) read(took time.Duration) {
	c.images.Add(1)
	c.took.Add(int64(took))
}

// Stats is how a clearance stands.
type Stats struct {
	Pending, Looking     int           // images that wait, and that are looked into
	Oldest               time.Duration // how long the one that waits longest has done so
	Refused              uint64        // images that found no room in the queue
	Images, Tags         int           // in memory
	Bytes                int64         // of verdicts in memory
	Failures             int           // images that are to be tried again
	Read, Resolved       uint64        // images that were read, tags that were asked for
	ReadTime             time.Duration // of all reads
	Failed, Rejudged     uint64
	Unopened             uint64    // how often an index of advisories could not be opened
	Opened               time.Time // when what is judged by was opened
	Known, Queued, Fails uint64    // answers
	WaitedInVain         uint64
}

// Stats tells how it stands.
func (c *Clearance) Stats() Stats {
	n := &c.counts
	s := Stats{
		Read: n.images.Load(), Resolved: n.resolved.Load(), ReadTime: time.Duration(n.took.Load()), Failed: n.failed.Load(), Rejudged: n.rejudged.Load(),
		Unopened: n.unopened.Load(), Known: n.answers[admission.Known].Load(), Queued: n.answers[admission.Queued].Load(), Fails: n.answers[admission.Failed].Load(), WaitedInVain: n.waitedInVain.Load(),
	}
	s.Pending, s.Looking, s.Oldest, s.Refused = c.queue.depth()
	s.Images, s.Tags, s.Bytes = c.memory.held()
	c.look.Lock()
	s.Failures = len(c.failures)
	c.look.Unlock()
	c.bench.mu.RLock()
	s.Opened = c.bench.opened
	c.bench.mu.RUnlock()
	return s
}

// WriteMetrics writes the figures as Prometheus reads them (text format 0.0.4).
func (c *Clearance) WriteMetrics(w io.Writer) error {
	s := c.Stats()
	metrics := []struct {
		name, kind, help string
		value            float64
	}{
		{"queue_images", "gauge", "Images that wait to be looked into.", float64(s.Pending)},
		{"looking_images", "gauge", "Images that are looked into now.", float64(s.Looking)},
		{"queue_oldest_seconds", "gauge", "How long the image that waits longest has done so.", s.Oldest.Seconds()},
		{"queue_refused_total", "counter", "Images that found no room in the queue.", float64(s.Refused)},
		{"known_images", "gauge", "Images whose verdicts are in memory.", float64(s.Images)},
		{"known_bytes", "gauge", "Bytes of verdicts in memory.", float64(s.Bytes)},
		{"known_tags", "gauge", "Tags of which is known what they name.", float64(s.Tags)},
		{"read_total", "counter", "Images that were read.", float64(s.Read)},
		{"read_seconds_total", "counter", "How long reading them took together.", s.ReadTime.Seconds()},
		{"resolved_total", "counter", "Tags that registries were asked for.", float64(s.Resolved)},
		{"failed_total", "counter", "Images that could not be looked into.", float64(s.Failed)},
		{"failing_images", "gauge", "Images that are to be tried again.", float64(s.Failures)},
		{"judged_again_total", "counter", "Images that were judged again from what is kept of them.", float64(s.Rejudged)},
		{"index_unopened_total", "counter", "How often a new index of advisories could not be opened.", float64(s.Unopened)},
		{"waited_in_vain_total", "counter", "Images that a request waited for longer than it may.", float64(s.WaitedInVain)},
	}
	for _, m := range metrics {
		name := "coaming_images_" + m.name
		if _, err := fmt.Fprintf(w, "# HELP %[1]s %[2]s\n# TYPE %[1]s %[3]s\n%[1]s %[4]v\n", name, m.help, m.kind, m.value); err != nil {
			return err
		}
	}
	const name = "coaming_images_answers_total"
	_, err := fmt.Fprintf(w, "# HELP "+name+" Answers about images, by what is known of them.\n# TYPE "+name+" counter\n"+
		name+"{state=\"known\"} %d\n"+name+"{state=\"queued\"} %d\n"+name+"{state=\"failed\"} %d\n", s.Known, s.Queued, s.Fails)
	return err
}
