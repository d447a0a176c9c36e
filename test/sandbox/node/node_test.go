package node

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

func TestFiles(t *testing.T) {
	files, err := Config{Dir: "/sandbox", Plugins: "/plugins", Snapshotter: "native"}.Files()
	if err != nil {
		t.Fatal(err)
	}
	for place, text := range files {
		if bytes.Contains(text, []byte("{{")) || bytes.Contains(text, []byte("<no value>")) {
			t.Errorf("%s is not filled in:\n%s", place, text)
		}
		if filepath.Ext(place) == ".toml" {
			continue
		}
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			if err := yaml.UnmarshalStrict([]byte(document), new(map[string]any)); err != nil {
				t.Errorf("%s: %v", place, err)
			}
		}
	}
	if got := string(files[ContainerdFile]); !strings.Contains(got, `snapshotter = "native"`) || !strings.Contains(got, `conf_dir = "/sandbox/node/network"`) {
		t.Errorf("containerd is told:\n%s", got)
	}
}

// The kernel itself runs the program, which goes on until it is ended.
func TestPause(t *testing.T) {
	program, err := Pause()
	if err != nil {
		t.Skip(err)
	}
	if _, err := elf.NewFile(bytes.NewReader(program)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "pause")
	if err := os.WriteFile(path, program, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		t.Fatalf("ended by itself: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
}

func TestWriteImage(t *testing.T) {
	var b bytes.Buffer
	if err := WriteImage(&b, "example.test/a:1", []byte("program")); err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(&b); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
	}
	if got := strings.Join(names, " "); got != "manifest.json config.json layer.tar" {
		t.Errorf("the archive holds %s", got)
	}
}
