package install

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/coaming/coaming/internal/certificate"
)

const authoritySecret = "coaming-gate-ca"

// serverName is the name by which the API server asks the gate.
const serverName = gateName + "." + Namespace + ".svc"

// The keys of a Secret of type kubernetes.io/tls; the bundle is what the API server is to believe.
const (
	certificateKey = "tls.crt"
	keyKey         = "tls.key"
	bundleKey      = "ca.crt"
)

// authority is the Secret of the gate's authority: the one that is there, or its successor where it ends within the year, or
// the first. bundle is what the API server is to believe: while an authority is replaced, both. write says whether the
// Secret is to be written; one that holds stays as it is, or every installation would have the gate serve another name.
func (c *Cluster) authority(ctx context.Context, now time.Time) (secret *Object, bundle []byte, write bool, err error) {
	there, err := c.get(ctx, c.kindNamed("Secret"), Namespace, authoritySecret)
	if err != nil {
		return nil, nil, false, err
	}
	var old []byte
	if there != nil {
		text := func(name string) []byte {
			data, _, _ := unstructured.NestedString(there.Object, "data", name)
			return decoded(data)
		}
		a, err := certificate.ReadAuthority(text(certificateKey), text(keyKey))
		if err != nil {
			return nil, nil, false, fmt.Errorf("the Secret %s: %w", authoritySecret, err)
		}
		old = text(certificateKey)
		if bundle, err = certificate.Bundle(now, old, text(bundleKey)); err == nil && !a.Fading(now) {
			return there, bundle, false, nil
		}
	}
	next, err := certificate.NewAuthority([]string{serverName}, now, certificate.AuthorityLife)
	if err != nil {
		return nil, nil, false, err
	}
	text, key, err := next.PEM()
	if err != nil {
		return nil, nil, false, err
	}
	if bundle, err = certificate.Bundle(now, text, old); err != nil {
		return nil, nil, false, err
	}
	encode := base64.StdEncoding.EncodeToString
	return &Object{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
		"metadata": map[string]any{"name": authoritySecret, "namespace": Namespace, "labels": ownLabels()},
		"data":     map[string]any{certificateKey: encode(text), keyKey: encode(key), bundleKey: encode(bundle)},
	}}, bundle, true, nil
}

// ownLabels are those of what is made beside the chart.
func ownLabels() map[string]any {
	return map[string]any{
		"app.kubernetes.io/name": gateName, "app.kubernetes.io/component": "gate",
		"app.kubernetes.io/part-of": "coaming", managedBy: "coaming",
	}
}

// decoded is what base64 holds; nothing where it is none, which whoever reads it then tells.
func decoded(text string) []byte {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return data
}
