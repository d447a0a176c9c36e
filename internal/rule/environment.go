package rule

import (
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
	"k8s.io/apiserver/pkg/cel/library"
)

// libraries are the functions of Kubernetes' own admission policies (k8s.io/apiserver
// pkg/cel/environment, base.go) and Coaming's own.
func libraries() []cel.EnvOption {
	return []cel.EnvOption{
		cel.HomogeneousAggregateLiterals(),
		cel.DefaultUTCTimeZone(true),
		cel.OptionalTypes(),
		cel.CrossTypeNumericComparisons(true),
		ext.Strings(ext.StringsVersion(2)),
		ext.Sets(),
		ext.TwoVarComprehensions(),
		library.URLs(),
		library.Regex(),
		library.Lists(),
		library.Quantity(),
		library.IP(),
		library.CIDR(),
		library.Format(),
		library.SemverLib(library.SemverVersion(1)),
		functions(),
	}
}

// environment is the one that programs run in. Variables need no declaration there.
var environment = sync.OnceValues(func() (*cel.Env, error) { return cel.NewEnv(libraries()...) })
