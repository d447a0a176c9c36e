package image

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMavenRepository reads the archives of a repository as Debian lays it out, GROUP/ARTIFACT/VERSION/ARTIFACT-VERSION.jar, and
// holds those that carry Maven's own notes to the place that they stand in.
func TestMavenRepository(t *testing.T) {
	const root = "/usr/share/maven-repo"
	asked := 0
	_ = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, ".jar") || asked >= 200 {
			return nil //nolint:nilerr // what is not there is not asked for
		}
		at, _ := filepath.Rel(root, file)
		parts := strings.Split(filepath.ToSlash(at), "/")
		if len(parts) < 4 || parts[len(parts)-2] == "debian" || strings.HasSuffix(parts[len(parts)-2], ".x") { // Debian's words for any release
			return nil
		}
		n := len(parts)
		want := "Maven " + strings.Join(parts[:n-3], ".") + ":" + parts[n-3] + " " + parts[n-2]
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil //nolint:nilerr // a link to what is not installed
		}
		got, err := readAt(t, "x/"+parts[n-1], string(raw))
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if strings.Contains(got, "Maven "+strings.Join(parts[:n-3], ".")+":"+parts[n-3]+" ") {
			if asked++; !strings.Contains(got+",", want+",") {
				t.Errorf("%s: got %s", file, got)
			}
		}
		return nil
	})
	t.Logf("%d archives asked", asked)
	if asked == 0 {
		t.Skip("no repository of Maven here")
	}
}

// TestJarTool packs archives with the tool of the JDK, one in the other, as builds do.
func TestJarTool(t *testing.T) {
	if _, err := exec.LookPath("jar"); err != nil {
		t.Skip("no jar here to pack an archive with")
	}
	at, text := pom("com.example", "shop-core", "1.4.0")
	dir := files(t, map[string][]byte{"in/" + at: []byte(text), "out/WEB-INF/x": nil, "MF": []byte("Implementation-Version: 7\n")})
	for _, args := range [][]string{{"cf", "out/WEB-INF/shop-core.jar", "-C", "in", "."}, {"c0fm", "shop.war", "MF", "-C", "out", "."}} {
		cmd := exec.CommandContext(t.Context(), "jar", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Skipf("jar does not pack here: %v %s", err, out)
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "shop.war"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := readAt(t, "shop.war", string(raw)); got != "Maven com.example:shop-core 1.4.0 in WEB-INF/shop-core.jar, shop 7" || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
}
