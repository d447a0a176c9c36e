package policy

import (
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
)

// speltOut is what a rule asks of workload.volumes or workload.mounts, asked of the pod spec: a policy has no such indexes. It is nil
// for what asks nothing of them, or asks it otherwise.
func speltOut(c ast.CallExpr, free func(string) bool) ast.Expr {
	if !free("workload") {
		return nil
	}
	switch c.FunctionName() {
	case "exists": // workload.mounts[?NAME].orValue([]).exists(MOUNT, ASKED)
		list := c.Target()
		if len(c.Args()) != 2 || !isMember(list, "orValue") || c.Args()[0].Kind() != ast.IdentKind {
			return nil
		}
		name := indexed(list.AsCall().Target(), "mounts")
		if name == nil {
			return nil
		}
		mount := c.Args()[0].AsIdent()
		wanted := snippet(`_m.name == _name && _asked`, map[string]ast.Expr{"_m": ident(mount), "_name": name, "_asked": c.Args()[1]})
		among := func(containers string) ast.Expr {
			mounts := snippet(`_c.?volumeMounts.orValue([])`, nil)
			return member(snippet(containers, nil), "exists", ident("_c"), member(mounts, "exists", ident(mount), wanted))
		}
		return call(operators.LogicalOr, call(operators.LogicalOr, among(`workload.spec.containers`),
			among(`workload.spec.?initContainers.orValue([])`)), among(`workload.spec.?ephemeralContainers.orValue([])`))
	case "orValue": // workload.volumes[?NAME].optMap(VOLUME, ASKED).orValue(false)
		of := c.Target()
		if len(c.Args()) != 1 || !isBool(c.Args()[0], false) || !isMember(of, "optMap") || len(of.AsCall().Args()) != 2 {
			return nil
		}
		name := indexed(of.AsCall().Target(), "volumes")
		if name == nil {
			return nil
		}
		volume, asked := of.AsCall().Args()[0], of.AsCall().Args()[1]
		wanted := snippet(`_v.name == _name && _asked`, map[string]ast.Expr{"_v": volume, "_name": name, "_asked": asked})
		return member(snippet(`workload.spec.?volumes.orValue([])`, nil), "exists", volume, wanted)
	}
	return nil
}

// indexed is the name under which an index of the workload is asked, workload.INDEX[?NAME]; nil for anything else.
func indexed(e ast.Expr, index string) ast.Expr {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != operators.OptIndex || len(e.AsCall().Args()) != 2 {
		return nil
	}
	of := e.AsCall().Args()[0]
	if of.Kind() != ast.SelectKind || of.AsSelect().FieldName() != index || of.AsSelect().Operand().Kind() != ast.IdentKind ||
		of.AsSelect().Operand().AsIdent() != "workload" {
		return nil
	}
	return e.AsCall().Args()[1]
}

func isMember(e ast.Expr, function string) bool {
	return e.Kind() == ast.CallKind && e.AsCall().IsMemberFunction() && e.AsCall().FunctionName() == function
}
