package main

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// What the Debian image is made of: about 2 GB of files. Debian's npm is not among it, since debootstrap does not look for
// who provides what it depends on.
const (
	release  = "bookworm"
	packages = "nginx,php-cli,php-mysql,ruby,ffmpeg,git,sudo,nodejs,gcc,g++,openjdk-17-jre-headless,postgresql,redis-server,apache2," +
		"imagemagick,python3-numpy,python3-scipy,python3-requests,curl,openssh-server,vim"
	modules = "express@4.17.1 next@13 webpack@5 eslint@8 lodash@4.17.20 moment@2 react@18 react-dom@18"
)

// images are the layouts that are measured, and the root directory of the first.
type images struct{ debian, second, small, root string }

// build makes what is not there yet below dir, its layers at a level of gzip; coaming is a Go program to put into an image.
func build(ctx context.Context, dir, coaming string, level int) (*images, error) {
	i := &images{filepath.Join(dir, "debian"), filepath.Join(dir, "second"), filepath.Join(dir, "small"), filepath.Join(dir, "root")}
	if done(i.root) && done(i.debian) && done(i.second) && done(i.small) {
		return i, nil
	}
	if err := debootstrap(ctx, i.root); err != nil {
		return nil, err
	}
	app := filepath.Join(dir, "app")
	if err := npm(ctx, filepath.Join(app, "srv")); err != nil {
		return nil, err
	}
	programs := filepath.Join(dir, "programs")
	if err := copyPrograms(programs, coaming); err != nil {
		return nil, err
	}
	base, err := pack(i.debian, i.root, level, nil)
	if err != nil {
		return nil, err
	}
	npm, err := pack(i.debian, app, level, nil)
	if err != nil {
		return nil, err
	}
	top, err := pack(i.debian, programs, level, []string{"srv/node_modules/.wh.moment"})
	if err != nil {
		return nil, err
	}
	if err := layout(i.debian, base, npm, top); err != nil {
		return nil, err
	}
	if err := second(i, app, level, base, npm); err != nil {
		return nil, err
	}
	return i, small(i.small, i.root, level)
}

// second is another image on the same two layers, linked, with a small one of its own.
func second(i *images, app string, level int, shared ...descriptor) error {
	blobs := filepath.Join(i.second, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return err
	}
	for _, d := range shared {
		name := strings.TrimPrefix(d.Digest, "sha256:")
		if err := os.Link(filepath.Join(i.debian, "blobs", "sha256", name), filepath.Join(blobs, name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	own, err := pack(i.second, filepath.Join(app, "srv", "node_modules", "express"), level, nil)
	if err != nil {
		return err
	}
	return layout(i.second, append(shared, own)...)
}

// small is like an image of Alpine: a shell, a C library, a certificate store, and apk's own database of what is there.
func small(dir, root string, level int) error {
	tree := dir + "-root"
	const installed = "C:Q1\nP:%s\nV:%s\nA:x86_64\no:%[1]s\nF:%s\nR:%s\n\n"
	var database strings.Builder
	for _, file := range []string{"usr/bin/bash", "usr/bin/sed", "usr/bin/tar", "usr/bin/curl", "usr/bin/gzip", "usr/lib/x86_64-linux-gnu/libc.so.6", "usr/lib/x86_64-linux-gnu/libssl.so.3"} {
		if err := copyFile(filepath.Join(root, file), filepath.Join(tree, file)); err != nil {
			continue // another architecture
		}
		fmt.Fprintf(&database, installed, strings.SplitN(filepath.Base(file), ".", 2)[0], "1.2.3-r4", filepath.Dir(file), filepath.Base(file))
	}
	for name, text := range map[string]string{"lib/apk/db/installed": database.String(), "etc/os-release": "ID=alpine\nVERSION_ID=3.20.3\n"} {
		file := filepath.Join(tree, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			return err
		}
	}
	layer, err := pack(dir, tree, level, nil)
	if err != nil {
		return err
	}
	return layout(dir, layer)
}

func done(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "complete"))
	if err != nil {
		_, err = os.Stat(filepath.Join(dir, "index.json"))
	}
	return err == nil
}

func debootstrap(ctx context.Context, root string) error {
	if done(root) {
		return nil
	}
	fmt.Fprintln(os.Stderr, "making a Debian of about 2 GB in", root, "(minutes, once)")
	if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil { // #nosec G301 -- debootstrap's user of packages reads in it
		return err
	}
	if err := runIn(ctx, ".", root, "debootstrap", "--variant=minbase", "--include="+packages, release, root); err != nil {
		return err
	}
	archives, err := filepath.Glob(filepath.Join(root, "var/cache/apt/archives/*.deb"))
	for _, file := range archives {
		err = errors.Join(err, os.Remove(file))
	}
	return err
}

func npm(ctx context.Context, app string) error {
	if done(app) {
		return nil
	}
	if err := os.MkdirAll(app, 0o755); err != nil {
		return err
	}
	return runIn(ctx, app, app, "npm", append([]string{"install", "--ignore-scripts", "--no-audit", "--no-fund"}, strings.Fields(modules)...)...)
}

// runIn runs what makes a directory, and notes that it is complete.
func runIn(ctx context.Context, dir, made, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, io.Discard, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run %s: %w", name, err)
	}
	return os.WriteFile(filepath.Join(made, "complete"), nil, 0o644)
}

func copyPrograms(dir, coaming string) error {
	compiler, err := exec.LookPath("go")
	if err != nil {
		return err
	}
	if compiler, err = filepath.EvalSymlinks(compiler); err != nil {
		return err
	}
	for _, program := range []string{coaming, compiler, filepath.Join(filepath.Dir(compiler), "gofmt")} {
		if err := copyFile(program, filepath.Join(dir, "usr", "local", "bin", filepath.Base(program))); err != nil {
			return err
		}
	}
	return nil
}

// copyFile holds no file in memory: what a process had is told of the processes that it starts, too.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // nothing was written
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
}

// pack writes a directory as a layer, with whiteouts.
func pack(layout, tree string, level int, gone []string) (descriptor, error) {
	blobs := filepath.Join(layout, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return descriptor{}, err
	}
	f, err := os.CreateTemp(blobs, "layer-")
	if err != nil {
		return descriptor{}, err
	}
	defer f.Close() //nolint:errcheck // the last write tells
	sum := sha256.New()
	z, err := gzip.NewWriterLevel(io.MultiWriter(f, sum), level)
	if err != nil {
		return descriptor{}, err
	}
	w := tar.NewWriter(z)
	err = addTree(w, tree)
	for _, name := range gone {
		err = errors.Join(err, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644}))
	}
	if err := errors.Join(err, w.Close(), z.Close()); err != nil {
		return descriptor{}, fmt.Errorf("pack %s: %w", tree, err)
	}
	return keep(f.Name(), blobs, sum.Sum(nil), "application/vnd.oci.image.layer.v1.tar+gzip")
}

// addTree adds files, directories and links as they stand; devices are left out.
func addTree(w *tar.Writer, tree string) error {
	return filepath.WalkDir(tree, func(file string, d fs.DirEntry, err error) error {
		if err != nil || file == tree || d.Name() == "complete" || d.Type()&^(fs.ModeDir|fs.ModeSymlink) != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		link := ""
		if d.Type() == fs.ModeSymlink {
			if link, err = os.Readlink(file); err != nil {
				return err
			}
		}
		h, err := tar.FileInfoHeader(info, link)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(tree, file)
		if h.Name = filepath.ToSlash(name); d.IsDir() {
			h.Name += "/"
		}
		if err := w.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
			return err
		}
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, f)
		return errors.Join(err, f.Close())
	})
}

func keep(file, blobs string, sum []byte, kind string) (descriptor, error) {
	info, err := os.Stat(file)
	if err != nil {
		return descriptor{}, err
	}
	d := descriptor{kind, fmt.Sprintf("sha256:%x", sum), info.Size()}
	return d, os.Rename(file, filepath.Join(blobs, strings.TrimPrefix(d.Digest, "sha256:")))
}

// layout closes an image with its configuration, manifest and index.
func layout(dir string, layers ...descriptor) error {
	blobs := filepath.Join(dir, "blobs", "sha256")
	put := func(v any, kind string) (descriptor, error) {
		text, err := json.Marshal(v)
		if err != nil {
			return descriptor{}, err
		}
		sum := sha256.Sum256(text)
		file := filepath.Join(blobs, "new")
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return descriptor{}, err
		}
		return keep(file, blobs, sum[:], kind)
	}
	const prefix = "application/vnd.oci.image."
	config, err := put(map[string]any{"os": "linux", "architecture": "amd64", "rootfs": map[string]any{"type": "layers", "diff_ids": []string{}}}, prefix+"config.v1+json")
	if err != nil {
		return err
	}
	manifest, err := put(map[string]any{"schemaVersion": 2, "config": config, "layers": layers}, prefix+"manifest.v1+json")
	if err != nil {
		return err
	}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []descriptor{manifest}})
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644),
		os.WriteFile(filepath.Join(dir, "index.json"), index, 0o644))
}
