package image

import (
	"errors"
	"path"
	"regexp"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// Erlang's own terms, in which packages are described: strings "..." and binaries <<"...">>.
var (
	hexField = regexp.MustCompile(`(?m)^\{<<"(name|version)">>\s*,\s*<<"([^"]+)">>\}\.`)
	appName  = regexp.MustCompile(`^(?:\s|%[^\n]*\n)*\{\s*application\s*,\s*'?([A-Za-z0-9_@]+)'?\s*,`)
	appVsn   = regexp.MustCompile(`\{\s*vsn\s*,\s*"([^"\s]+)"\s*\}`)
)

// readHexMetadata reads what hex keeps beside each package that it fetched.
func readHexMetadata(in *input) (*find, error) {
	text, err := in.text()
	if err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for _, m := range hexField.FindAllSubmatch(text, 8) {
		if fields[string(m[1])] == "" {
			fields[string(m[1])] = string(m[2])
		}
	}
	if fields["name"] == "" || fields["version"] == "" {
		return nil, errors.New("the metadata names no package and version")
	}
	return one("Hex", fields["name"], fields["version"]), nil
}

// erlangReader knows the resource files of applications where they are installed: lib/NAME-VERSION/ebin/NAME.app, and
// _build/ENV/lib/NAME/ebin/NAME.app where they were built.
func erlangReader(at string) reader {
	dir, name := path.Dir(at), strings.TrimSuffix(path.Base(at), ".app")
	above := path.Dir(dir)
	installed := path.Base(above)
	if path.Base(dir) != "ebin" || installed != name && !strings.HasPrefix(installed, name+"-") {
		return nil
	}
	return readErlangApp
}

// readErlangApp reads an application's resource file (erlang.org/doc, app(4)). Those that Erlang/OTP and Elixir are made of are
// in no package of hex; the release of the one is told by OTP_VERSION and its emulator, of the other by its own application.
func readErlangApp(in *input) (*find, error) {
	text, err := in.text()
	if err != nil {
		return nil, err
	}
	name, version := appName.FindSubmatch(text), appVsn.FindSubmatch(text)
	if name == nil || version == nil {
		return nil, errors.New("the resource file names no application and version")
	}
	app := string(name[1])
	if otp[app] {
		return nil, nil
	}
	if app == "elixir" {
		return bundled(app, "", string(version[1])), nil
	}
	return one("Hex", app, string(version[1])), nil
}

// otp are the applications of Erlang/OTP and of Elixir.
var otp = func() map[string]bool {
	set := map[string]bool{}
	for name := range strings.FieldsSeq(`asn1 common_test compiler crypto debugger dialyzer diameter edoc eldap erl_docgen erl_interface erts et eunit ftp inets jinterface
		kernel megaco mnesia observer odbc os_mon parsetools public_key reltool runtime_tools sasl snmp ssh ssl stdlib syntax_tools tftp tools wx xmerl
		cosEvent cosEventDomain cosFileTransfer cosNotification cosProperty cosTime cosTransactions gs hipe ic orber otp_mibs percept test_server typer webtool
		eex ex_unit iex logger mix`) {
		set[name] = true
	}
	return set
}()

func otpReader(at string) reader {
	if path.Base(path.Dir(path.Dir(at))) == "releases" {
		return readOTPVersion
	}
	return nil
}

// releaseForm is a release in numbers, with what may follow.
var releaseForm = regexp.MustCompile(`^[0-9][0-9A-Za-z.+_-]*$`)

// readOTPVersion reads the one line in which Erlang/OTP tells its release: "25.3.2.1".
func readOTPVersion(in *input) (*find, error) {
	text, err := in.text()
	if err != nil {
		return nil, err
	}
	version := strings.TrimRight(strings.TrimSpace(string(text)), "*") // a star where patches were applied
	if !releaseForm.MatchString(version) {
		return nil, errors.New("it names no release")
	}
	return bundled("erlang", "", version), nil
}

// bundled is a program that no package manager has put there.
func bundled(name, ecosystem, version string) *find {
	return &find{packages: []fact.Package{{Kind: binaryKind, Ecosystem: ecosystem, Name: name, Version: version}}}
}

// binaryKind is the kind of packages that are told by a program's own content.
const binaryKind = "binary"
