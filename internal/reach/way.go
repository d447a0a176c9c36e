package reach

import "github.com/coaming/coaming/internal/fact"

// Way is a way in from outside of the cluster.
type Way struct {
	Object *fact.Object
}

type jsonWay struct{}

func (w *Way) json() jsonWay { return jsonWay{} }
func (w *Way) text(n *Network) string { return "" }

var wayKinds = []string{"Ingress.networking.k8s.io"}

func exposed(o *fact.Object) bool { return false }

func (n *Network) behindRoute(o *fact.Object) bool { return false }

func (n *Network) findWays() {}
