package e2e

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// engine builds and runs images in a store of its own. Each step of a build and each program runs in a chroot,
// so that it needs neither a daemon nor a registry.
type engine struct {
	store string
	env   []string
}

func newEngine(t *testing.T) *engine {
	t.Helper()
	if _, err := exec.LookPath("buildah"); err != nil {
		t.Skip("buildah is not installed, so the image is not built")
	}
	if os.Geteuid() != 0 {
		t.Skip("buildah is tried as root alone, so the image is not built")
	}
	e := &engine{store: t.TempDir()}
	e.env = append(os.Environ(), "HOME="+t.TempDir(), "TMPDIR="+t.TempDir(), "BUILDAH_ISOLATION=chroot")
	return e
}

func (e *engine) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	state := []string{"--root", filepath.Join(e.store, "root"), "--runroot", filepath.Join(e.store, "run"), "--storage-driver", "vfs"}
	cmd := exec.CommandContext(t.Context(), "buildah", append(state, args...)...)
	cmd.Env, cmd.Dir = e.env, "../.."
	return cmd
}

// do is what a command that must succeed prints.
func (e *engine) do(t *testing.T, args ...string) string {
	t.Helper()
	out := e.try(t, args...)
	if out.code != 0 {
		t.Fatalf("buildah %s: exit code %d\n%s%s", strings.Join(args, " "), out.code, out.stdout, out.stderr)
	}
	return strings.TrimSpace(out.stdout)
}

// try runs a command, again where the engine did not come so far: its start (lxc's rexec.c) seals a copy of itself in memory, which
// the kernel refuses while a page of it is still being written.
func (e *engine) try(t *testing.T, args ...string) outcome {
	t.Helper()
	for attempt := 1; ; attempt++ {
		out := run(t, e.command(t, args...))
		if attempt == 5 || !strings.Contains(out.stderr, "sealing memfd copy: Device or resource busy") {
			return out
		}
		t.Logf("buildah %s: %s", args[0], out.stderr)
	}
}

// toolchain makes an image that stands in for that of Go: it is empty, and this machine's own Go, with the
// modules that it has, is mounted into each step. It returns the image and the mounts.
func (e *engine) toolchain(t *testing.T) (image string, mounts []string) {
	t.Helper()
	var goEnv struct{ GOROOT, GOMODCACHE, GOCACHE, GOPROXY string }
	raw, err := exec.CommandContext(t.Context(), "go", "env", "-json").Output()
	if err != nil {
		t.Fatalf("ask Go for its folders: %v", err)
	}
	if err := json.Unmarshal(raw, &goEnv); err != nil {
		t.Fatal(err)
	}
	mount := func(from, to, mode string) {
		if from, err := filepath.EvalSymlinks(from); err == nil {
			mounts = append(mounts, "--volume="+from+":"+to+mode)
		}
	}
	for _, dir := range []string{"/usr", "/bin", "/lib", "/lib64"} {
		mount(dir, dir, ":ro")
	}
	mount(goEnv.GOROOT, "/go", ":ro")
	mount(goEnv.GOMODCACHE, "/modules", "")
	mount(goEnv.GOCACHE, "/cache", "")
	container := e.do(t, "from", "scratch")
	empty := t.TempDir()
	if err := os.MkdirAll(filepath.Join(empty, "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	e.do(t, "copy", container, empty, "/")
	for _, value := range []string{
		"PATH=/go/bin:/usr/bin:/bin", "HOME=/", "GOROOT=/go", "GOMODCACHE=/modules", "GOCACHE=/cache", "GOTOOLCHAIN=local", "GOPROXY=" + goEnv.GOPROXY,
	} {
		e.do(t, "config", "--env", value, container)
	}
	image = "localhost/toolchain"
	e.do(t, "commit", "--rm", container, image)
	return image, mounts
}

// TestImage builds the image by its recipe, and runs what came out: one program, no root, nothing else.
func TestImage(t *testing.T) {
	e := newEngine(t)
	t.Cleanup(func() { _ = e.command(t, "rm", "--all").Run() })
	base, mounts := e.toolchain(t)
	e.do(t, slices.Concat([]string{"build", "--pull-never"}, mounts, []string{
		"--build-arg", "GO_IMAGE=" + base, "--build-arg", "VERSION=v0.0.0-recipe",
		"--tag", "localhost/coaming", "--file", "deploy/ci/image/Containerfile", ".",
	})...)

	var image struct {
		OCIv1 struct {
			Architecture string
			Config       struct {
				User       string
				Entrypoint []string
				Cmd        []string
			}
		}
	}
	if err := json.Unmarshal([]byte(e.do(t, "inspect", "--type", "image", "localhost/coaming")), &image); err != nil {
		t.Fatal(err)
	}
	if c := image.OCIv1.Config; image.OCIv1.Architecture != runtime.GOARCH || c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/coaming"}) {
		t.Errorf("the image is for %s and runs %q as %q", image.OCIv1.Architecture, c.Entrypoint, c.User)
	}

	container := e.do(t, "from", "--pull-never", "localhost/coaming")
	holdsOnlyTheProgram(t, e.do(t, "mount", container))
	if version := e.do(t, "run", container, "--", "/coaming", "--version"); !strings.Contains(version, "v0.0.0-recipe") {
		t.Errorf("the program says that it is %q", version)
	}
	out := e.try(t, "run", "--volume", absolute(t, shop)+":/work:ro", container, "--", "/coaming", "scan", ".")
	if out.code != 1 || !strings.Contains(out.stdout, "host-control-socket") {
		t.Errorf("a scan in the image: exit code %d\n%s%s", out.code, out.stdout, out.stderr)
	}
}

// holdsOnlyTheProgram looks at every file of an image's root.
func holdsOnlyTheProgram(t *testing.T, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if path != filepath.Join(root, "coaming") || info.Mode() != 0o555 {
			return errors.New(path + " stands in the image, " + info.Mode().String())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
