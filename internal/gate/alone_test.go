package gate

import (
	"context"
	"strings"
	"testing"
)

// TestWebhookAlone demands that rules which fail closed are judged by the webhook that fails open where no other is set: a plan that became
// stricter, and was not installed yet, enforces no less.
func TestWebhookAlone(t *testing.T) {
	const failing = "  mode: off\n  onError: fail\n  rules: [{rules: [privileged-container], mode: enforce}]\n"
	for _, alone := range []bool{false, true} {
		s := serve(t, func(o *Options) {
			o.Load = func(context.Context) (*Ruling, error) {
				r := ruling(t, failing, nil)
				r.Alone = alone
				return r, nil
			}
		})
		code, answer := s.post(t, "/validate/ignore", strings.NewReader(reviewOf(privileged)))
		if refused := strings.Contains(answer, `"allowed":false`); code != 200 || refused != alone {
			t.Errorf("alone %t: %d %s", alone, code, answer)
		}
	}
}
