package image

import (
	"archive/tar"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocker asks what answers as Docker's engine does on its socket.
func TestDocker(t *testing.T) {
	layer := tarOf(t, node("a", "1"))
	config := `{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":["` + digestOf(layer) + `"]}}`
	archive := tarOf(t, tar.Header{Name: "x/layer.tar", Linkname: string(layer)}, tar.Header{Name: "c.json", Linkname: config},
		tar.Header{Name: "manifest.json", Linkname: `[{"Config":"c.json","RepoTags":["shop:1"],"Layers":["x/layer.tar"]}]`})
	socket := filepath.Join(t.TempDir(), "d.sock")
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Skip("no Unix sockets here: ", err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec // of this test alone
		if r.URL.Path != "/images/team/shop:1/get" {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"message":"No such image: gone:1"}`))
			return
		}
		_, _ = w.Write(archive)
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	img, c := mustRead(t, "docker-daemon://team/shop:1", Options{DockerSocket: socket})
	if told(img) != "a 1 @0" || !c.Complete() || img.Form != "docker-daemon" {
		t.Errorf("got %s, %+v, gaps %v", told(img), img, c.Gaps)
	}
	for name, want := range map[string]string{"gone:1": "No such image", "../../info": "No such image"} {
		if _, _, err := Read(t.Context(), "docker-daemon://"+name, Options{DockerSocket: socket}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := Read(t.Context(), "docker-daemon://shop:1", Options{DockerSocket: socket + "x"}); err == nil {
		t.Error("there is no engine, and no error")
	}
}
