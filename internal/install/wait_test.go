package install

import (
	"context"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
)

// TestInterruptedWaiting: who stops an installation is not told that the gate had all its time.
func TestInterruptedWaiting(t *testing.T) {
	c := Offline("1.36")
	c.dynamic = fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		{Group: "apps", Version: "v1", Resource: "deployments"}: "DeploymentList", {Version: "v1", Resource: "pods"}: "PodList",
	})
	for _, step := range []struct {
		most, stop time.Duration
		want       string
	}{{time.Hour, 50 * time.Millisecond, "interrupted after 0s"}, {50 * time.Millisecond, time.Hour, "the gate does not answer after 50ms"}} {
		ctx, stop := context.WithTimeout(t.Context(), step.stop)
		err := c.await(ctx, step.most)
		stop()
		if err == nil || !strings.Contains(err.Error(), step.want) {
			t.Errorf("%v, want %q", err, step.want)
		}
	}
}
