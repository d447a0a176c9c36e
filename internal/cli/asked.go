package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/policy"
	"github.com/coaming/coaming/internal/rule"
)

// askedAbout are the values by which the installed webhook is asked about what the plan's rules judge that are no policies.
func (e *enforced) askedAbout(version string) map[string]any {
	list := []any{}
	for _, r := range policy.Asked(plain(e.rules), e.plan, policy.Options{Version: version, Settings: e.settings}) {
		resources := make([]any, 0, len(r.Resources))
		for _, name := range r.Resources {
			resources = append(resources, name)
		}
		list = append(list, map[string]any{"apiGroups": []any{r.Group}, "resources": resources})
	}
	return map[string]any{"webhooks": map[string]any{"rules": list}}
}

// unasked warns of rules that the plan enforces and that nobody is asked about; "" where there are none.
func (e *enforced) unasked(version string) string {
	return unaskedText(plain(e.rules), e.plan, policy.Options{Version: version, Settings: e.settings})
}

// unaskedText is the warning. Of rules that no entry names, since the plan enforces all there are, it tells how many.
func unaskedText(rules []*rule.Rule, plan *enforcement.Plan, o policy.Options) string {
	unasked := policy.Unasked(rules, plan, o)
	if len(unasked) == 0 {
		return ""
	}
	ids := slices.Sorted(maps.Keys(unasked))
	const most = 5
	told := ids[:min(len(ids), most)]
	more := ""
	if len(ids) > most {
		more = fmt.Sprintf(" and %d more", len(ids)-most)
	}
	return fmt.Sprintf("warning: %d rules that the plan enforces are judged in the background alone, not on admission: %s%s; 'coaming gate --list' tells why",
		len(ids), strings.Join(told, ", "), more)
}
