package fix

import (
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/coaming/coaming/internal/document"
)

// valid refuses changes after which the API server would refuse the object for what stands beside
// (k8s.io/kubernetes pkg/apis/core/validation, ValidateSecurityContext and validateMountPropagation).
func valid(draft *document.Draft, steps []document.Step) error {
	n := len(steps)
	if n < 2 || steps[n-2].Key != "securityContext" {
		return nil
	}
	container, fault := document.ParseJSON(draft.JSON(steps[:n-2]))
	if fault != nil {
		return nil
	}
	c := container.Root()
	privileged := c.At("securityContext", "privileged").Bool()
	escalation := c.At("securityContext", "allowPrivilegeEscalation")
	for _, m := range c.Get("volumeMounts").Items() {
		if m.Get("mountPropagation").Str() == "Bidirectional" && !privileged {
			return errors.New("the API server refuses Bidirectional mount propagation in a container that is not privileged")
		}
	}
	if !escalation.Exists() || escalation.Bool() {
		return nil
	}
	if privileged {
		return errors.New("the API server refuses allowPrivilegeEscalation false in a privileged container")
	}
	for _, added := range c.At("securityContext", "capabilities", "add").Items() {
		if added.Str() == "CAP_SYS_ADMIN" {
			return errors.New("the API server refuses allowPrivilegeEscalation false beside CAP_SYS_ADMIN")
		}
	}
	return nil
}

// fits refuses a limit below its request, and a request over its limit, which the API server refuses
// (k8s.io/kubernetes pkg/apis/core/validation, ValidateResourceRequirements).
func fits(draft *document.Draft, steps []document.Step, v document.Value) error {
	n := len(steps)
	if n < 3 || steps[n-3].Key != "resources" || v.Text() == "" {
		return nil
	}
	bound := map[string]string{"limits": "requests", "requests": "limits"}[steps[n-2].Key]
	if bound == "" {
		return nil
	}
	other := slices.Clone(steps)
	other[n-2].Key = bound
	text, fault := document.ParseJSON(draft.JSON(other))
	if fault != nil {
		return nil //nolint:nilerr // there is no text to compare
	}
	ours, err := resource.ParseQuantity(v.Text())
	if err != nil {
		return fmt.Errorf("%q is no quantity", v.Text())
	}
	theirs, err := resource.ParseQuantity(text.Root().Text())
	if err != nil {
		return nil //nolint:nilerr // what stands there is another finding's matter
	}
	if order := ours.Cmp(theirs); steps[n-2].Key == "limits" && order < 0 || steps[n-2].Key == "requests" && order > 0 {
		return fmt.Errorf("the API server refuses a limit below the request: %s is %s", bound, text.Root().Text())
	}
	return nil
}
