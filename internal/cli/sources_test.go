package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/attack"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/reach"
	"github.com/coaming/coaming/internal/source"
	"github.com/coaming/coaming/internal/verdict"
)

// A snapshot holds what its rules read. The commands over the network and over attackers' paths read nothing beside.
func TestSnapshotHoldsWhatCommandsRead(t *testing.T) {
	o := &snapshotOptions{}
	rules, err := o.all(t.Context(), &Env{Getenv: func(string) string { return "" }}, nil, catalog.Brief)
	if err != nil {
		t.Fatal(err)
	}
	taken := judge.Needs(rules)
	for _, kind := range slices.Concat(reach.Kinds(), attack.Kinds()) {
		if kind != "Secret" && !slices.Contains(taken, kind) {
			t.Errorf("a snapshot does not hold %s", kind)
		}
	}
}

// What a snapshot was not taken for is unknown, not absent.
func TestSnapshotOfFewKinds(t *testing.T) {
	tests := map[string]struct {
		asked []string
		code  int
		says  string
	}{
		"all that is read": {reachKinds(), verdict.ExitClean, "open"},
		"no policies":      {[]string{"Namespace", "Node", "Pod", "Service"}, verdict.ExitUnknown, "unknown"},
		"it does not say":  {nil, verdict.ExitClean, "open"}, // of an earlier version
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "cluster.coaming")
			pod, err := source.Files(t.Context(), source.FileOptions{Paths: []string{"-"}, Stdin: strings.NewReader("{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a, image: a}]}}"), MaxFile: 1 << 20, MaxTotal: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			pod.Asked, pod.Version = test.asked, "1.36"
			var b bytes.Buffer
			if err := source.WriteArchive(&b, pod, source.ArchiveMeta{}); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			code := Run(t.Context(), Env{
				Args: []string{"reach", "-f", path, "default/a", "internet"}, Name: "coaming", Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
				Getenv: func(string) string { return "" }, Now: time.Now,
			})
			if code != test.code || !strings.HasPrefix(stdout.String(), test.says) {
				t.Errorf("exit code %d\n%s%s", code, &stdout, &stderr)
			}
		})
	}
}
