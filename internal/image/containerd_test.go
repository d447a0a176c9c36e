package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// startContainerd starts a containerd of the test's own, without plugins that want a kernel's help, and returns its root
// and what runs ctr on it.
func startContainerd(t *testing.T) (root string, ctr func(args ...string) string) {
	t.Helper()
	for _, program := range []string{"containerd", "ctr"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("there is no", program, "here: 'make node-programs' installs it")
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("containerd wants root")
	}
	dir := t.TempDir()
	root = filepath.Join(dir, "root")
	socket := filepath.Join(dir, "s")
	settings := fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\", \"io.containerd.internal.v1.opt\"]\n[grpc]\naddress = %q\n", root, filepath.Join(dir, "state"), socket)
	file := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	daemon := exec.CommandContext(context.WithoutCancel(t.Context()), "containerd", "--config", file) // ended below, in its own time
	daemon.Stdout, daemon.Stderr = &log, &log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Signal(os.Interrupt)
		_ = daemon.Wait()
	})
	ctr = func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), "ctr", append([]string{"--address", socket}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("ctr %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	for end := time.Now().Add(20 * time.Second); ; <-time.After(50 * time.Millisecond) {
		if exec.CommandContext(t.Context(), "ctr", "--address", socket, "--connect-timeout", "1s", "version").Run() == nil {
			return root, ctr
		}
		if time.Now().After(end) {
			t.Skipf("containerd does not start here: %.2000s", log.String())
		}
	}
}

// TestContainerd imports images with ctr into a containerd that runs, and reads them out of its store while it does.
func TestContainerd(t *testing.T) {
	root, ctr := startContainerd(t)
	b := blobs{}
	other := "arm64"
	if runtime.GOARCH == other {
		other = "amd64"
	}
	const kind = "application/vnd.oci.image.manifest.v1+json"
	own, others := b.image(t, runtime.GOARCH, gzipped(t, tarOf(t, node("a", "1"))), gzipped(t, tarOf(t, node("b", "1"), tar.Header{Name: "app/node_modules/.wh.a"}))), b.image(t, other, gzipped(t, tarOf(t, node("c", "1"))))
	own.MediaType, others.MediaType = kind, kind
	const indexKind = "application/vnd.oci.image.index.v1+json"
	index := b.document(t, map[string]any{"schemaVersion": 2, "mediaType": indexKind, "manifests": []descriptor{own, others}})
	index.MediaType = indexKind
	index.Annotations = map[string]string{"io.containerd.image.name": "docker.io/library/shop:1.4"}
	top := b.document(t, map[string]any{"schemaVersion": 2, "manifests": []descriptor{index}})
	b["index.json"], b["oci-layout"] = b[blobFile(top.Digest)], []byte(`{"imageLayoutVersion":"1.0.0"}`)
	dir := files(t, b)
	archive := filepath.Join(t.TempDir(), "image.tar")
	if out, err := exec.CommandContext(t.Context(), "tar", "-C", dir, "-cf", archive, ".").CombinedOutput(); err != nil {
		t.Fatal(string(out))
	}
	for _, namespace := range []string{"default", "k8s.io"} {
		ctr("--namespace", namespace, "images", "import", "--no-unpack", "--all-platforms", archive)
	}
	for i := range 300 { // enough for the database to have pages below pages
		ctr("images", "tag", "docker.io/library/shop:1.4", fmt.Sprintf("registry.example/shop/with/a/long/name/so/that/pages/fill:%d", i))
		if i == 40 && testing.Short() {
			break
		}
	}
	for name, want := range map[string]struct{ platform, told string }{
		"docker.io/library/shop:1.4": {"", "b 1 @1"}, "shop:1.4": {"linux/" + other, "c 1 @0"},
		index.Digest: {"", "b 1 @1"}, "registry.example/shop/with/a/long/name/so/that/pages/fill:17": {"", "b 1 @1"},
	} {
		img, c, err := Read(t.Context(), "containerd://"+name, Options{ContainerdRoot: root, Platform: want.platform})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if told(img) != want.told || !c.Complete() || img.Form != "containerd" {
			t.Errorf("%s: got %s, gaps %v, want %s", name, told(img), c.Gaps, want.told)
		}
	}
	for name, want := range map[string]string{"gone:1": "has no image", "registry.example/shop/with/a/long/name/so/that/pages/fill:1": ""} {
		_, _, err := Read(t.Context(), "containerd://"+name, Options{ContainerdRoot: root, Namespace: "k8s.io"})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "docker.io/library/shop:1.4") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := Read(t.Context(), "containerd://x", Options{ContainerdRoot: t.TempDir()}); err == nil {
		t.Error("an empty directory was read as containerd's")
	}
}

// boltOf makes a file of one page of keys and values.
func boltOf(entries ...string) []byte {
	const page = 4096
	file := make([]byte, 4*page)
	for i := range 2 {
		p := file[i*page:]
		binary.LittleEndian.PutUint64(p, uint64(i))
		binary.LittleEndian.PutUint16(p[8:], 4)
		m := p[boltHead:]
		binary.LittleEndian.PutUint32(m, boltMagic)
		binary.LittleEndian.PutUint32(m[4:], boltVersion)
		binary.LittleEndian.PutUint32(m[8:], page)
		binary.LittleEndian.PutUint64(m[16:], 3)
		binary.LittleEndian.PutUint64(m[48:], uint64(i))
		sum := fnv.New64a()
		_, _ = sum.Write(m[:boltMeta-8])
		binary.LittleEndian.PutUint64(m[boltMeta-8:], sum.Sum64())
	}
	p := file[3*page:]
	binary.LittleEndian.PutUint64(p, 3)
	binary.LittleEndian.PutUint16(p[8:], boltLeaf)
	binary.LittleEndian.PutUint16(p[10:], uint16(len(entries)))
	at := boltHead + len(entries)*boltElement
	for i, text := range entries {
		e := p[boltHead+i*boltElement:]
		binary.LittleEndian.PutUint32(e, boltBucket)
		binary.LittleEndian.PutUint32(e[4:], uint32(at-boltHead-i*boltElement))
		binary.LittleEndian.PutUint32(e[8:], 2)
		binary.LittleEndian.PutUint32(e[12:], uint32(len(text)-2))
		at += copy(p[at:], text)
	}
	return file
}

// FuzzBolt gives the reader of containerd's database what is none.
func FuzzBolt(f *testing.F) {
	f.Add(boltOf("v1" + strings.Repeat("\x00", 40)))
	f.Add(boltOf("v1"+"\x03"+strings.Repeat("\x00", 20), "v2")) // a bucket that is its own
	f.Fuzz(func(t *testing.T, text []byte) {
		db, err := openBolt(bytes.NewReader(text))
		if err != nil {
			return
		}
		db.pages = 1000
		list, _ := imagesOf(db)
		for _, s := range list {
			if !digestForm.MatchString(s.target.Digest) {
				t.Errorf("%+v", s)
			}
		}
	})
}
