package e2e

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestGitLabTemplate runs the job's script in the shell that GitLab's images have, with the inputs put in.
func TestGitLabTemplate(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(templates, "gitlab/coaming.yml"))
	if err != nil {
		t.Fatal(err)
	}
	header, body, found := strings.Cut(string(text), "\n---\n")
	if !found {
		t.Fatal("the template has no header")
	}
	var spec struct {
		Spec struct {
			Inputs map[string]struct {
				Default any `json:"default"`
			} `json:"inputs"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal([]byte(header), &spec); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		inputs map[string]string
		want   int
	}{
		"clean":              {map[string]string{"paths": "good.yaml"}, 0},
		"two paths":          {map[string]string{"paths": "good.yaml bad.yaml"}, 1},
		"unknown":            {map[string]string{"paths": "good.yaml broken.yaml"}, 3},
		"unknown is allowed": {map[string]string{"paths": "good.yaml broken.yaml", "allow-unknown": "true"}, 0},
		"wrong usage":        {map[string]string{"paths": "good.yaml", "fail-on": "grave"}, 2},
		"a command":          {map[string]string{"paths": "$(touch owned)"}, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			job := body
			for input, is := range spec.Spec.Inputs {
				value, given := test.inputs[input]
				if !given {
					raw, _ := json.Marshal(is.Default)
					value = strings.Trim(string(raw), `"`)
				}
				job = strings.ReplaceAll(job, "$[[ inputs."+input+" ]]", value)
			}
			runGitLab(t, job, test.want)
		})
	}
}

func runGitLab(t *testing.T, template string, want int) {
	t.Helper()
	var jobs map[string]struct {
		Variables map[string]string `json:"variables"`
		Script    []string          `json:"script"`
		Artifacts struct {
			Paths   []string          `json:"paths"`
			Reports map[string]string `json:"reports"`
		} `json:"artifacts"`
	}
	if err := yaml.Unmarshal([]byte(template), &jobs); err != nil {
		t.Fatal(err)
	}
	job, ok := jobs["coaming"]
	if !ok || strings.Contains(template, "$[[") {
		t.Fatal("there is no job coaming, or an input was not put in")
	}
	dir := newRunner(t, nil).dir
	binary, err := filepath.Abs(coamingBinary(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(dir, "coaming")); err != nil {
		t.Fatal(err)
	}
	script := "set -e\n" + strings.Join(job.Script, "\n")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "CI_PROJECT_DIR="+dir, "GITLAB_CI=true", "HOME="+dir, "XDG_CACHE_HOME="+dir)
	for name, value := range job.Variables {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out := run(t, cmd)
	if out.code != want {
		t.Fatalf("exit code %d, want %d\n%s%s", out.code, want, out.stdout, out.stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "owned")); err == nil {
		t.Error("an input was run")
	}
	if want == 2 {
		return
	}
	for _, file := range job.Artifacts.Paths {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
	checkGitLabReports(t, dir, job.Artifacts.Reports)
}

func checkGitLabReports(t *testing.T, dir string, reports map[string]string) {
	t.Helper()
	quality, err := os.ReadFile(filepath.Join(dir, reports["codequality"]))
	if err != nil {
		t.Fatal(err)
	}
	var issues []struct {
		Description, Fingerprint, Severity string
		CheckName                          string `json:"check_name"`
		Location                           struct {
			Path  string
			Lines struct{ Begin int }
		}
	}
	if err := json.Unmarshal(quality, &issues); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, issue := range issues {
		if issue.Description == "" || issue.CheckName == "" || seen[issue.Fingerprint] || issue.Location.Path == "" || issue.Location.Lines.Begin < 1 ||
			!slices.Contains([]string{"info", "minor", "major", "critical", "blocker"}, issue.Severity) {
			t.Errorf("GitLab would drop %+v", issue)
		}
		seen[issue.Fingerprint] = true
	}
	tests, err := os.ReadFile(filepath.Join(dir, reports["junit"]))
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(tests, new(struct{})); err != nil {
		t.Error(err)
	}
}
