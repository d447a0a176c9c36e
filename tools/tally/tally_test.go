package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	tests := map[string]struct {
		in    string
		want  Counts
		shows []string
		hides []string
	}{
		"passes_quietly": {
			in: `{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Elapsed":0.2}
`,
			want: Counts{Passed: 1}, shows: []string{"ok   p 0.2s, 1 passed"}, hides: []string{"noise"},
		},
		"failure_is_shown_with_what_it_said": {
			in: `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: want 1\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}
`,
			want: Counts{Failed: 1}, shows: []string{"FAIL p TestA\n    a_test.go:3: want 1\n"}, hides: []string{"=== RUN"},
		},
		"skip_gives_its_reason": {
			in: `{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: no sandbox\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}
`,
			want: Counts{Skipped: 1}, shows: []string{"  p TestA: a_test.go:3: no sandbox\n"}, hides: []string{"--- SKIP"},
		},
		"broken_build_is_one_failure": {
			in: `{"Action":"build-output","ImportPath":"p [p.test]","Output":"p/a.go:1:1: syntax error\n"}
{"Action":"build-fail","ImportPath":"p [p.test]"}
{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}
`,
			want: Counts{Failed: 1}, shows: []string{"p/a.go:1:1: syntax error\n", "FAIL p"},
		},
		"test_that_was_cut_off_is_shown": {
			in: `{"Action":"output","Package":"p","Test":"TestA","Output":"got this far\n"}
{"Action":"output","Package":"p","Output":"panic: oh\n"}
{"Action":"fail","Package":"p"}
`,
			want: Counts{Failed: 1}, shows: []string{"CUT OFF p TestA\ngot this far\n", "panic: oh\n"},
		},
		"package_without_tests_is_not_counted": {
			in:   `{"Action":"skip","Package":"p"}` + "\n",
			want: Counts{}, hides: []string{"p"},
		},
		"what_is_not_json_passes_through": {
			in: "go: oh dear\n", shows: []string{"go: oh dear\n"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			got, err := Read(strings.NewReader(tc.in), &out)
			if err != nil {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("counted %v, want %v", got, tc.want)
			}
			for _, s := range tc.shows {
				if !strings.Contains(out.String(), s) {
					t.Errorf("output lacks %q:\n%s", s, out.String())
				}
			}
			for _, s := range tc.hides {
				if strings.Contains(out.String(), s) {
					t.Errorf("output has %q:\n%s", s, out.String())
				}
			}
		})
	}
}

func TestRunKeepsAndAddsUp(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "a", "good"), filepath.Join(dir, "bad")
	pass := `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n"
	fail := `{"Action":"fail","Package":"p","Test":"TestB"}` + "\n"

	var out strings.Builder
	if err := run(false, good, nil, strings.NewReader(pass), &out); err != nil {
		t.Error(err)
	}
	if err := run(false, bad, nil, strings.NewReader(fail), &out); !errors.Is(err, errFailed) {
		t.Errorf("a failed test gave %v", err)
	}
	if err := run(false, "", nil, strings.NewReader(""), &out); !errors.Is(err, errFailed) {
		t.Errorf("no test at all gave %v", err)
	}
	out.Reset()
	if err := run(true, "", []string{good, bad}, nil, &out); !errors.Is(err, errFailed) {
		t.Errorf("the sum of a good and a bad run gave %v", err)
	}
	if want := "1 passed, 1 failed, 0 skipped\n"; out.String() != want {
		t.Errorf("sum is %q, want %q", out.String(), want)
	}
}
