package exception

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// Controllers are the accounts by which Kubernetes makes the objects that belong to others. Anybody may write into an object
// whose it is; as who it is sent, the API server alone says.
var Controllers = func() []string {
	list := []string{"system:kube-controller-manager"}
	for _, name := range []string{"cronjob", "daemon-set", "deployment", "job", "replicaset", "replication", "statefulset"} {
		list = append(list, "system:serviceaccount:kube-system:"+name+"-controller")
	}
	return list
}()

// IsController says whether a user of the API server's is one of Kubernetes' own controllers.
func IsController(user string) bool { return slices.Contains(Controllers, user) }

// Between are the kinds of what controllers make on the way to pods: of a Deployment's pods the owner is a ReplicaSet.
var Between = map[string]string{"Deployment": "ReplicaSet", "CronJob": "Job"}

// Makers are what a controller made the object of, the nearest first: its owner, and whose the owner is, as far as names tell: a
// controller names a ReplicaSet or a Job after what it makes it of, and adds a part without a dash. They are the makers of an object
// that is known to be sent by a controller (fact.Object.Made); of others they are what somebody wrote.
func Makers(o *fact.Object) []verdict.Subject {
	var list []verdict.Subject
	for _, ref := range o.Root.At("metadata", "ownerReferences").Items() {
		if !ref.Get("controller").Bool() {
			continue
		}
		owner := verdict.Subject{APIVersion: ref.Get("apiVersion").Str(), Kind: ref.Get("kind").Str(), Namespace: o.Namespace, Name: ref.Get("name").Str()}
		list = append(list, owner)
		for kind, between := range Between {
			if dash := strings.LastIndexByte(owner.Name, '-'); owner.Kind == between && dash > 0 {
				above := owner
				above.Kind, above.Name = kind, owner.Name[:dash]
				list = append(list, above)
			}
		}
	}
	return list
}

// Covers says whether an exception that names one object is for an object: the one that it names, or what a controller
// made of that one.
func Covers(e *verdict.Exception, o *fact.Object) bool {
	s := &e.Selector
	place := o.Namespace
	if o.GroupKind() == "Namespace" {
		place = o.Name
	}
	if e.Namespace != "" && place != e.Namespace || !Reaches(e, o.Namespace) {
		return false
	}
	labels := o.Labels()
	for key, value := range s.Labels {
		if labels.Get(key).Str() != value {
			return false
		}
	}
	own := verdict.Subject{APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Root.At("metadata", "name").Str()}
	return selects(s, &own) || o.Made && slices.ContainsFunc(Makers(o), func(maker verdict.Subject) bool { return selects(s, &maker) })
}

// selects says whether a selector names an object by kind and name.
func selects(s *verdict.Selector, subject *verdict.Subject) bool {
	kind, group, grouped := strings.Cut(s.Kind, ".")
	return subject.Kind == kind && subject.Name == s.Name && (!grouped || strings.HasPrefix(subject.APIVersion, group+"/"))
}
