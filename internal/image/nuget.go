package image

import (
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// readNugetDeps reads what an application of .NET was built from (github.com/dotnet/sdk, documentation/specs,
// runtime-configuration-file): libraries "NAME/VERSION" with their type. A runtime pack is the part of the framework
// that an application brings along; projects are the application itself.
func readNugetDeps(in *input) (*find, error) {
	var deps struct {
		Libraries map[string]struct{ Type word } `json:"libraries"`
	}
	if err := in.json(&deps); err != nil {
		return nil, err
	}
	f := &find{}
	for _, id := range slices.Sorted(maps.Keys(deps.Libraries)) {
		name, version, found := strings.Cut(id, "/")
		switch strings.ToLower(string(deps.Libraries[id].Type)) {
		case "package":
		case "runtimepack":
			name = strings.TrimPrefix(name, "runtimepack.")
		default:
			continue
		}
		if found && name != "" && version != "" {
			f.packages = append(f.packages, fact.Package{Ecosystem: "NuGet", Name: name, Version: version})
		}
	}
	return f, nil
}

// readPackagesConfig reads the list of packages of an application of the older form (learn.microsoft.com, nuget/reference/packages-config).
func readPackagesConfig(in *input) (*find, error) {
	var list struct {
		Packages []struct {
			ID      string `xml:"id,attr"`
			Version string `xml:"version,attr"`
		} `xml:"package"`
	}
	if err := in.xml(&list); err != nil {
		return nil, err
	}
	f := &find{}
	for _, p := range list.Packages {
		if p.ID == "" || p.Version == "" {
			return f, errors.New("a package has no id or no version")
		}
		f.packages = append(f.packages, fact.Package{Ecosystem: "NuGet", Name: p.ID, Version: p.Version})
	}
	return f, nil
}

// nuspecReader knows the cache of packages: ID/VERSION/ID.nuspec, all in lower case, or ID.VERSION/ID.nuspec beside a project.
func nuspecReader(at string) reader {
	dir, id := path.Dir(at), strings.TrimSuffix(path.Base(at), ".nuspec")
	if strings.EqualFold(path.Base(path.Dir(dir)), id) {
		return readNuspec
	}
	if rest, found := strings.CutPrefix(strings.ToLower(path.Base(dir)), strings.ToLower(id)+"."); found && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
		return readNuspec
	}
	return nil
}

func readNuspec(in *input) (*find, error) {
	var spec struct {
		ID      string `xml:"metadata>id"`
		Version string `xml:"metadata>version"`
	}
	if err := in.xml(&spec); err != nil {
		return nil, err
	}
	if spec.ID == "" || spec.Version == "" {
		return nil, errors.New("the specification names no package and version")
	}
	return one("NuGet", strings.TrimSpace(spec.ID), strings.TrimSpace(spec.Version)), nil
}
