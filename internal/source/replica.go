package source

import (
	"crypto/sha256"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// Thrift leaves out early what a large cluster has most of and a question about the whole of it does
// not ask: an inventory judges pods through their controller and tells equal ones apart by nothing
// (fact.NewInventory), so that one of each kind is enough.
type Thrift struct {
	// Replicas keeps what an inventory judges through another object only as a number in that one's
	// Replicas: pods that are what their controller says, ReplicaSets of a Deployment, all but one of
	// the pods of a controller that was not read and that are equal but for their name and place.
	Replicas bool
	// Kinds are those that are asked for; where nothing that runs containers is among them, known
	// kinds that do are left out. Empty is all.
	Kinds []string
}

// The reasons that coverage gives for what thrift left out.
var (
	equalPods    = verdict.Exclusion{What: "pods that are equal to another one of their controller", Reason: "that one stands for all of them", Count: 1}
	judgedElse   = verdict.Exclusion{What: "pods, ReplicaSets and Jobs that are what their controller says", Reason: "it stands for them"}
	oldRevisions = verdict.Exclusion{What: "old revisions of Deployments, scaled to nothing", Reason: "they run nothing", Count: 1}
	noQuestion   = verdict.Exclusion{What: "what runs containers", Reason: "the question is not about it", Count: 1}
)

// fold leaves out what stands for itself in another object, now that all are read.
func (t Thrift) fold(r *Reading) {
	if !t.Replicas {
		return
	}
	before := len(r.Objects)
	r.Objects = fact.Fold(r.Objects)
	if left := before - len(r.Objects); left > 0 {
		told := judgedElse
		told.Count = left
		r.leaveOut(told)
	}
}

// thrifty decides what of one reading is kept; it is used by one goroutine at a time.
type thrifty struct {
	replicas bool
	without  map[string]bool                    // kinds that are left out
	first    map[[sha256.Size]byte]*fact.Object // the pods that stand for others, by the sum of what they share
	carriers map[string]string                  // the namespaces of Deployments, by uid
	text     []byte
	noise    podNoise
}

func (t Thrift) start() *thrifty {
	s := &thrifty{replicas: t.Replicas, first: map[[sha256.Size]byte]*fact.Object{}, carriers: map[string]string{}, without: map[string]bool{}}
	if len(t.Kinds) > 0 && !runsContainers(t.Kinds) {
		for _, kind := range fact.PodKinds() {
			s.without[kind] = true
		}
	}
	return s
}

// leaves says why an object need not be kept; nil for one that is to be.
func (t *thrifty) leaves(o *fact.Object) *verdict.Exclusion {
	kind := o.GroupKind()
	switch {
	case t.without[kind]:
		return &noQuestion
	case !t.replicas:
		return nil
	case kind == "Deployment.apps" && o.Root.At("spec", "template", "spec").Kind() == document.Map:
		t.carriers[o.Root.At("metadata", "uid").Str()] = o.Namespace
		return nil
	case kind == "ReplicaSet.apps" && fact.Idle(o) && t.carried(o):
		return &oldRevisions
	case kind != "Pod" || o.Doubt != "" || !made(o):
		return nil
	}
	t.text = o.Root.AppendJSONWithout(t.text[:0], t.noise.drop)
	sum := sha256.Sum256(t.text)
	if first := t.first[sum]; first != nil {
		first.Replicas++
		return &equalPods
	}
	t.first[sum] = o
	return nil
}

// carried says whether the Deployment that a ReplicaSet belongs to was read before it.
func (t *thrifty) carried(o *fact.Object) bool {
	uid, kind := fact.Controller(o)
	namespace, known := t.carriers[uid]
	return known && uid != "" && kind == "Deployment" && namespace == o.Namespace
}

// made says whether a controller made the pod; what the kubelet mirrors was not.
func made(pod *fact.Object) bool {
	uid, kind := fact.Controller(pod)
	return uid != "" && kind != "Node"
}

// podNoise says what of a pod differs between replicas and changes nothing that an inventory reads of
// them; see fact.Workload's shape. Where it stands decides: an environment variable may have any name.
type podNoise struct{ top, second string }

func (n *podNoise) drop(depth int, key string, entry document.Value) bool {
	switch depth {
	case 1:
		n.top = key
		return key == "status"
	case 2:
		n.second = key
		if n.top == "metadata" {
			return key != "namespace" && key != "labels" && key != "annotations" && key != "ownerReferences"
		}
		return n.top == "spec" && (key == "nodeName" || key == "hostname" || key == "affinity")
	case 3:
		if n.top != "metadata" {
			break
		}
		return n.second == "labels" && perReplica[key] ||
			n.second == "annotations" && !strings.HasPrefix(key, "container.apparmor.security.beta.kubernetes.io/")
	}
	if n.top != "spec" {
		return false
	}
	// A volume's name, and a mount's, where admission made it up; a claim, as a StatefulSet's pods have
	// one each. The items of a list stand one deeper than the list.
	switch {
	case n.second == "volumes" && depth == 4:
		return key == "persistentVolumeClaim" || key == "name" && strings.HasPrefix(entry.Str(), tokenVolume)
	case depth == 6 && key == "name":
		return strings.HasPrefix(entry.Str(), tokenVolume)
	}
	return false
}

// tokenVolume begins the name of the volume in which admission mounts a service account's token.
const tokenVolume = "kube-api-access-"

// perReplica are the labels that controllers give each pod a value of its own.
var perReplica = map[string]bool{
	"statefulset.kubernetes.io/pod-name": true, "apps.kubernetes.io/pod-index": true, "batch.kubernetes.io/job-completion-index": true,
}
