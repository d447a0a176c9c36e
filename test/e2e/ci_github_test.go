package e2e

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/coaming/coaming/internal/report"
)

const templates = "../../deploy/ci"

// privileged and harmless are manifests that a pipeline scans.
const (
	privileged = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: a, securityContext: {privileged: true}}]}\n"
	harmless   = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, namespace: shop}\nautomountServiceAccountToken: false\n"
)

// action is what of a composite action the runner reads.
type action struct {
	Inputs map[string]struct {
		Default string `json:"default"`
	} `json:"inputs"`
	Outputs map[string]struct {
		Value string `json:"value"`
	} `json:"outputs"`
	Runs struct {
		Using string       `json:"using"`
		Steps []actionStep `json:"steps"`
	} `json:"runs"`
}

type actionStep struct {
	Name, ID, Shell, Run, Uses, If string
	Env, With                      map[string]string
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// runner runs the shell steps of an action as GitHub's does: each in a bash that ends at the first failure,
// with its expressions put into its environment and nothing into its script.
type runner struct {
	action  action
	inputs  map[string]string
	outputs map[string]string // "step.output"
	dir     string            // the checkout
	temp    string
	summary string
	log     strings.Builder
}

var expression = regexp.MustCompile(`\$\{\{\s*([^}]+?)\s*\}\}`)

func (r *runner) evaluate(t *testing.T, text string) string {
	t.Helper()
	return expression.ReplaceAllStringFunc(text, func(whole string) string {
		name := expression.FindStringSubmatch(whole)[1]
		if input, ok := strings.CutPrefix(name, "inputs."); ok {
			if _, known := r.action.Inputs[input]; !known {
				t.Errorf("there is no input %s", input)
			}
			return r.inputs[input]
		}
		parts := strings.Split(name, ".")
		if len(parts) != 4 || parts[0] != "steps" || parts[2] != "outputs" {
			t.Fatalf("the test knows no expression %s", name)
		}
		return r.outputs[parts[1]+"."+parts[3]]
	})
}

// run does all steps and returns the exit code of the first that failed.
func (r *runner) run(t *testing.T) int {
	t.Helper()
	for _, step := range r.action.Runs.Steps {
		if step.Uses != "" {
			continue // GitHub's own upload, which only GitHub can try
		}
		if code := r.step(t, step); code != 0 {
			return code
		}
	}
	return 0
}

func (r *runner) step(t *testing.T, step actionStep) int {
	t.Helper()
	script := filepath.Join(r.temp, "step.sh")
	output := filepath.Join(r.temp, "output")
	for file, text := range map[string]string{script: step.Run, output: ""} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", script)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "GITHUB_OUTPUT="+output, "GITHUB_STEP_SUMMARY="+r.summary, "RUNNER_TEMP="+r.temp,
		"GITHUB_WORKSPACE="+r.dir, "GITHUB_ACTIONS=true", "HOME="+r.temp, "XDG_CACHE_HOME="+r.temp)
	for name, value := range step.Env {
		cmd.Env = append(cmd.Env, name+"="+r.evaluate(t, value))
	}
	out := run(t, cmd)
	r.log.WriteString(out.stdout + out.stderr)
	text, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		r.outputs[step.ID+"."+name] = value
	}
	return out.code
}

func newRunner(t *testing.T, inputs map[string]string) *runner {
	t.Helper()
	r := &runner{inputs: map[string]string{}, outputs: map[string]string{}, dir: t.TempDir(), temp: t.TempDir()}
	r.summary = filepath.Join(r.temp, "summary.md")
	readYAML(t, filepath.Join(templates, "github/action.yml"), &r.action)
	for name, input := range r.action.Inputs {
		r.inputs[name] = input.Default
	}
	binary, err := filepath.Abs(coamingBinary(t))
	if err != nil {
		t.Fatal(err)
	}
	r.inputs["binary"] = binary
	maps.Copy(r.inputs, inputs)
	for name, text := range map[string]string{"bad.yaml": privileged, "good.yaml": harmless, "broken.yaml": "kind: [\n", "a b.yaml": harmless} {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestGitHubAction(t *testing.T) {
	tests := map[string]struct {
		inputs map[string]string
		want   int
		says   string
	}{
		"clean":                     {map[string]string{"paths": "good.yaml\n"}, 0, "exit 0"},
		"a path with a blank":       {map[string]string{"paths": "good.yaml\na b.yaml"}, 0, "exit 0"},
		"findings":                  {map[string]string{"paths": "bad.yaml"}, 1, "::error::findings"},
		"below the threshold":       {map[string]string{"paths": "bad.yaml", "fail-on": "critical", "args": "--skip\nprivileged-container"}, 0, "exit 0"},
		"unknown":                   {map[string]string{"paths": "good.yaml\nbroken.yaml"}, 3, "::error::something could not be judged"},
		"unknown is allowed":        {map[string]string{"paths": "good.yaml\nbroken.yaml", "allow-unknown": "true"}, 0, "exit 0"},
		"a framework":               {map[string]string{"paths": "bad.yaml", "framework": "pss"}, 1, "Framework pss"},
		"wrong usage":               {map[string]string{"paths": "bad.yaml", "fail-on": "grave"}, 2, "grave"},
		"a path that is an option":  {map[string]string{"paths": "--version"}, 2, "--version"},
		"a path that is a command":  {map[string]string{"paths": "$(touch owned)"}, 2, "touch owned"},
		"an input that is a script": {map[string]string{"paths": "good.yaml", "fail-on": "low\"; touch owned; \""}, 2, "touch owned"},
		"neither binary nor version": {
			map[string]string{"binary": ""}, 2, "name a version",
		},
		"a binary that is none": {map[string]string{"binary": "/no/such/file"}, 2, "cannot be run"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRunner(t, test.inputs)
			if code := r.run(t); code != test.want || !strings.Contains(r.log.String(), test.says) {
				t.Errorf("exit code %d, want %d and %q in the log:\n%s", code, test.want, test.says, r.log.String())
			}
			if _, err := os.Stat(filepath.Join(r.dir, "owned")); err == nil {
				t.Error("an input was run")
			}
			if test.want == 2 {
				return
			}
			r.checkReports(t)
		})
	}
}

// checkReports looks whether what the action promises is there.
func (r *runner) checkReports(t *testing.T) {
	t.Helper()
	for name, out := range r.action.Outputs {
		value := r.evaluate(t, out.Value)
		if name == "exit-code" {
			continue
		}
		if info, err := os.Stat(value); err != nil || info.Size() == 0 {
			t.Errorf("output %s is %q: %v", name, value, err)
		}
	}
	summary, err := os.ReadFile(r.summary)
	if err != nil || !strings.HasPrefix(string(summary), "## Coaming") {
		t.Errorf("the job's summary is %q: %v", summary, err)
	}
	file, err := os.Open(r.evaluate(t, r.action.Outputs["json"].Value))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := report.ReadJSON(file); err != nil {
		t.Error(err)
	}
	upload := slices.IndexFunc(r.action.Runs.Steps, func(s actionStep) bool { return s.Uses != "" })
	if with := r.evaluate(t, r.action.Runs.Steps[upload].With["sarif_file"]); with != r.evaluate(t, r.action.Outputs["sarif"].Value) {
		t.Errorf("%s is uploaded", with)
	}
}

// TestGitHubActionDiff: the report of one run is what the next compares with.
func TestGitHubActionDiff(t *testing.T) {
	first := newRunner(t, map[string]string{"paths": "bad.yaml"})
	if code := first.run(t); code != 1 {
		t.Fatalf("exit code %d\n%s", code, first.log.String())
	}
	second := newRunner(t, map[string]string{"paths": "bad.yaml", "diff": first.evaluate(t, first.action.Outputs["json"].Value)})
	if code := second.run(t); code != 0 || !strings.Contains(second.log.String(), "0 new") {
		t.Errorf("exit code %d, want 0 for nothing new\n%s", code, second.log.String())
	}
}
