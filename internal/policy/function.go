package policy

import (
	"fmt"
	"strconv"
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
	const publisher = registry + ` + [` + repo + `].map(_r, _r.contains("/") ? "/" + _r.split("/")[0] : "")[0]`
	return map[string]string{
		"publisher":  path + `.map(_p, ` + publisher + `)[0]`,
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

// imageName stands for what is known of a container's image.
const imageName = "_image"

// referenceParts are the parts of image references that referenceText gives: those of imageParts but whether it is one.
var referenceParts = []string{"registry", "repository", "tag", "digest", "publisher"}

// referenceText are the parts of the reference of the container c, which other parts follow from, each once; nothing where it has none.
const referenceText = `c.?image.optMap(_s, [_s.split("@")[0]].map(_n, [_n.find(":[^/:]*$")].map(_t, [_n.substring(0, size(_n) - size(_t))].map(_p, ` +
	`[_p.contains("/") && _p.split("/")[0].matches("[.:A-Z]|^localhost$")].map(_h, ` +
	`[_h ? (_p.split("/")[0] == "index.docker.io" ? "docker.io" : _p.split("/")[0]) : "docker.io"].map(_g, ` +
	`[_h ? _p.substring(_p.indexOf("/") + 1) : _p].map(_e, [_g == "docker.io" && !_e.contains("/") ? "library/" + _e : _e].map(_r, ` +
	`dyn({"registry": _g, "repository": _r, "tag": _t.replace(":", ""), "digest": _s.find("(?s)@.*").replace("@", "", 1), ` +
	`"publisher": _g + (_r.contains("/") ? "/" + _r.split("/")[0] : "")}))[0])[0])[0])[0])[0])[0])[0])`

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
	for _, part := range []string{"registry", "repository", "tag", "digest", "publisher", "valid"} {
		entries = append(entries, fmt.Sprintf("%q: dyn(%s)", part, imageParts[part]))
	}
	return snippet(`[_x].map(_s, {`+strings.Join(entries, ", ")+`})[0]`, map[string]ast.Expr{"_x": reference})
}

// grants spells the function of that name out. rules is a list of rules of a role.
func grants(args []ast.Expr) ast.Expr {
	names := map[string]ast.Expr{"_rules": args[0], "_verbs": several(args[1]), "_group": args[2], "_resources": several(args[3])}
	verbs := `_verbs.exists(_a, _g.?verbs.orValue([]).exists(_v, (_v == _a || _v == "*")))`
	if known, ok := allQuoted(names["_verbs"]); ok {
		names["_known"] = textList(append(known, "*"))
		verbs = `_g.?verbs.orValue([]).exists(_v, _v in _known)`
	}
	resources := `_resources.exists(_a, _g.?resources.orValue([]).exists(_v, (_v == _a || _v == "*") || _a.contains("/") && _v == "*" + _a.substring(_a.indexOf("/"))))`
	if known, ok := allQuoted(names["_resources"]); ok {
		names["_all"] = textList(granting(known))
		resources = `_g.?resources.orValue([]).exists(_v, _v in _all)`
	}
	return snippet(`_rules.exists(_g, size(_g.?resourceNames.orValue([])) == 0 && `+verbs+
		` && _g.?apiGroups.orValue([]).exists(_v, _v == _group || _v == "*") && `+resources+`)`, names)
}

// coversInternet spells the function of that name out: the shares of the blocks that no other of the list holds
// are added up, those of equal ones divided among them.
func coversInternet(blocks ast.Expr) ast.Expr {
	var shares []string
	for bits := range 25 {
		shares = append(shares, strconv.FormatFloat(1/float64(int(1)<<bits), 'f', -1, 64))
	}
	shares[0] = "1.0"
	const widest = `.filter(_c, !_w.exists(_o, _o.prefixLength() < _c.prefixLength() && _o.containsCIDR(_c)))`
	sum := func(which string) string {
		return `_w.filter(_c, ` + which + `)` + widest + `.map(_c, [` + strings.Join(shares, ", ") + `][_c.prefixLength()] / double(_w.filter(_o, _o == _c).size())).sum()`
	}
	return snippet(`[_blocks.map(_t, _t.trim()).filter(_t, isCIDR(_t)).map(_t, cidr(_t).masked()).filter(_c, _c.prefixLength() <= 24)].exists(_w, `+
		sum(`_c.ip().family() == 4`)+` >= 0.5 || `+sum(`_c.ip().family() == 6`)+` >= 0.5 || _w.exists(_c, _c.containsCIDR("2000::/3")) || `+
		sum(`cidr("2000::/3").containsCIDR(_c)`)+` >= 0.0625)`, map[string]ast.Expr{"_blocks": blocks})
}

// several is a text or a list of them as a list.
func several(e ast.Expr) ast.Expr {
	if e.Kind() == ast.ListKind {
		return e
	}
	if _, single := quoted(e); single {
		return factory.NewList(0, []ast.Expr{e}, nil)
	}
	return snippet(`type(_x) == list ? dyn(_x) : dyn([_x])`, map[string]ast.Expr{"_x": e})
}

// allQuoted are the strings of a list that holds nothing else, and holds some.
func allQuoted(e ast.Expr) (list []string, ok bool) {
	if e.Kind() != ast.ListKind || len(e.AsList().Elements()) == 0 {
		return nil, false
	}
	for _, item := range e.AsList().Elements() {
		s, ok := quoted(item)
		if !ok {
			return nil, false
		}
		list = append(list, s)
	}
	return list, true
}

// textList is a list of strings.
func textList(list []string) ast.Expr {
	var items []ast.Expr
	for _, s := range list {
		items = append(items, text(s))
	}
	return factory.NewList(0, items, nil)
}

// notNative are Coaming's functions that CEL cannot spell out, with the reason.
var notNative = map[string]string{
	"credential":  "credential() is not a function of the API server",
	"credentials": "credentials() is not a function of the API server",
	"guessable":   "guessable() is not a function of the API server",
	"base64text":  "the API server's expressions cannot decode base64",
}
