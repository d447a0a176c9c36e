package node

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
)

// WriteImage writes an image of one static program, which it runs with a pod's arguments, as an archive that containerd
// imports ("docker save", see github.com/moby/docker-image-spec).
func WriteImage(w io.Writer, name string, program []byte) error {
	var layer bytes.Buffer
	if err := writeTar(&layer, entry{"program", 0o755, program}, entry{"tmp/", 0o1777, nil}); err != nil {
		return fmt.Errorf("write image %s: %w", name, err)
	}
	digest := sha256.Sum256(layer.Bytes())
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       map[string]any{"Entrypoint": []string{"/program"}, "WorkingDir": "/"},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(digest[:])}},
	})
	if err != nil {
		return fmt.Errorf("write image %s: %w", name, err)
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{name}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return fmt.Errorf("write image %s: %w", name, err)
	}
	if err := writeTar(w, entry{"manifest.json", 0o644, manifest}, entry{"config.json", 0o644, config}, entry{"layer.tar", 0o644, layer.Bytes()}); err != nil {
		return fmt.Errorf("write image %s: %w", name, err)
	}
	return nil
}

type entry struct {
	name string
	mode int64
	data []byte
}

func writeTar(w io.Writer, entries ...entry) error {
	t := tar.NewWriter(w)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.data)), Typeflag: tar.TypeReg}
		if e.data == nil {
			header.Typeflag = tar.TypeDir
		}
		if err := t.WriteHeader(header); err != nil {
			return err
		}
		if _, err := t.Write(e.data); err != nil {
			return err
		}
	}
	return t.Close()
}
