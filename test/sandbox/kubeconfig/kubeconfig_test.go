package kubeconfig

import (
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/coaming/coaming/test/sandbox/pki"
)

// kubectl reads the real thing in the test of the whole sandbox; here it is enough that nothing in a name breaks the file.
func TestNew(t *testing.T) {
	for _, user := range []string{"alice", "system:serviceaccount:a:b", `o'"hara: - #`, "true"} {
		data, err := New("https://127.0.0.1:6443", []byte("authority"), user, pki.Pair{Cert: []byte("certificate"), Key: []byte("key")})
		if err != nil {
			t.Fatal(err)
		}
		var got file
		if err := yaml.UnmarshalStrict(data, &got); err != nil {
			t.Fatalf("%v in:\n%s", err, data)
		}
		context := got.Contexts[0]
		if got.CurrentContext != context.Name || context.Context.Cluster != got.Clusters[0].Name || context.Context.User != got.Users[0].Name {
			t.Errorf("names do not match:\n%s", data)
		}
		if got.Users[0].Name != user || string(got.Users[0].User.Key) != "key" || string(got.Clusters[0].Cluster.CA) != "authority" {
			t.Errorf("user %q became:\n%s", user, data)
		}
	}
}
