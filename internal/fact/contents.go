package fact

import (
	"encoding/json"
	"fmt"

	"github.com/coaming/coaming/internal/document"
)

// Contents is what rules read of an image as the variable image: its configuration, its history and what
// stands out among its files. The JSON names are those that rules know. It holds no credential: of each
// only the kind and the place.
type Contents struct {
	// Name is the image as it was asked for; Repository and Tag are the parts of its reference. Where nothing tells the repository it is the
	// name of the file.
	Name       string `json:"name"`
	Repository string `json:"repository"`
	Tag        string `json:"tag"`
	Digest     string `json:"digest"`
	Form       string `json:"form"`
	Platform   string `json:"platform"`
	// Base is the kind of image: "scratch", "distroless", "alpine", "slim", "full", "busybox".
	Base        string            `json:"base"`
	System      System            `json:"system"`
	Config      ImageConfig       `json:"config"`
	Annotations map[string]string `json:"annotations"` // of the manifest, and beneath them the labels
	History     []ImageStep       `json:"history"`
	Layers      []LayerContents   `json:"layers"`
	Size        int64             `json:"size"`   // bytes of all files that are to be seen
	Wasted      int64             `json:"wasted"` // bytes of files that a higher layer hides

	Files        []ImageFile     `json:"files"`       // with special rights
	Directories  []ImageFile     `json:"directories"` // that anybody may write to
	Programs     []Program       `json:"programs"`    // that are known by name
	Tools        []Tool          `json:"tools"`       // the same by class
	Daemons      []string        `json:"daemons"`     // servers that are there: "nginx"
	Executables  []Executable    `json:"executables"` // that no package owns, or that are packed or hold symbols
	Secrets      []SecretFile    `json:"secrets"`
	Certificates []Certificate   `json:"certificates"`
	Accounts     []Account       `json:"accounts"`
	Passwordless []Passwordless  `json:"passwordless"` // who becomes another user without a password, by sudo or doas
	Services     []ImageFile     `json:"services"`     // units and service files of supervisors
	Caches       []Cache         `json:"caches"`       // that package managers left
	Repositories []ImageFile     `json:"repositories"` // of version control
	Matches      []KnownFile     `json:"matches"`      // files whose digest is known to be bad
	Start        StartProgram    `json:"start"`
	Health       StartProgram    `json:"health"` // the program of the health check
	Packages     []PackageInside `json:"packages"`

	// Trust is who vouches for the image; nil where nobody asked, or a policy of trust says nothing of the repository.
	Trust *Vouching `json:"trust"`

	// Unseen is why not all files were seen; "" where they were.
	Unseen string `json:"unseen"`
	// Unsearched is why not all texts were searched for credentials to their end; "" where they were.
	Unsearched string `json:"unsearched"`
}

// ImageConfig is how a container of the image starts when nobody says otherwise.
type ImageConfig struct {
	User        string            `json:"user"`
	Entrypoint  []string          `json:"entrypoint"`
	Command     []string          `json:"command"`
	Directory   string            `json:"directory"`
	Environment []Variable        `json:"environment"`
	Ports       []ImagePort       `json:"ports"`
	Volumes     []string          `json:"volumes"`
	Labels      map[string]string `json:"labels"`
	Health      []string          `json:"health"`
	OnBuild     []string          `json:"onBuild"`
	// Credentials are those in the entry point, the command, the labels, the health check and the steps for images built on this one.
	Credentials []ConfigCredential `json:"credentials"`
	// Created is when it was built, "2026-11-21"; "" where it is not told, or a build left it out to be reproducible.
	Created string `json:"created"`
	// Uid is the user's number, -1 where none is known; Known says whether the user is a number or stands in /etc/passwd.
	UID   int  `json:"uid"`
	Known bool `json:"known"`
}

// Variable is one of the environment; its value is "" where it is a credential.
type Variable struct {
	Name       string `json:"name"`
	Value      string `json:"value"`
	Credential string `json:"credential"` // what kind it is, "" when it is none
}

// ConfigCredential is a credential in the configuration beside the environment.
type ConfigCredential struct {
	Name string `json:"name"` // "entrypoint", "command", "health check", "label build.token", "step for images built on this one"
	Kind string `json:"kind"`
}

// ImagePort is a port that an image exposes.
type ImagePort struct {
	Name     string `json:"name"` // "22/tcp"
	Port     int    `json:"port"`
	Protocol string `json:"protocol"`
}

// ImageStep is one step of the build. Of a command that holds a credential only the words before it are told.
type ImageStep struct {
	Name       string `json:"name"` // the number of the step, from 1
	Command    string `json:"command"`
	Layer      int    `json:"layer"` // that it made, -1 for none
	Credential string `json:"credential"`
}

// LayerContents is one layer, the lowest first.
type LayerContents struct {
	Digest  string `json:"digest"`
	Command string `json:"command"`
	Layer   int    `json:"layer"`
	Files   int    `json:"files"`
	Size    int64  `json:"size"`   // bytes of its files
	Wasted  int64  `json:"wasted"` // bytes of those that a higher layer hides
}

// ImageFile is a file or directory with what is special about it.
type ImageFile struct {
	Path         string   `json:"path"`
	Layer        int      `json:"layer"`
	Mode         string   `json:"mode"` // "4755"
	UID          int      `json:"uid"`
	GID          int      `json:"gid"`
	Size         int64    `json:"size"`
	Executable   bool     `json:"executable"`
	Setuid       bool     `json:"setuid"`
	Setgid       bool     `json:"setgid"`
	Sticky       bool     `json:"sticky"`
	Writable     bool     `json:"writable"`     // by anybody
	Capabilities []string `json:"capabilities"` // of the file, "CAP_NET_RAW"
	InPath       bool     `json:"inPath"`       // of a directory: programs are looked for in it
	Package      string   `json:"package"`      // that owns it, "" for none
	Kind         string   `json:"kind"`
}

// Program is a program that is known by its name.
type Program struct {
	Program string `json:"program"`
	Class   string `json:"class"`
	Path    string `json:"path"`
	Layer   int    `json:"layer"`
	Package string `json:"package"`
	Daemon  string `json:"daemon"` // of a server: what it is
}

// Tool is the programs of one class.
type Tool struct {
	Name     string   `json:"name"` // the class: "shell", "compiler"
	Programs []string `json:"programs"`
	Path     string   `json:"path"` // of the first
	Layer    int      `json:"layer"`
}

// Executable is a program by its content.
type Executable struct {
	Path    string `json:"path"`
	Layer   int    `json:"layer"`
	Size    int64  `json:"size"`
	Format  string `json:"format"` // "elf" or "script"
	Package string `json:"package"`
	Modules bool   `json:"modules"` // it says itself what it was built from
	System  bool   `json:"system"`  // it stands where the package manager alone writes
	Temp    bool   `json:"temp"`    // it stands where anybody writes
	Packed  string `json:"packed"`  // "upx", "entropy", or ""
	Symbols int64  `json:"symbols"` // bytes of symbols and of what debuggers read
}

// SecretFile is a file that holds a credential.
type SecretFile struct {
	Path    string `json:"path"`
	Layer   int    `json:"layer"`
	Kind    string `json:"kind"`
	Package string `json:"package"`
	Hidden  bool   `json:"hidden"` // a higher layer hides it, and who has the image can read it
	By      int    `json:"by"`     // the layer that hides it
}

// Certificate is an X.509 certificate in a file.
type Certificate struct {
	Path      string `json:"path"`
	Layer     int    `json:"layer"`
	Subject   string `json:"subject"`
	Expires   string `json:"expires"` // "2026-11-21"
	Authority bool   `json:"authority"`
	Trusted   bool   `json:"trusted"` // it stands where programs look for authorities
	Package   string `json:"package"`
}

// Account is a line of /etc/passwd with what /etc/shadow says of its password.
type Account struct {
	Name     string `json:"name"`
	UID      int    `json:"uid"`
	GID      int    `json:"gid"`
	Shell    string `json:"shell"`
	Password string `json:"password"` // "none": no password is asked for; "set", "locked"
	Layer    int    `json:"layer"`
	Path     string `json:"path"`
}

// Passwordless is who runs commands as another user, root for one, without being asked for a password.
type Passwordless struct {
	Name     string `json:"name"`     // the user, "%group", or the name of a list of them
	Commands string `json:"commands"` // "ALL"
	Path     string `json:"path"`
	Layer    int    `json:"layer"`
	Package  string `json:"package"`
}

// Cache is what a package manager downloaded and left.
type Cache struct {
	Path  string `json:"path"`
	Layer int    `json:"layer"`
	Size  int64  `json:"size"`
	Files int    `json:"files"`
	Kind  string `json:"kind"`
}

// KnownFile is a file whose digest is in a list.
type KnownFile struct {
	Path   string `json:"path"`
	Layer  int    `json:"layer"`
	What   string `json:"what"`
	Digest string `json:"digest"`
}

// StartProgram is the program that a container, or a health check, begins with.
type StartProgram struct {
	Program      string   `json:"program"` // as the configuration names it, "" where it names none
	Path         string   `json:"path"`    // where it stands, links followed; "" where it was not found
	Layer        int      `json:"layer"`
	Found        bool     `json:"found"`
	Executable   bool     `json:"executable"`
	Format       string   `json:"format"` // "elf", "script", or "" for neither
	Architecture string   `json:"architecture"`
	Fits         bool     `json:"fits"`        // the architecture is the image's
	Interpreter  string   `json:"interpreter"` // of a script, or the dynamic loader
	Interpreted  bool     `json:"interpreted"` // the interpreter is there
	Libraries    []string `json:"libraries"`   // that it needs, those that these need included
	Missing      []string `json:"missing"`     // of these
	Shell        bool     `json:"shell"`       // a shell is what starts
	Supervisor   string   `json:"supervisor"`  // that starts others, "" for none
	Background   bool     `json:"background"`  // a script that leaves programs behind it running
	// Doubt is why nothing of it is certain, "" for nearly all.
	Doubt string `json:"doubt"`
}

// PackageInside is a package of an image, as rules read it.
type PackageInside struct {
	Name      string `json:"name"`
	Version   string `json:"version"`
	Ecosystem string `json:"ecosystem"`
	Layer     int    `json:"layer"`
}

// PackagesInside are the packages of an image as rules read them.
func PackagesInside(list []Package) []PackageInside {
	out := make([]PackageInside, len(list))
	for i := range list {
		p := &list[i]
		out[i] = PackageInside{Name: p.Name, Version: p.Version, Ecosystem: p.Ecosystem, Layer: p.Layer}
	}
	return out
}

// ImageKind is the kind of the object as which rules judge an image.
const ImageKind = "Image"

// Object is the image as an object, which paths, fingerprints and exceptions name as they name others: its
// name is the repository where one is known, so that it is the same when the image is built again.
func (i *Image) Object() (*Object, error) {
	text, err := json.Marshal(i.Contents)
	if err != nil {
		return nil, fmt.Errorf("write the contents of %s: %w", i.Name, err)
	}
	docs, errs := document.Read(document.NewText(string(text)), 1)
	if len(errs) > 0 || len(docs) != 1 {
		return nil, fmt.Errorf("read the contents of %s again: %v", i.Name, errs)
	}
	return &Object{Root: docs[0].Root(), Kind: ImageKind, Name: i.Contents.Repository, Origin: &Origin{Source: "image:" + i.Name, Served: true}}, nil
}
