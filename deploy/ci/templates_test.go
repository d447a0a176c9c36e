// Package ci holds no code: its test reads the templates for pipelines beside it. That they work is shown by
// test/e2e, which runs their steps.
package ci

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func text(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestActionsArePinned: an action of others is named by the commit that was looked at, and says which release
// that is.
func TestActionsArePinned(t *testing.T) {
	pinned := regexp.MustCompile(`uses: \S+@[0-9a-f]{40} # \S`)
	for _, file := range []string{"github/action.yml", "github/workflow.yml"} {
		for line := range strings.Lines(text(t, file)) {
			if strings.Contains(line, "uses: ") && !pinned.MatchString(line) {
				t.Errorf("%s: not pinned: %s", file, strings.TrimSpace(line))
			}
		}
	}
}

// TestNoReleaseIsInvented: until there is a release, what stands for its commit is zeros, which nobody takes for one.
func TestNoReleaseIsInvented(t *testing.T) {
	ours := regexp.MustCompile(`(?:uses: coaming/coaming/\S*@|version: "?)([0-9a-f]{7,40})\b`)
	for _, file := range []string{"github/action.yml", "github/workflow.yml", "gitlab/coaming.yml"} {
		for _, match := range ours.FindAllStringSubmatch(text(t, file), -1) {
			if strings.Trim(match[1], "0") != "" {
				t.Errorf("%s: %s is given as a commit of ours", file, match[1])
			}
		}
	}
	digest := regexp.MustCompile(`@sha256:(\w+)`)
	for _, file := range []string{"gitlab/coaming.yml", "image/Containerfile"} {
		for _, match := range digest.FindAllStringSubmatch(text(t, file), -1) {
			if match[1] != "DIGEST" {
				t.Errorf("%s: %s is given as a digest", file, match[1])
			}
		}
	}
}

// TestInputsStayOutOfScripts: what an expression gives would be run where it stands in a script.
func TestInputsStayOutOfScripts(t *testing.T) {
	var action struct {
		Runs struct {
			Steps []struct {
				Name, Run, Uses, Shell string
				Env                    map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(text(t, "github/action.yml")), &action); err != nil {
		t.Fatal(err)
	}
	used := regexp.MustCompile(`\$\{?(COAMING_\w+)`)
	for _, step := range action.Runs.Steps {
		if strings.Contains(step.Run, "${{") {
			t.Errorf("step %s has an expression in its script", step.Name)
		}
		if step.Run != "" && step.Shell != "bash" {
			t.Errorf("step %s names no shell", step.Name)
		}
		for _, match := range used.FindAllStringSubmatch(step.Run, -1) {
			if _, known := step.Env[match[1]]; !known {
				t.Errorf("step %s reads %s, which is not in its environment", step.Name, match[1])
			}
		}
	}
}

// TestWorkflowAsksForLittle: the example grants nothing but what the action needs.
func TestWorkflowAsksForLittle(t *testing.T) {
	var workflow struct {
		Permissions map[string]string
		Jobs        map[string]struct {
			Permissions map[string]string
		}
	}
	if err := yaml.Unmarshal([]byte(text(t, "github/workflow.yml")), &workflow); err != nil {
		t.Fatal(err)
	}
	if workflow.Permissions == nil || len(workflow.Permissions) > 0 {
		t.Errorf("the workflow grants %v to every job", workflow.Permissions)
	}
	for name, job := range workflow.Jobs {
		for scope, level := range job.Permissions {
			if scope+":"+level != "contents:read" && scope+":"+level != "security-events:write" {
				t.Errorf("job %s is granted %s: %s", name, scope, level)
			}
		}
	}
}

// instruction is one of a Containerfile, its continued lines joined.
type instruction struct{ name, rest string }

func containerfile(t *testing.T) []instruction {
	t.Helper()
	var list []instruction
	joined := strings.ReplaceAll(text(t, "image/Containerfile"), "\\\n", " ")
	for line := range strings.Lines(joined) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		list = append(list, instruction{name, strings.TrimSpace(rest)})
	}
	return list
}

// TestContainerfile holds the recipe to what an image of ours must be. Here it is only read; test/e2e builds it
// where there is an engine.
func TestContainerfile(t *testing.T) {
	known := map[string]bool{"ARG": true, "FROM": true, "WORKDIR": true, "COPY": true, "RUN": true, "LABEL": true, "USER": true, "ENTRYPOINT": true, "CMD": true}
	last := map[string]string{}
	var from []string
	for _, i := range containerfile(t) {
		if !known[i.name] {
			t.Errorf("instruction %s", i.name)
		}
		if i.name == "FROM" {
			from = append(from, i.rest)
			last = map[string]string{}
		}
		last[i.name] = i.rest
		if i.name == "COPY" && !strings.HasPrefix(i.rest, "--from=") {
			for _, source := range strings.Fields(i.rest)[:len(strings.Fields(i.rest))-1] {
				if _, err := os.Stat(filepath.Join("../..", source)); err != nil {
					t.Errorf("COPY %s: %v", source, err)
				}
			}
		}
	}
	if len(from) != 2 || from[0] != "--platform=$BUILDPLATFORM ${GO_IMAGE} AS build" || from[1] != "scratch" {
		t.Errorf("the stages are %q", from)
	}
	if !regexp.MustCompile(`^[1-9][0-9]+:[1-9][0-9]+$`).MatchString(last["USER"]) {
		t.Errorf("the user is %q, want numbers that are not 0: a cluster cannot tell otherwise that it is not root", last["USER"])
	}
	if last["RUN"] != "" {
		t.Errorf("scratch has nothing to run %q with", last["RUN"])
	}
	if last["ENTRYPOINT"] != `["/coaming"]` {
		t.Errorf("the entry point is %s, want no shell", last["ENTRYPOINT"])
	}
	if all := text(t, "image/Containerfile"); !strings.Contains(all, "ARG GO_IMAGE\n") || !strings.Contains(all, "GOOS=$TARGETOS GOARCH=$TARGETARCH") {
		t.Error("the toolchain has a default, or the image is of one architecture")
	}
}
