package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/rule"
)

// nativeFacts are the parts of rule variables that the admitted object alone tells, as expressions
// on it. Any other part needs objects that the API server does not hand to a policy.
var nativeFacts = map[string]map[string]string{
	"workload": {
		"kind":        `object.kind`,
		"name":        nameText,
		"namespace":   namespaceText,
		"spec":        `variables.template.spec`,
		"labels":      `variables.template.?metadata.?labels.orValue({})`,
		"annotations": `variables.template.?metadata.?annotations.orValue({})`,
		"os":          `variables.template.spec.?os.?name.orValue("") == "windows" ? "windows" : "linux"`,
	},
	"ns": {
		"name":        nameText,
		"labels":      `dyn(object).metadata.?labels.orValue({})`,
		"annotations": `dyn(object).metadata.?annotations.orValue({})`,
	},
	"binding": {
		"kind":      `object.kind`,
		"name":      nameText,
		"namespace": namespaceText,
		"role":      `{"kind": dyn(object).roleRef.?kind.orValue(""), "name": dyn(object).roleRef.?name.orValue("")}`,
		"subjects": `dyn(object).?subjects.orValue([]).map(s, {"kind": s.?kind.orValue(""), "name": s.?name.orValue(""), ` +
			`"namespace": s.?namespace.orValue("") == "" && s.?kind.orValue("") == "ServiceAccount" ? ` + namespaceText + ` : s.?namespace.orValue("")})`,
	},
}

const (
	nameText      = `dyn(object).metadata.?name.orValue(dyn(object).metadata.?generateName.orValue(""))`
	namespaceText = `dyn(object).metadata.?namespace.orValue("")`
)

// notAsked are facts of which a policy has no use, with the reason.
var notAsked = map[string]string{
	"api":        "the API server itself knows the API versions that it serves, and warns of deprecated ones",
	"cluster":    "it judges the cluster, not an object that is sent to it",
	"support":    "what is supported changes with the calendar, which a policy does not see",
	"beside":     "it needs other objects than the one that is sent",
	"everywhere": "it needs other objects than the one that is sent",
	"selected":   "it needs other objects than the one that is sent",
	"account":    "it needs other objects than the one that is sent",
	"settings":   "settings are used as a whole",
	"image":      "it judges what is inside an image, which the API server does not see",
}

// native rewrites the expressions of one rule.
type native struct {
	rule    *rule.Rule
	version string
	// settings are those that the rule reads.
	settings rule.Settings
	// custom is set for kinds whose fields may be null on the server, those that are not Kubernetes'
	// own above all: the API server keeps their nulls.
	custom bool
	// reads are the parts of rule variables that were read, by variable.
	reads map[string]map[string]bool
	// judged are the object's own parts that are judged: "spec", "metadata.labels"; "" is the whole.
	judged map[string]bool
	role   bool
	purpose
	// imaged is set where a rule of a group reads what is known of each container's image.
	imaged bool
}

// translate rewrites one expression into one of the API server's.
func (n *native) translate(expression string) (ast.Expr, error) {
	e, err := parse(expression)
	if err != nil {
		return nil, err
	}
	return rewrite(e, nil, n.replace)
}

// replace is the replacer of a rule's expressions.
func (n *native) replace(e ast.Expr, free func(string) bool) (ast.Expr, error) {
	if out, err := n.replaceRead(e, free); out != nil || err != nil {
		return out, err
	}
	switch e.Kind() {
	case ast.IdentKind:
		if name := e.AsIdent(); free(name) {
			return n.replaceName(name)
		}
	case ast.CallKind:
		return n.replaceCall(e.AsCall(), free)
	default:
	}
	return nil, nil
}

// replaceRead replaces what reads one part of a variable of the rule, or of an image.
func (n *native) replaceRead(e ast.Expr, free func(string) bool) (ast.Expr, error) {
	of, name, ok := read(e)
	if !ok {
		return nil, nil
	}
	if (name == "presence" || name == "leadsTo") && n.reads["binding"] != nil {
		return nil, errors.New("whether an account or a role is there, and what it leads to, other objects than the one that is sent tell")
	}
	if n.readsImage(of, name, free) {
		n.imaged = true
		return field(ident(imageName), name), nil
	}
	if of.Kind() == ast.CallKind && of.AsCall().FunctionName() == "image" && !of.AsCall().IsMemberFunction() {
		reference, err := n.inner(of.AsCall().Args()[0], free)
		if err != nil {
			return nil, err
		}
		return imagePart(reference, name)
	}
	root, path := rootOf(e)
	if root != "" && free(root) {
		switch root {
		case "object":
			n.noteObject(path)
			if isGiven(path) {
				return given(e, name), nil
			}
			return n.reread(e, call("dyn", ident(root))), nil
		case "workload", "ns", "binding":
			return n.reread(e, variable(root)), n.readFact(root, path)
		case "cluster":
			return n.clusterFact(name)
		case "settings":
			return n.setting(e, path)
		case "api", "support", "beside", "everywhere", "selected", "account", "image":
			return nil, errors.New(notAsked[root])
		}
	}
	if !n.mayBeNull(name) {
		return nil, nil
	}
	if root != "" {
		return n.reread(e, ident(root)), nil
	}
	inner, err := n.inner(of, free)
	if err != nil {
		return nil, err
	}
	return n.step(e, inner, name), nil
}

// readsImage says whether a part of a container's image is read that a group's variables know.
func (n *native) readsImage(of ast.Expr, part string, free func(string) bool) bool {
	if !n.grouped || n.rule.Match.Fact != "container" || !slices.Contains(referenceParts, part) ||
		of.Kind() != ast.CallKind || of.AsCall().FunctionName() != "image" || len(of.AsCall().Args()) != 1 {
		return false
	}
	root, path := rootOf(of.AsCall().Args()[0])
	return root == "container" && free(root) && slices.Equal(path, []string{"image"})
}

// isGiven says whether a path is one that the server gives a value when the object is made, before
// policies see it: to a rule it tells that a server holds the object already.
func isGiven(path []string) bool {
	return len(path) == 2 && path[0] == "metadata" && slices.Contains([]string{"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"}, path[1])
}

// given is the value that the server gave the object before this request.
func given(e ast.Expr, name string) ast.Expr {
	value := factory.NewSelect(0, snippet(`dyn(oldObject).metadata`, nil), name)
	if e.Kind() == ast.SelectKind || e.AsCall().FunctionName() == operators.Index {
		return value
	}
	return snippet(`oldObject == null ? optional.none() : optional.of(_x)`, map[string]ast.Expr{"_x": value})
}

// reread is a chain of reads that begins at another root.
func (n *native) reread(e, root ast.Expr) ast.Expr {
	of, name, ok := read(e)
	if !ok {
		return root
	}
	return n.step(e, n.reread(of, root), name)
}

// step is one read of a chain. Where the API server keeps or makes nulls, a null is read as if it
// were not there.
func (n *native) step(e, of ast.Expr, name string) ast.Expr {
	optional := e.Kind() == ast.CallKind && e.AsCall().FunctionName() != operators.Index
	switch {
	case n.mayBeNull(name):
		whole := snippet(`_x.optFlatMap(_v, dyn(_v) == null ? optional.none() : optional.of(dyn(_v)))`, map[string]ast.Expr{"_x": below(of, []string{name})})
		if optional {
			return whole
		}
		return member(whole, "value")
	case e.Kind() == ast.SelectKind:
		return factory.NewSelect(0, of, name)
	}
	return call(e.AsCall().FunctionName(), of, e.AsCall().Args()[1])
}

func (n *native) inner(e ast.Expr, free func(string) bool) (ast.Expr, error) {
	return rewrite(e, nil, func(e ast.Expr, innerFree func(string) bool) (ast.Expr, error) {
		return n.replace(e, func(name string) bool { return innerFree(name) && free(name) })
	})
}

// readFact notes that a part of a variable is read.
func (n *native) readFact(root string, path []string) error {
	name := path[0]
	if nativeFacts[root][name] == "" || root == "binding" && name == "role" && (len(path) < 2 || path[1] == "rules") {
		if name == "role" {
			name = "role.rules"
		}
		return fmt.Errorf("%s.%s needs other objects than the one that is sent", root, name)
	}
	if n.reads[root] == nil {
		n.reads[root] = map[string]bool{}
	}
	n.reads[root][name] = true
	return nil
}

// noteObject notes which part of the object is judged, so that a change of it calls for a new
// judgement. Its identity and its status do not.
func (n *native) noteObject(path []string) {
	switch {
	case slices.Contains([]string{"apiVersion", "kind", "status"}, path[0]):
	case path[0] != "metadata":
		n.judged[path[0]] = true
	case len(path) == 1:
		n.judged["metadata"] = true
	case path[1] == "labels" || path[1] == "annotations":
		n.judged["metadata."+path[1]] = true
	}
}

// clusterFact is a fact of the cluster that is known when the policy is written.
func (n *native) clusterFact(name string) (ast.Expr, error) {
	switch name {
	case "version":
		return text(n.version), nil
	case "minor":
		_, minor, _ := strings.Cut(n.version, ".")
		number, err := strconv.Atoi(minor)
		return factory.NewLiteral(0, types.Int(number)), err
	case "live":
		return boolean(true), nil
	case "supported", "endOfLife":
		return nil, fmt.Errorf("cluster.%s changes with the calendar, which a policy does not see", name)
	}
	return nil, fmt.Errorf("cluster has no part %q", name)
}

// setting is a list of the user's settings, as it is when the policy is written.
func (n *native) setting(e ast.Expr, path []string) (ast.Expr, error) {
	lists := map[string][]string{
		"registries": n.settings.Registries, "publishers": n.settings.Publishers, "privateRegistries": n.settings.PrivateRegistries,
	}
	list, found := lists[path[0]]
	if !found || len(path) > 1 || e.Kind() != ast.SelectKind {
		return nil, fmt.Errorf("settings have no part %q that is known when the policy is written", strings.Join(path, "."))
	}
	return textList(list), nil
}

func (n *native) replaceName(name string) (ast.Expr, error) {
	switch name {
	case "object":
		n.judged[""] = true
		return call("dyn", ident(name)), nil
	case "workload", "ns", "binding":
		return nil, fmt.Errorf("%s is used as a whole, and parts of it need other objects than the one that is sent", name)
	case "role":
		n.role = true
	case "api", "cluster", "support", "beside", "everywhere", "selected", "account", "settings", "image":
		return nil, errors.New(notAsked[name])
	}
	return nil, nil
}

func (n *native) replaceCall(c ast.CallExpr, free func(string) bool) (ast.Expr, error) {
	if c.IsMemberFunction() {
		if spelt := speltOut(c, free); spelt != nil {
			return n.inner(spelt, free)
		}
		return nil, nil
	}
	if why := notNative[c.FunctionName()]; why != "" {
		return nil, errors.New(why)
	}
	switch c.FunctionName() {
	case "image":
		reference, err := n.inner(c.Args()[0], free)
		if err != nil {
			return nil, err
		}
		return imageMap(reference), nil
	case "coversInternet":
		blocks, err := n.inner(c.Args()[0], free)
		if err != nil {
			return nil, err
		}
		return coversInternet(blocks), nil
	case "grants":
		args, err := n.args(c, free)
		if err != nil {
			return nil, err
		}
		return grants(args), nil
	case "has":
		of, name, ok := read(c.Args()[0])
		if root, path := rootOf(c.Args()[0]); root == "object" && free(root) && isGiven(path) {
			return snippet(`oldObject != null`, nil), nil
		}
		if !ok || !n.mayBeNull(name) {
			return nil, nil
		}
		inner, err := n.inner(of, free)
		if err != nil {
			return nil, err
		}
		return snippet(`_x.orValue(null) != null`, map[string]ast.Expr{"_x": below(inner, []string{name})}), nil
	case "size":
		if len(c.Args()) == 1 {
			inner, err := n.inner(c.Args()[0], free)
			if err != nil || inner.Kind() != ast.ListKind {
				return nil, err
			}
			return factory.NewLiteral(0, types.Int(inner.AsList().Size())), nil
		}
	}
	if slices.Contains(foldable, c.FunctionName()) {
		return n.fold(c, free)
	}
	return nil, nil
}

// foldable are the operations of which the result may be known when the policy is written.
var foldable = []string{
	operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional, operators.Equals, operators.NotEquals,
	operators.In, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals,
}

// fold decides what is already known: the version of the cluster, and that it is live.
func (n *native) fold(c ast.CallExpr, free func(string) bool) (ast.Expr, error) {
	args, err := n.args(c, free)
	if err != nil {
		return nil, err
	}
	return decided(c.FunctionName(), args), nil
}

// args are the arguments of a call, rewritten.
func (n *native) args(c ast.CallExpr, free func(string) bool) ([]ast.Expr, error) {
	var args []ast.Expr
	for _, arg := range c.Args() {
		inner, err := n.inner(arg, free)
		if err != nil {
			return nil, err
		}
		args = append(args, inner)
	}
	return args, nil
}

// folded is a logical operation, or what it comes to where an operand is known.
func folded(function string, args []ast.Expr) ast.Expr {
	switch function {
	case operators.LogicalNot:
		if args[0].Kind() == ast.LiteralKind {
			return not(args[0])
		}
	case operators.Conditional:
		if isBool(args[0], true) {
			return args[1]
		}
		if isBool(args[0], false) {
			return args[2]
		}
	case operators.LogicalAnd, operators.LogicalOr:
		ends := function == operators.LogicalOr
		if isBool(args[0], ends) || isBool(args[1], ends) {
			return boolean(ends)
		}
		if isBool(args[0], !ends) {
			return args[1]
		}
		if isBool(args[1], !ends) {
			return args[0]
		}
	}
	return call(function, args...)
}

// rootOf is the name that a chain of reads begins with, and its fields; "" where it begins with no name.
func rootOf(e ast.Expr) (root string, path []string) {
	for {
		of, name, ok := read(e)
		if !ok {
			break
		}
		path = append(path, name)
		e = of
	}
	if e.Kind() != ast.IdentKind {
		return "", nil
	}
	slices.Reverse(path)
	return e.AsIdent(), path
}

// factVariables are the policy's variables for the rule variables that were read, the template first.
func (n *native) factVariables() []Condition {
	var list []Condition
	if f := n.rule.Match.Fact; f == "workload" || f == "container" {
		list = append(list, Condition{"template", templateText})
	}
	for _, root := range []string{"workload", "ns", "binding"} {
		if n.reads[root] == nil {
			continue
		}
		fields := slices.Sorted(maps.Keys(n.reads[root]))
		var entries []string
		for _, name := range fields {
			entries = append(entries, fmt.Sprintf("%q: dyn(%s)", name, nativeFacts[root][name]))
		}
		list = append(list, Condition{root, "{" + strings.Join(entries, ",\n") + "}"})
	}
	return list
}

// nullable are the fields of Kubernetes' own kinds that the API server writes as null when they are
// empty (no omitempty in k8s.io/api) and that validation lets be empty; nullableKinds are kinds that
// have such fields under names that are elsewhere never null.
var (
	nullable      = []string{"rules", "sources", "apiGroup", "secretNamespace"}
	nullableKinds = []string{"LimitRange", "EndpointSlice.discovery.k8s.io", "CSINode.storage.k8s.io", "ResourceClaim.resource.k8s.io", "ResourceClaimTemplate.resource.k8s.io"}
)

// mayBeNull says whether a field that is there may be null.
func (n *native) mayBeNull(name string) bool { return n.custom || slices.Contains(nullable, name) }

// isCustom says whether any of the kinds belongs to a group that is not Kubernetes' own.
func isCustom(kinds []string) bool {
	return slices.ContainsFunc(kinds, func(kind string) bool {
		_, group, _ := strings.Cut(kind, ".")
		return !catalog.IsOwnGroup(group)
	})
}

// keepsNulls says whether fields of any of the kinds may be null.
func keepsNulls(kinds []string) bool {
	return isCustom(kinds) || slices.ContainsFunc(kinds, func(kind string) bool { return slices.Contains(nullableKinds, kind) })
}
