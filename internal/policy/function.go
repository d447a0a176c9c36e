package policy

import (
	"fmt"
	"strings"

	"github.com/google/cel-go/common/ast"
)

// imageParts are the parts of an image reference as expressions on a string _s: image() spelt out.
// rule/function.go is what they must give, a test compares the two.
var imageParts = func() map[string]string {
	const (
		name   = `_s.split("@")[0]`
		tagged = name + `.find(":[^/:]*$")` // ":tag", or nothing
		path   = `[` + name + `].map(_n, _n.substring(0, size(_n) - size(_n.find(":[^/:]*$"))))`
		// The first part is a registry where it has a dot, a port or a capital, or is localhost.
		hosted   = `_p.contains("/") && _p.split("/")[0].matches("[.:A-Z]|^localhost$")`
		registry = `(` + hosted + ` ? (_p.split("/")[0] == "index.docker.io" ? "docker.io" : _p.split("/")[0]) : "docker.io")`
		rest     = `(` + hosted + ` ? _p.substring(_p.indexOf("/") + 1) : _p)`
		repo     = `(` + registry + ` == "docker.io" && !` + rest + `.contains("/") ? "library/" + ` + rest + ` : ` + rest + `)`
	)
	return map[string]string{
		"registry":   path + `.map(_p, ` + registry + `)[0]`,
		"repository": path + `.map(_p, ` + repo + `)[0]`,
		"tag":        tagged + `.replace(":", "")`,
		"digest":     `_s.find("(?s)@.*").replace("@", "", 1)`,
		"valid": path + `.map(_p, [` + repo + `].exists(_r, size(_r) <= 255 && _r.matches("^[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*$")) && ` +
			registry + `.matches("^([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\\[[a-fA-F0-9:]+\\])(:[0-9]+)?$"))[0] && ` +
			`(` + tagged + ` == "" || ` + tagged + `.matches("^:\\w[\\w.-]{0,127}$")) && ` +
			`(!_s.contains("@") || _s.find("(?s)@.*").matches("^@(sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128})$"))`,
	}
}()

// imagePart is one part of the reference that an expression gives; the expression stands in it once.
func imagePart(reference ast.Expr, part string) (ast.Expr, error) {
	text, found := imageParts[part]
	if !found {
		return nil, fmt.Errorf("image() has no part %q", part)
	}
	return snippet(`[_x].map(_s, `+text+`)[0]`, map[string]ast.Expr{"_x": reference}), nil
}

// imageMap is all parts of a reference.
func imageMap(reference ast.Expr) ast.Expr {
	var entries []string
	for _, part := range []string{"registry", "repository", "tag", "digest", "valid"} {
		entries = append(entries, fmt.Sprintf("%q: dyn(%s)", part, imageParts[part]))
	}
	return snippet(`[_x].map(_s, {`+strings.Join(entries, ", ")+`})[0]`, map[string]ast.Expr{"_x": reference})
}

// grants spells the function of that name out. rules is a list of rules of a role.
func grants(args []ast.Expr) ast.Expr {
	const any = `_g.?%[1]s.orValue([]).exists(_v, _v in [%[2]s, "*"])`
	resource := fmt.Sprintf(any, "resources", "_resource")
	switch name, known := quoted(args[3]); {
	case known && strings.Contains(name, "/"):
		_, sub, _ := strings.Cut(name, "/")
		resource = strings.Replace(resource, `"*"]`, fmt.Sprintf(`"*", %q]`, "*/"+sub), 1)
	case !known:
		resource = `(` + resource + ` || _resource.contains("/") && ("*" + _resource.substring(_resource.indexOf("/"))) in _g.?resources.orValue([]))`
	}
	return snippet(`_rules.exists(_g, size(_g.?resourceNames.orValue([])) == 0 && `+
		fmt.Sprintf(any, "verbs", "_verb")+` && `+fmt.Sprintf(any, "apiGroups", "_group")+` && `+resource+`)`,
		map[string]ast.Expr{"_rules": args[0], "_verb": args[1], "_group": args[2], "_resource": args[3]})
}

// notNative are Coaming's functions that CEL cannot spell out, with the reason.
var notNative = map[string]string{
	"credential": "credential() is not a function of the API server",
	"base64text": "the API server's expressions cannot decode base64",
}
