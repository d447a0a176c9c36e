package cli_test

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/coaming/coaming/internal/cli"
)

// TestMain makes the command available to the scripts, under both its names, as processes of
// their own. The day is fixed: the support calendar is compared with it.
func TestMain(m *testing.M) {
	run := func() {
		os.Exit(cli.Run(context.Background(), cli.Env{ //nolint:forbidigo // this is the main of a process of its own
			Args: os.Args[1:], Name: filepath.Base(os.Args[0]), Version: "test",
			Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv,
			Now:      func() time.Time { return time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC) },
			CacheDir: os.Getenv("COAMING_CACHE"),
		}))
	}
	testscript.Main(m, map[string]func(){"coaming": run, "kubectl-coaming": run})
}

// TestScripts runs testdata/*.txt: each is a story of commands, their output and their files.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("COAMING_CACHE", filepath.Join(e.WorkDir, ".remembered"))
			e.Setenv("KUBECONFIG", filepath.Join(e.WorkDir, "no-kubeconfig"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "write": write, "registry": serveRegistry, "pushed": pushed, "saved": saved, "keys": keys, "flip": flip, "named": named, "serve": serveFolder, "damage": damage, "attest": attest,
		},
	})
}

// exits CODE COMMAND ARGS... runs a command and demands its exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS...")
	}
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("run: %v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit %d, want %s\n%s\n%s", code, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// write FILE TEXT [COUNT] writes a Go-quoted text, COUNT times: what an archive of text files cannot hold.
func write(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: write FILE TEXT [COUNT]")
	}
	text, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	if len(args) > 2 {
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		text = strings.Repeat(text, n)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

// serveRegistry [USER PASSWORD] starts a registry on this machine and sets REGISTRY to where it is. With a name and a password
// GUARDED is where the same registry demands them.
func serveRegistry(ts *testscript.TestScript, neg bool, args []string) {
	handler := registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, 0)))
	serve := func(variable string, handler http.Handler) {
		server := httptest.NewServer(handler)
		ts.Defer(server.Close)
		ts.Setenv(variable, strings.TrimPrefix(server.URL, "http://"))
	}
	serve("REGISTRY", handler)
	if len(args) != 2 {
		return
	}
	serve("GUARDED", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != args[0] || password != args[1] {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, r)
	}))
}

// serveFolder DIR gives out a folder on this machine and sets SERVER to where.
func serveFolder(ts *testscript.TestScript, _ bool, args []string) {
	server := httptest.NewServer(http.FileServer(http.Dir(ts.MkAbs(args[0]))))
	ts.Defer(server.Close)
	ts.Setenv("SERVER", server.URL)
}

// damage DIR SUFFIX changes a byte of every file of the folder whose name ends so.
func damage(ts *testscript.TestScript, _ bool, args []string) {
	files, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "*"+args[1]))
	ts.Check(err)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		ts.Check(err)
		raw[len(raw)/2] ^= 1
		ts.Check(os.WriteFile(file, raw, 0o644))
	}
}

// pushed REFERENCE PACKAGE[@VERSION]... pushes an image for linux/amd64 of one layer for each package, in which npm has installed it. The
// lowest says that the system is Debian 12.
func pushed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: pushed REFERENCE PACKAGE[@VERSION]... (debian@RELEASE is a layer of the distribution)")
	}
	image := empty.Image
	for _, arg := range args[1:] {
		module, version, _ := strings.Cut(arg, "@")
		files := map[string]string{"app/node_modules/" + module + "/package.json": fmt.Sprintf(`{"name":%q,"version":%q}`, module, cmp.Or(version, "1.0.0"))}
		if module == "debian" {
			files = map[string]string{
				"etc/os-release":      fmt.Sprintf("ID=debian\nVERSION_ID=%q\n", version),
				"var/lib/dpkg/status": "Package: base-files\nStatus: install ok installed\nArchitecture: all\nVersion: 12.4\n",
			}
		}
		var layer bytes.Buffer
		w := tar.NewWriter(&layer)
		for _, path := range slices.Sorted(maps.Keys(files)) {
			ts.Check(w.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(files[path]))}))
			_, err := w.Write([]byte(files[path]))
			ts.Check(err)
		}
		ts.Check(w.Close())
		var err error
		image, err = mutate.AppendLayers(image, static.NewLayer(layer.Bytes(), types.OCIUncompressedLayer))
		ts.Check(err)
	}
	ref, err := name.ParseReference(args[0])
	ts.Check(err)
	ts.Check(remote.Write(ref, image))
}

// saved ARCHIVE REFERENCE writes an image of a registry as docker save does.
func saved(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: saved ARCHIVE REFERENCE")
	}
	ref, err := name.ParseReference(args[1])
	ts.Check(err)
	image, err := remote.Image(ref)
	ts.Check(err)
	ts.Check(tarball.WriteToFile(ts.MkAbs(args[0]), ref, image))
}

// keys NAME ec|ed writes a new key to NAME.key and NAME.pub.
func keys(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keys NAME ec|ed")
	}
	var key crypto.Signer
	var err error
	if args[1] == "ec" {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	ts.Check(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o644))
}

// flip FILE changes one bit in the middle of a file.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: flip FILE")
	}
	raw := []byte(ts.ReadFile(args[0]))
	raw[len(raw)/2] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), raw, 0o644))
}

// named VARIABLE FILE sets a variable to the line of a file.
func named(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: named VARIABLE FILE")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}
