package install

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The figures of a gate that are told, as it writes them (text format of Prometheus).
const (
	certificateEnd = "coaming_gate_certificate_end_seconds"
	planBroken     = "coaming_gate_plan_broken"
	queueImages    = "coaming_images_queue_images"
	drifting       = "coaming_keeper_drifting"
	unlisted       = "coaming_keeper_unlisted"
	undone         = "coaming_keeper_undone"
)

// hearsay is how long a replica may take to hear of what happened to an object: a watch, and what gathers its changes.
const hearsay = 5 * time.Second

// running asks each running replica for its figures, through the API server: a broken plan, what it may not read, and how many
// images wait. A replica that cannot be asked makes it unknown. whole says that every object was found as it was installed: a replica
// that says otherwise has yet to hear of what was restored a moment ago, and is given time to.
func (c *Cluster) running(ctx context.Context, whole bool) Standing {
	s := Standing{Subject: "figures", State: OK}
	pods, err := c.list(ctx, &kind{name: "Pod", version: "v1", resource: "pods"}, Namespace, "app.kubernetes.io/name="+gateName)
	if err != nil {
		s.State, s.Text = Unknown, err.Error()
		return s
	}
	var sum float64
	asked := 0
	var end float64 // of the certificate that ends first
	for _, pod := range pods {
		if phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase"); phase != "Running" || pod.GetDeletionTimestamp() != nil {
			continue
		}
		figures, err := c.figures(ctx, pod.GetName())
		if whole && figures[drifting] > 0 {
			figures, err = c.laterFigures(ctx, pod.GetName())
		}
		if err != nil {
			s.State = Unknown
			s.Details = append(s.Details, fmt.Sprintf("%s: %v", pod.GetName(), err))
			continue
		}
		asked++
		if at := figures[certificateEnd]; at > 0 && (end == 0 || at < end) {
			end = at
		}
		sum += figures[queueImages]
		for name, says := range map[string]string{
			planBroken: "its newest plan is broken, and a former one holds", unlisted: "it may not read what it keeps",
			undone:   "its plan asks for what only 'coaming install --plan FILE' can do, with the plan as it is now",
			drifting: "what it watches over was edited or deleted",
		} {
			if figures[name] > 0 {
				s.State = Wrong
				s.Details = append(s.Details, pod.GetName()+": "+says)
			}
		}
	}
	slices.Sort(s.Details)
	switch {
	case asked == 0 && s.State == OK:
		s.State, s.Text = Unknown, "no replica runs"
	case asked == 0:
		s.Text = "no replica could be asked"
	default:
		s.Text = fmt.Sprintf("%d replicas asked, %d images wait to be looked into", asked, int(sum))
		if end > 0 {
			s.Text += ", certificates hold until " + time.Unix(int64(end), 0).UTC().Format(time.RFC3339)
		}
	}
	return s
}

// laterFigures are a replica's once it says that nothing was edited, or those of when it has had time enough to hear of it.
func (c *Cluster) laterFigures(ctx context.Context, pod string) (map[string]float64, error) {
	within, cancel := context.WithTimeout(ctx, hearsay)
	defer cancel()
	for {
		select {
		case <-within.Done():
			return c.figures(ctx, pod)
		case <-time.After(300 * time.Millisecond):
			if figures, err := c.figures(ctx, pod); err != nil || figures[drifting] == 0 {
				return figures, err
			}
		}
	}
}

// figures are a replica's, by name, without those that have labels.
func (c *Cluster) figures(ctx context.Context, pod string) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	raw, err := c.discovery.RESTClient().Get().AbsPath("/api/v1/namespaces/" + Namespace + "/pods/" + pod + ":8080/proxy/metrics").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask it for its figures: %w", err)
	}
	figures := map[string]float64{}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		name, value, found := strings.Cut(lines.Text(), " ")
		if number, err := strconv.ParseFloat(value, 64); found && err == nil && strings.HasPrefix(name, "coaming_") {
			figures[name] = number
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read its figures: %w", err)
	}
	return figures, nil
}
