package install

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/coaming/coaming/internal/verdict"
)

// await waits until all replicas of the gate run what was applied and answer.
func (c *Cluster) await(ctx context.Context, most time.Duration) error {
	begun, caller := time.Now(), ctx
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	said := "it was not seen yet"
	for {
		deployment, err := c.get(ctx, c.kindNamed("Deployment"), Namespace, gateName)
		if ctx.Err() == nil && err != nil {
			return err
		}
		if deployment != nil {
			var up bool
			if up, said = rolledOut(deployment); up {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			if caller.Err() != nil {
				return &verdict.RemedyError{
					Err:    fmt.Errorf("interrupted after %s: %s; the gate's webhooks were not set", time.Since(begun).Round(time.Second), said),
					Remedy: "Run 'coaming install' again: it goes on from there. What is enforced natively holds already.",
				}
			}
			return &verdict.RemedyError{
				Err:    fmt.Errorf("the gate does not answer after %s: %s%s; its webhooks were not set", most, said, c.troubles(context.WithoutCancel(ctx))),
				Remedy: "Mend what is named and run 'coaming install' again; 'coaming status' tells more. What is enforced natively holds already.",
			}
		case <-tick.C:
		}
	}
}

// rolledOut says whether every replica is of the newest template and answers, and else how far it is.
func rolledOut(deployment *Object) (bool, string) {
	number := func(path ...string) int64 {
		n, _, _ := unstructured.NestedInt64(deployment.Object, path...)
		return n
	}
	want, updated, available, all := number("spec", "replicas"), number("status", "updatedReplicas"), number("status", "availableReplicas"), number("status", "replicas")
	if number("status", "observedGeneration") < number("metadata", "generation") {
		return false, "the controller of Deployments has not seen it"
	}
	return updated == want && available == want && all == want, fmt.Sprintf("%d of %d replicas answer, %d are of the newest version", available, want, updated)
}

// troubles are why pods of the gate do not run, each once.
func (c *Cluster) troubles(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	pods, err := c.list(ctx, &kind{name: "Pod", version: "v1", resource: "pods"}, Namespace, "app.kubernetes.io/name="+gateName)
	if err != nil {
		return ""
	}
	var told []string
	add := func(text string) {
		const longest = 300
		if text = strings.Join(strings.Fields(text), " "); len(text) > longest {
			text = text[:longest] + "…"
		}
		if text != "" && !slices.Contains(told, text) {
			told = append(told, text)
		}
	}
	for _, pod := range pods {
		conditions, _, _ := unstructured.NestedSlice(pod.Object, "status", "conditions")
		for _, item := range conditions {
			if fields, ok := item.(map[string]any); ok && fields["type"] == "PodScheduled" && fields["status"] == "False" {
				add(fmt.Sprint(fields["reason"], ": ", fields["message"]))
			}
		}
		containers, _, _ := unstructured.NestedSlice(pod.Object, "status", "containerStatuses")
		for _, item := range containers {
			fields, _ := item.(map[string]any)
			for _, path := range [][]string{{"state", "waiting"}, {"state", "terminated"}, {"lastState", "terminated"}} {
				state, found, _ := unstructured.NestedMap(fields, path...)
				if found {
					message, _ := state["message"].(string)
					add(strings.TrimSuffix(fmt.Sprint(state["reason"], ": ", message), ": "))
				}
			}
		}
	}
	if len(told) == 0 {
		return ""
	}
	return " (" + strings.Join(told, "; ") + ")"
}
