package judge_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

// TestClaims holds which persistent volumes stand behind a workload's claims.
func TestClaims(t *testing.T) {
	volume := func(name, rest string) string {
		return in("PersistentVolume", "", name, ", spec: {capacity: {storage: 10Gi}, accessModes: [ReadWriteOnce, ReadOnlyMany], "+rest+"}")
	}
	claim := func(rest string) string {
		return in("PersistentVolumeClaim", "shop", "data", ", spec: {"+rest+"}")
	}
	const pod = "---\n{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}, spec: {volumes: [{name: d, persistentVolumeClaim: {claimName: data}}], containers: [{name: a}]}}\n"
	const set = "---\n{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db, namespace: shop}, spec: {volumeClaimTemplates: [{metadata: {name: data}, spec: {storageClassName: slow}}], template: {spec: {containers: [{name: a}]}}}}\n"
	const scratch = "---\n{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}, spec: {volumes: [{name: d, ephemeral: {volumeClaimTemplate: {spec: {storageClassName: slow}}}}], containers: [{name: a}]}}\n"
	free := volume("a", "storageClassName: slow") + volume("b", "storageClassName: slow")
	tests := map[string]struct{ text, want string }{
		"bound by name":           {free + claim("volumeName: b, storageClassName: slow") + pod, "b"},
		"bound to what is gone":   {free + claim("volumeName: x, storageClassName: slow") + pod, ""},
		"kept for the claim":      {volume("c", "claimRef: {namespace: shop, name: data}") + free + claim("storageClassName: slow") + pod, "c"},
		"kept, no claim in sight": {volume("c", "claimRef: {namespace: shop, name: data}") + pod, "c"},
		"kept for another":        {volume("c", "storageClassName: slow, claimRef: {namespace: park, name: data}") + claim("storageClassName: slow") + pod, ""},
		"by class":                {free + volume("c", "storageClassName: fast") + claim("storageClassName: slow") + pod, "a,b"},
		"of no class":             {volume("a", "hostPath: {path: /a}") + claim("storageClassName: ''") + pod, "a"},
		"of the default class":    {volume("a", "hostPath: {path: /a}") + claim("volumeMode: Filesystem") + pod, ""},
		"too small":               {free + claim("storageClassName: slow, resources: {requests: {storage: 11Gi}}") + pod, ""},
		"large enough":            {free + claim("storageClassName: slow, accessModes: [ReadOnlyMany], resources: {requests: {storage: 10Gi}}") + pod, "a,b"},
		"an unreadable size":      {free + claim("storageClassName: slow, resources: {requests: {storage: big}}") + pod, "a,b"},
		"another mode":            {free + claim("storageClassName: slow, accessModes: [ReadWriteMany]") + pod, ""},
		"by labels":               {free + claim("storageClassName: slow, selector: {matchLabels: {disk: a}}") + pod, ""},
		"a stateful set's":        {free + set, "a,b"},
		"an ephemeral volume's":   {free + scratch, "a,b"},
		"no claim at all":         {free + aPod, ""},
		"another namespace's":     {free + in("PersistentVolumeClaim", "park", "data", ", spec: {volumeName: a}") + pod, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := said(t, false, "match: workload", "workload.persistentVolumes.map(x, x.metadata.name).join(',')", test.text); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	t.Run("gaps", func(t *testing.T) {
		asks := newRule(t, "asks", "match: workload", "assert: workload.persistentVolumes.size() >= 0")
		for text, want := range map[string]string{
			pod: "[asks unknown : it needs", free + claim("volumeName: a") + pod: "[]", aPod: "[]", set: "[]",
		} {
			in := input(t, text, asks)
			in.Coverage.Gaps = []verdict.Gap{{Code: verdict.GapForbidden, Kinds: []string{"PersistentVolumeClaim"}}}
			if got := fmt.Sprint(outcomes(judge.Judge(in))); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s, want %s", text, got, want)
			}
			in.Coverage.Gaps = []verdict.Gap{{Code: verdict.GapForbidden, Kinds: []string{"PersistentVolume"}}}
			if got := fmt.Sprint(outcomes(judge.Judge(in))); (got == "[]") != (text == aPod) {
				t.Errorf("%s: volumes may be missing: %s", text, got)
			}
		}
	})
}

// TestVersionFacts holds what depends on the target version: its number, and the system that pods are sure to run on.
func TestVersionFacts(t *testing.T) {
	const windows = "---\n{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {os: {name: windows}, containers: [{name: a}]}}\n"
	asks := newRule(t, "asks", "match: workload", "assert: cluster.minor < 0", `says: 'string(cluster.minor) + workload.os'`)
	for version, want := range map[string]string{
		"1.36": "36windows", "1.25": "25windows", "1.24": "24linux", "1.8": "8linux", "1.36+": "36windows", "2.1": "10001windows", "latest": "",
	} {
		in := judge.Input{Inventory: fact.NewInventory(specimen.Objects(t, specimen.File("a.yaml"), windows), version, false), Rules: []*rule.Compiled{asks}, Now: now}
		f := judge.Judge(in).Findings[0]
		if want == "" {
			if f.Verdict != verdict.Unknown || !strings.Contains(f.Reason, `"latest" is none like 1.36`) {
				t.Errorf("%s: %s: %s", version, f.Verdict, f.Reason)
			}
		} else if f.Message != want {
			t.Errorf("%s: %s, want %s", version, f.Message, want)
		}
	}
}
