// Command standin stands in for the programs of pods with sidecars, in the end-to-end tests: for Fluent Bit, for Falco with
// the plugins collector and json, and for a program that writes an audit log. It reads what the templates write for the
// real ones, refuses what they would not take as far as it knows, and answers where they answer; it is none of them.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 3 && args[0] == "program" {
		return program(args[1], args[2])
	}
	if len(args) != 2 || args[0] != "-c" {
		return fmt.Errorf("what is asked for is none of 'program FOLDER LINE' and '-c FILE': %q", args)
	}
	switch filepath.Base(args[1]) {
	case "fluent-bit.yaml":
		return forward(args[1])
	case "falco.yaml":
		return watch(args[1])
	}
	return errors.New("no such configuration")
}

// readYAML reads a file strictly: a key that is not known is an error.
func readYAML(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// tell writes one line of JSON to standard output.
func tell(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

// program writes two lines into an audit log and posts the second to the agent, having seen that both sidecars are up.
func program(folder, line string) error {
	for _, url := range []string{"http://127.0.0.1:2020/", "http://127.0.0.1:8765/healthz"} {
		answer, err := http.Get(url) //nolint:noctx,forbidigo // it is the whole of the program
		if err != nil {
			return fmt.Errorf("a sidecar was not there before the program: %w", err)
		}
		_ = answer.Body.Close() // nothing is wanted of it
	}
	fmt.Println("both sidecars were there first")
	text := "begun\n" + line + "\n"
	if err := os.WriteFile(filepath.Join(folder, "audit.log"), []byte(text), 0o644); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"log": line})
	if err != nil {
		return err
	}
	answer, err := http.Post("http://127.0.0.1:54827", "application/json", strings.NewReader(string(body))) //nolint:noctx,forbidigo // as above
	if err != nil {
		return err
	}
	return answer.Body.Close()
}
