package fact

// Image is what an image, or a root directory, holds: what was read, and no more. What could not be
// read is in the coverage beside it.
type Image struct {
	// Name is the image as it was asked for: a path, and of several images in one archive its reference.
	Name string `json:"name"`
	// Reference is the name that the image goes by, "ghcr.io/shop/web:1.4"; "" where it has none.
	Reference string `json:"reference,omitempty"`
	// Form is what was opened: "oci-layout", "docker-archive" or "directory".
	Form string `json:"form"`
	// Digest is that of the image's manifest, "" where there is none.
	Digest string `json:"digest,omitempty"`
	// ID is the digest of the image's configuration; "" where there is none.
	ID string `json:"id,omitempty"`
	// Platform is the one that the image is for, "linux/arm64/v8"; "" where nothing says so.
	Platform string `json:"platform,omitempty"`
	// System is the distribution, as its os-release tells; nil where there is none.
	System *System `json:"system,omitempty"`
	// Base is the image that this one was built on, as far as anything tells; nil when nothing does.
	Base     *Base     `json:"base,omitempty"`
	Layers   []Layer   `json:"layers,omitempty"`
	Packages []Package `json:"packages"`
	// Contents is what rules read; nil where only packages were asked for.
	Contents *Contents `json:"-"`
}

// System is a distribution of an operating system in the words of its os-release file.
type System struct {
	ID       string `json:"id"`
	Version  string `json:"version,omitempty"`  // VERSION_ID
	Codename string `json:"codename,omitempty"` // VERSION_CODENAME
	Name     string `json:"name,omitempty"`     // PRETTY_NAME
}

// Base is the image that another one was built on.
type Base struct {
	Name   string `json:"name,omitempty"`
	Digest string `json:"digest,omitempty"`
	// Layers is how many of the lowest layers are the base's, 0 when that is not known.
	Layers int `json:"layers"`
	// By is what tells: "given", "known", "annotation" or "history".
	By string `json:"by"`
}

// Layer is one layer of an image, the lowest first.
type Layer struct {
	// Digest is that of the layer as it is stored; of an archive made by docker save it is that of its tar.
	Digest string `json:"digest"`
	// DiffID is the digest of its tar, whatever it is compressed with; "" where nothing tells.
	DiffID string `json:"diffID,omitempty"`
	// CreatedBy is the command that made the layer, as the image's history tells it.
	CreatedBy string `json:"createdBy,omitempty"`
}

// Package is one package that is installed in an image.
type Package struct {
	// Ecosystem is OSV's, with the release for distributions: "npm", "Debian:12", "Alpine:v3.20". A
	// distribution that OSV does not know is its ID and release; "" where nothing says which it is.
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
	Version   string `json:"version"`
	// Source and SourceVersion are what the package was built from, where its manager tells: they
	// are what distributions' advisories name.
	Source        string `json:"source,omitempty"`
	SourceVersion string `json:"sourceVersion,omitempty"`
	// Architecture is the package manager's word for it, "" where it has none.
	Architecture string `json:"architecture,omitempty"`
	// Place is the file that tells of the package, from the root and without a leading slash.
	Place string `json:"place"`
	// Layer is the layer that Place stands in, counted from 0; what a root directory holds is in 0.
	Layer int `json:"layer"`
	// Since is the layer from which on the package is there in this version: a package manager writes its whole list
	// anew in every layer that changes it.
	Since int `json:"since"`
	// Owner is the package of the distribution that brought this one along, "" when none did.
	Owner string `json:"owner,omitempty"`
	// Files are the files of a distribution's package, from the root and without a leading slash.
	Files []string `json:"files,omitempty"`
}
