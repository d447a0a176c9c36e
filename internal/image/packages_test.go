package image

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/purl"
)

// zipOf packs files by name, in the order given; names that end in "|store" are not compressed.
func zipOf(t testing.TB, pairs ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		name, store := strings.CutSuffix(pairs[i], "|store")
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		if store {
			h.Method = zip.Store
		}
		f, err := w.CreateHeader(h)
		if err == nil {
			_, err = f.Write([]byte(pairs[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// readAt reads one file as the catalogue would at that path, and tells packages as "ecosystem name version", each
// with the place inside of an archive.
func readAt(t testing.TB, at, text string) (string, error) {
	t.Helper()
	read := readerOf(at, false)
	if read == nil {
		return "not read", nil
	}
	f, err := read(&input{path: at, size: int64(len(text)), r: strings.NewReader(text)})
	if f == nil {
		return "", err
	}
	var list []string
	for _, p := range f.packages {
		line := strings.TrimSpace(fmt.Sprintf("%s %s %s", p.Ecosystem, p.Name, p.Version))
		if p.Within != "" {
			line += " in " + p.Within
		}
		list = append(list, line)
	}
	return strings.Join(list, ", "), err
}

// TestLanguages reads files as the package managers write them; the forms are theirs, the content is our own.
func TestLanguages(t *testing.T) {
	const deps = `{"runtimeTarget":{"name":".NETCoreApp,Version=v8.0"},"libraries":{"Shop/1.0.0":{"type":"project"},"Newtonsoft.Json/13.0.1":{"type":"package","serviceable":true},
		"runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.3":{"type":"runtimepack"},"x":{"type":"package"}}}`
	const app = "%% a comment\n{application, 'shop_core',\n [{description, \"the {vsn,1} of it\"},\n  {vsn, \"0.4.2\"},{modules,[]}]}.\n"
	for name, tt := range map[string]struct{ at, text, want string }{
		"deps.json":               {"app/Shop.deps.json", "\ufeff" + deps, "NuGet Newtonsoft.Json 13.0.1, NuGet Microsoft.NETCore.App.Runtime.linux-x64 8.0.3"},
		"packages.config":         {"app/packages.config", `<?xml version="1.0" encoding="utf-8"?><packages><package id="NLog" version="4.5.0" targetFramework="net48" /></packages>`, "NuGet NLog 4.5.0"},
		"nuspec in the cache":     {"root/.nuget/packages/nlog/4.5.0/nlog.nuspec", `<package xmlns="http://x/nuspec.xsd"><metadata><id>NLog</id><version>4.5.0</version></metadata></package>`, "NuGet NLog 4.5.0"},
		"nuspec beside a project": {"src/packages/NLog.4.5.0/NLog.nuspec", `<package><metadata><id>NLog</id><version>4.5.0</version></metadata></package>`, "NuGet NLog 4.5.0"},
		"nuspec of a source":      {"src/NLog.nuspec", `<package/>`, "not read"},
		"composer 1":              {"app/vendor/composer/installed.json", `[{"name":"monolog/monolog","version":"1.25.1"},{"name":"psr/log","version":"v1.0"}]`, "Packagist monolog/monolog 1.25.1, Packagist psr/log v1.0"},
		"composer 2":              {"app/vendor/composer/installed.json", `{"packages":[{"name":"psr/log","version":"3.0.0"}],"dev":false,"dev-package-names":[]}`, "Packagist psr/log 3.0.0"},
		"hex":                     {"app/deps/cowboy/hex_metadata.config", "{<<\"app\">>,<<\"cowboy\">>}.\n{<<\"name\">>,<<\"cowboy\">>}.\n{<<\"requirements\">>,\n [[{<<\"name\">>,<<\"ranch\">>}]]}.\n{<<\"version\">>,<<\"2.9.0\">>}.\n", "Hex cowboy 2.9.0"},
		"a release's application": {"app/lib/shop_core-0.4.2/ebin/shop_core.app", app, "Hex shop_core 0.4.2"},
		"mix's build":             {"app/_build/prod/lib/shop_core/ebin/shop_core.app", app, "Hex shop_core 0.4.2"},
		"an application's source": {"app/src/shop_core.app", app, "not read"},
		"one of Erlang's own":     {"usr/lib/erlang/lib/ssl-10.8/ebin/ssl.app", `{application, ssl, [{vsn, "10.8"}]}.`, ""},
		"Erlang":                  {"usr/local/lib/erlang/releases/25/OTP_VERSION", "25.3.2.1**\n", "erlang 25.3.2.1"},
		"conan 2":                 {"app/conan.lock", `{"version":"0.5","requires":["zlib/1.2.13#97d5730b529b4224045fe7090592d4c1%1692672717.68","openssl/3.1.2@me/stable#x"],"build_requires":["cmake/3.27.0"]}`, "ConanCenter zlib 1.2.13, ConanCenter openssl 3.1.2"},
		"conan 1":                 {"app/conan.lock", `{"graph_lock":{"nodes":{"1":{"ref":"zlib/1.2.11#x","context":"host"},"2":{"ref":"cmake/3.2.0","context":"build"},"0":{"options":""}}}}`, "ConanCenter zlib 1.2.11"},
		"conan 1's cache":         {"root/.conan/data/zlib/1.2.11/_/_/package/0123/conaninfo.txt", "[settings]\n", "ConanCenter zlib 1.2.11"},
		"conan's requirements":    {"root/.conan2/p/b/x/p/conaninfo.txt", "[settings]\nos=Linux\n[requires]\nzlib/1.2.Z\nbzip2/1.0.8#x:y\n", "ConanCenter bzip2 1.0.8"},
		"conda":                   {"opt/conda/conda-meta/openssl-3.0.8-h0b41bf4_0.json", `{"name":"openssl","version":"3.0.8","files":["lib/libssl.so"]}`, "conda openssl 3.0.8"},
		"egg-info directory":      {"usr/lib/python3/dist-packages/six.egg-info/PKG-INFO", "Metadata-Version: 1.1\nName: six\nVersion: 1.16.0\n", "PyPI six 1.16.0"},
		"egg-info file":           {"usr/lib/python2.7/dist-packages/argparse.egg-info", "Metadata-Version: 1.1\nName: argparse\nVersion: 1.2.1\n", "PyPI argparse 1.2.1"},
		"egg directory":           {"site-packages/six-1.0-py3.11.egg/EGG-INFO/PKG-INFO", "Name: six\nVersion: 1.0\n", "PyPI six 1.0"},
		"egg":                     {"site-packages/six-1.0-py3.11.egg", string(zipOf(t, "six.py", "", "EGG-INFO/PKG-INFO", "Name: six\nVersion: 1.0\n")), "PyPI six 1.0 in EGG-INFO/PKG-INFO"},
		"pnpm":                    {"app/node_modules/.pnpm/a@1.0.0/node_modules/@s/a/package.json", `{"name":"@s/a","version":"1.0.0"}`, "npm @s/a 1.0.0"},
		"yarn":                    {"app/.yarn/cache/a-npm-1.0.0-0123456789-8.zip", string(zipOf(t, "node_modules/a/package.json", `{"name":"a","version":"1.0.0"}`, "node_modules/a/dist/package.json", `{"name":"b","version":"1"}`)), "npm a 1.0.0 in node_modules/a/package.json"},
		"another zip":             {"app/x.zip", "x", ""},
		"default gems":            {"usr/lib/ruby/gems/3.1.0/specifications/default/json-2.6.1.gemspec", "Gem::Specification.new do |s|\n  s.name = \"json\".freeze\n  s.version = \"2.6.1\"\n", "RubyGems json 2.6.1"},
		"a runtime of Java":       {"opt/java/openjdk/release", "IMPLEMENTOR=\"Eclipse Adoptium\"\nJAVA_VERSION=\"17.0.8\"\n", "Bitnami java 17.0.8"},
		"another release":         {"opt/release", "1.0\n", ""},
		"an installation of Go":   {"usr/local/go/VERSION", "go1.21.3\ntime 2023-10-09T17:04:35Z\n", "Bitnami golang 1.21.3"},
		"distroless rpm": {"var/lib/rpmmanifest/container-manifest-2", "openssl-libs\t1.1.1k-30.cm2\t1\t2\tMicrosoft Corporation\t(none)\t3\tx86_64\t0\topenssl-1.1.1k-30.cm2.src.rpm\n" +
			"bind\t9.16-1.cm2\t1\t2\tv\t32\t3\tnoarch\t32\tbind-9.16-1.cm2.src.rpm\n", "rpm openssl-libs 1.1.1k-30.cm2, rpm bind 32:9.16-1.cm2"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := readAt(t, tt.at, tt.text); got != tt.want || err != nil {
				t.Errorf("got  %s, %v\nwant %s", got, err, tt.want)
			}
		})
	}
}

func TestBrokenLanguages(t *testing.T) {
	for at, text := range map[string]string{
		"a.deps.json": `{"libraries":[]}`, "vendor/composer/installed.json": `{"packages":[{"name":"x"}]}`, "packages.config": `<packages><package id="x"/></packages>`,
		"deps/x/hex_metadata.config": "{<<\"name\">>,<<\"x\">>}.", "lib/x/ebin/x.app": "{x}.", "conan.lock": "[", "conda-meta/x.json": "{}", "x.egg": "PK", "x.jar": "PK",
		"p/x/1/x.nuspec": "<package><metadata><id>x</id></metadata></package>", "x/.yarn/cache/x.zip": "", "var/lib/rpm/Packages": strings.Repeat("x", 200),
		"var/lib/rpm/rpmdb.sqlite-wal": "x", "var/lib/rpmmanifest/container-manifest-2": "x\n", "x.egg-info": "Name: x\n", "specifications/x.gemspec": "x", "releases/25/OTP_VERSION": "x",
	} {
		if got, err := readAt(t, at, text); err == nil {
			t.Errorf("%s: %q and no error", at, got)
		}
	}
}

const properties = "#Generated by Maven\ngroupId=%s\nartifactId=%s\nversion=%s\n"

func pom(group, name, version string) (at, text string) {
	return "META-INF/maven/" + group + "/" + name + "/pom.properties", fmt.Sprintf(properties, group, name, version)
}

func TestJars(t *testing.T) {
	at1, text1 := pom("org.apache.logging.log4j", "log4j-core", "2.14.1")
	at2, text2 := pom("com.google.guava", "guava", "31.0-jre")
	log4j := string(zipOf(t, at1, text1))
	shaded := string(zipOf(t, "META-INF/MANIFEST.MF", "Implementation-Version: 9\r\n", at1, text1, at2, text2))
	spring := string(zipOf(t, "META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nImplementation-Title: spring-core\r\nImplementation-Version: 5.3.\r\n 18\r\n\r\nName: x\r\nImplementation-Version: 1\r\n"))
	boot := zipOf(t, "META-INF/MANIFEST.MF", "Main-Class: x\r\n", "BOOT-INF/classes/x.class", "", "BOOT-INF/lib/log4j-core-2.14.1.jar|store", log4j, "BOOT-INF/lib/spring-core-5.3.18.jar|store", spring, "BOOT-INF/lib/odd-1.0.jar", string(zipOf(t, "x", "")))
	ear := zipOf(t, "shop.war", string(zipOf(t, "WEB-INF/lib/shaded.jar", shaded)))
	parent := zipOf(t, "META-INF/maven/g.h/a/pom.xml", `<project><parent><groupId>g.h</groupId><version>1.5</version></parent><artifactId>a</artifactId></project>`)
	for name, tt := range map[string]struct{ at, text, want string }{
		"one":                      {"x/log4j.jar", log4j, "Maven org.apache.logging.log4j:log4j-core 2.14.1"},
		"shaded":                   {"x.jar", shaded, "Maven com.google.guava:guava 31.0-jre, Maven org.apache.logging.log4j:log4j-core 2.14.1"},
		"an application's jar":     {"app.jar", string(boot), "Maven org.apache.logging.log4j:log4j-core 2.14.1 in BOOT-INF/lib/log4j-core-2.14.1.jar, Maven org.springframework:spring-core 5.3.18 in BOOT-INF/lib/spring-core-5.3.18.jar, odd 1.0 in BOOT-INF/lib/odd-1.0.jar"},
		"ear, war, shaded":         {"shop.ear", string(ear), "Maven com.google.guava:guava 31.0-jre in shop.war!/WEB-INF/lib/shaded.jar, Maven org.apache.logging.log4j:log4j-core 2.14.1 in shop.war!/WEB-INF/lib/shaded.jar"},
		"a pom alone":              {"a.jar", string(parent), "Maven g.h:a 1.5"},
		"the manifest's version":   {"spring-core.jar", spring, "Maven org.springframework:spring-core 5.3.18"},
		"Tomcat's own":             {"usr/local/tomcat/lib/catalina.jar", string(zipOf(t, "META-INF/MANIFEST.MF", "Implementation-Version: 9.0.50\n")), "Maven org.apache.tomcat:tomcat-catalina 9.0.50"},
		"a plugin of Jenkins":      {"plugins/git.jpi", string(zipOf(t, "META-INF/MANIFEST.MF", "Short-Name: git\nGroup-Id: org.jenkins-ci.plugins\nPlugin-Version: 4.11.3\n")), "Maven org.jenkins-ci.plugins:git 4.11.3"},
		"no group":                 {"mystery-2.0.jar", string(zipOf(t, "META-INF/MANIFEST.MF", "A: b\n")), "mystery 2.0"},
		"neither name nor version": {"x.jar", string(zipOf(t, "a/B.class", "")), "x"},
		"another rar":              {"x.rar", "Rar!\x1a\x07\x00", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := readAt(t, tt.at, tt.text); got != tt.want || err != nil {
				t.Errorf("got  %s, %v\nwant %s", got, err, tt.want)
			}
		})
	}
}

func TestHostileJars(t *testing.T) {
	at, text := pom("g.h", "a", "1")
	deep := string(zipOf(t, at, text))
	for range maxJarDepth + 1 {
		deep = string(zipOf(t, "x.jar", deep))
	}
	good := string(zipOf(t, at, text, "a.jar", "no archive"))
	big := zipOf(t, at, text)
	long := string(zipOf(t, at, strings.Repeat("x", maxText+1)))
	for name, tt := range map[string]struct{ text, told, want string }{
		"too deep":         {deep, "", "deep in one another"},
		"broken inside":    {good, "Maven g.h:a 1", "no whole archive"},
		"cut off":          {string(big[:len(big)-30]), "", "no whole archive"},
		"a long text":      {long, "", "more than"},
		"nothing but ends": {strings.Repeat("PK\x05\x06", 100), "", "no whole archive"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readAt(t, "x.jar", tt.text)
			if got != tt.told || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, %v, want %q and %q", got, err, tt.told, tt.want)
			}
		})
	}
}

// TestRpmInImages reads a database through a layer, gives it the ecosystem of its distribution, and marks what it owns.
func TestRpmInImages(t *testing.T) {
	for _, name := range []string{"rpmdb.sqlite", "Packages", "Packages.db"} {
		raw, err := os.ReadFile(filepath.Join("..", "rpmdb", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		root := files(t, map[string][]byte{
			"etc/os-release": []byte("ID=\"almalinux\"\nVERSION_ID=\"9.4\"\n"), "var/lib/rpm/" + name: raw,
			"opt/tool": []byte("x"), "opt/server/bin": []byte("x"),
		})
		img, c := mustRead(t, root, Options{})
		if got, want := told(img), "coaming-server 7:1.2.3-4.el9 @0, tool 1.2.3-4.el9 @0"; got != want || !c.Complete() {
			t.Fatalf("%s: got %s, gaps %v", name, got, c.Gaps)
		}
		p := img.Packages[0]
		if p.Ecosystem != "AlmaLinux:9" || p.Source != "coaming" || p.SourceVersion != "7:1.2.3-4.el9" || p.Module != "shop:1:20261122:abcdef" || p.Architecture != "noarch" || strings.Join(p.Files, " ") != "opt/server opt/server/bin" {
			t.Errorf("%s: got %+v", name, p)
		}
		if img.System.EndOfLife != "2032-05-31" {
			t.Errorf("%s: %+v", name, img.System)
		}
	}
}

func TestDistributions(t *testing.T) {
	for text, want := range map[string]string{
		"ID=almalinux\nVERSION_ID=9.4":                "AlmaLinux:9",
		"ID=\"rocky\"\nVERSION_ID=8.9":                "Rocky Linux:8",
		"ID=ol\nVERSION_ID=8.9":                       "Oracle Linux:8",
		"ID=amzn\nVERSION_ID=2023":                    "Amazon Linux:2023",
		"ID=fedora\nVERSION_ID=40":                    "Fedora:40",
		"ID=centos\nVERSION_ID=7":                     "centos:7",
		"ID=sles\nVERSION_ID=15.5":                    "SUSE:Linux Enterprise Server 15 SP5",
		"ID=sles\nVERSION_ID=15":                      "SUSE:Linux Enterprise Server 15",
		"ID=sle-micro\nVERSION_ID=5.5":                "SUSE:Linux Enterprise Micro 5.5",
		"ID=opensuse-leap\nVERSION_ID=15.6":           "openSUSE:Leap 15.6",
		"ID=opensuse-tumbleweed\nVERSION_ID=20240101": "openSUSE:Tumbleweed",
		"ID=rhel\nVERSION_ID=9.4\nCPE_NAME=\"cpe:/o:redhat:enterprise_linux:9::baseos\"": "Red Hat:enterprise_linux:9::baseos",
		"ID=rhel\nVERSION_ID=9.4":                                     "Red Hat:9",
		"ID=openEuler\nVERSION_ID=22.03\nVERSION=\"22.03 (LTS-SP3)\"": "openEuler:22.03-LTS-SP3",
		"ID=mariner\nVERSION_ID=2.0":                                  "Azure Linux:2",
		"ID=photon\nVERSION_ID=5.0":                                   "Photon OS:5.0",
		"ID=wolfi\nVERSION_ID=20230201":                               "Wolfi",
		"ID=alpine\nVERSION_ID=3.21.0_alpha20240807":                  "Alpine:edge",
		"ID=debian": "Debian",
	} {
		f, err := readRelease(&input{size: int64(len(text)), r: strings.NewReader(text)})
		if err != nil {
			t.Fatal(err)
		}
		if got := purl.Distribution(f.system); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	if purl.Distribution(&fact.System{}) != "" {
		t.Error("nothing has an ecosystem")
	}
}
