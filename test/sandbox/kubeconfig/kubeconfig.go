// Package kubeconfig writes kubeconfig files for the sandbox's users.
//
// It writes only what a sandbox needs, one cluster and one user with everything embedded, so that a file can be copied
// away from the sandbox's directory and so that the commands that need only this do not load client-go.
package kubeconfig

import (
	"fmt"

	"sigs.k8s.io/yaml"

	"github.com/coaming/coaming/test/sandbox/pki"
)

// name is that of the one cluster and the one context in every file.
const name = "sandbox"

type file struct {
	APIVersion     string         `json:"apiVersion"`
	Kind           string         `json:"kind"`
	CurrentContext string         `json:"current-context"`
	Clusters       []namedCluster `json:"clusters"`
	Contexts       []namedContext `json:"contexts"`
	Users          []namedUser    `json:"users"`
}

type namedCluster struct {
	Name    string `json:"name"`
	Cluster struct {
		Server string `json:"server"`
		CA     []byte `json:"certificate-authority-data"`
	} `json:"cluster"`
}

type namedContext struct {
	Name    string `json:"name"`
	Context struct {
		Cluster string `json:"cluster"`
		User    string `json:"user"`
	} `json:"context"`
}

type namedUser struct {
	Name string `json:"name"`
	User struct {
		Cert []byte `json:"client-certificate-data"`
		Key  []byte `json:"client-key-data"`
	} `json:"user"`
}

// New is the kubeconfig of a user who shows a client certificate to server, whose own certificate ca has signed.
func New(server string, ca []byte, user string, client pki.Pair) ([]byte, error) {
	cluster := namedCluster{Name: name}
	cluster.Cluster.Server, cluster.Cluster.CA = server, ca
	context := namedContext{Name: name}
	context.Context.Cluster, context.Context.User = name, user
	credentials := namedUser{Name: user}
	credentials.User.Cert, credentials.User.Key = client.Cert, client.Key

	data, err := yaml.Marshal(file{
		APIVersion:     "v1",
		Kind:           "Config",
		CurrentContext: name,
		Clusters:       []namedCluster{cluster},
		Contexts:       []namedContext{context},
		Users:          []namedUser{credentials},
	})
	if err != nil {
		return nil, fmt.Errorf("encode kubeconfig of %s: %w", user, err)
	}
	return data, nil
}
