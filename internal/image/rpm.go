package image

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rpmdb"
)

// maxRpmBase bounds rpm's database, of which a full server's has some 200 MiB.
const maxRpmBase = 1 << 30

// rpmReader is the reader of the files that hold rpm's database, in the three forms and the places that it has, and of
// the list that distroless images carry in its stead.
func rpmReader(at string) reader {
	switch strings.TrimPrefix(path.Dir(at), "usr/") {
	case "var/lib/rpm", "lib/sysimage/rpm", "share/rpm": // the last one is rpm-ostree's
		switch path.Base(at) {
		case "Packages", "Packages.db", "rpmdb.sqlite":
			return readRpm
		case "rpmdb.sqlite-wal":
			return readRpmLog
		}
	case "var/lib/rpmmanifest":
		if path.Base(at) == "container-manifest-2" {
			return readRpmManifest
		}
	}
	return nil
}

func readRpm(in *input) (*find, error) {
	base, err := in.random(maxRpmBase)
	if err != nil {
		return nil, err
	}
	defer base.close()
	f := &find{}
	if base.size == 0 {
		return nil, nil // made, and never filled
	}
	err = rpmdb.Read(base, base.size, func(p *rpmdb.Package) {
		found := fact.Package{Ecosystem: rpm, Name: p.Name, Version: p.EVR(), Architecture: p.Arch, Module: p.Module}
		found.Source, found.SourceVersion = sourceRpm(p.SourceRPM, p)
		for _, file := range p.Files {
			if at, _ := clean(file); at != "" {
				found.Files = append(found.Files, at)
			}
		}
		f.packages = append(f.packages, found)
	})
	if errors.Is(err, rpmdb.ErrTooLarge) {
		err = boundError(err.Error())
	}
	return f, err
}

// sourceRpm takes the name of a source package's file apart: bash-5.1.8-9.el9.src.rpm. It has no epoch; the source's is
// taken for that of a package with its version.
func sourceRpm(file string, p *rpmdb.Package) (name, version string) {
	rest, found := strings.CutSuffix(file, ".rpm")
	if !found {
		return p.Name, p.EVR()
	}
	if i := strings.LastIndexByte(rest, '.'); i > 0 { // src or nosrc
		rest = rest[:i]
	}
	release := strings.LastIndexByte(rest, '-')
	if release <= 0 {
		return p.Name, p.EVR()
	}
	dash := strings.LastIndexByte(rest[:release], '-')
	if dash <= 0 {
		return p.Name, p.EVR()
	}
	if name, version = rest[:dash], rest[dash+1:]; version == p.Version+"-"+p.Release {
		version = p.EVR()
	}
	return name, version
}

// readRpmLog tells of changes that SQLite has not yet put into the database itself.
func readRpmLog(in *input) (*find, error) {
	if in.size == 0 {
		return nil, nil
	}
	return nil, unreadError("the log of changes beside the database of rpm is not read: packages of the last change may lack")
}

// readRpmManifest reads the list of images without rpm, one package a line: name, version, times, vendor, epoch, size,
// architecture, epoch as a number, file of the source (github.com/microsoft/azurelinux, distroless).
func readRpmManifest(in *input) (*find, error) {
	f := &find{}
	bad := 0
	err := in.lines(func(line string) bool {
		c := strings.Split(line, "\t")
		if len(c) < 10 || c[0] == "" || c[1] == "" {
			if line != "" {
				bad++
			}
			return true
		}
		version, release, _ := strings.Cut(c[1], "-")
		p := rpmdb.Package{Name: c[0], Version: version, Release: release}
		_, _ = fmt.Sscanf(c[8], "%d", &p.Epoch)
		found := fact.Package{Ecosystem: rpm, Name: p.Name, Version: p.EVR(), Architecture: c[7]}
		found.Source, found.SourceVersion = sourceRpm(c[9], &p)
		f.packages = append(f.packages, found)
		return true
	})
	if err == nil && bad > 0 {
		err = fmt.Errorf("%d lines of the list of packages are not understood", bad)
	}
	return f, err
}
