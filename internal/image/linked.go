package image

import (
	"path"
	"strings"
)

// follow adds the packages of Node.js that stand where a link leads to them: node_modules itself, or a directory in it. What is
// read by its own path is there already.
func (a *assembly) follow() {
	if len(a.asides) == 0 {
		return
	}
	v := viewOf(a.strata...)
	own, children := map[string]*placed{}, map[string][]*placed{} // by the package's directory, and by what would be its node_modules
	for i := range a.asides {
		p := &a.asides[i]
		dir := path.Dir(p.at)
		own[dir] = p
		parent := path.Dir(dir)
		if strings.HasPrefix(path.Base(parent), "@") {
			parent = path.Dir(parent)
		}
		children[parent] = append(children[parent], p)
	}
	take := func(p *placed) {
		for _, pkg := range p.packages {
			pkg.Place, pkg.Layer, pkg.Since = p.at, p.layer, p.layer
			a.image.Packages = append(a.image.Packages, pkg)
		}
		p.packages = nil // once, however many links lead there
	}
	v.records(func(r *record, _, by int) {
		if by >= 0 || !r.isLink() || !strings.Contains("/"+r.path+"/", "/node_modules/") {
			return
		}
		target, ok := v.resolve(r.path)
		switch {
		case !ok:
		case path.Base(r.path) == "node_modules":
			for _, p := range children[target] {
				take(p)
			}
		case strings.HasPrefix(path.Base(r.path), "@"): // a scope
			for _, p := range a.asides {
				if path.Dir(path.Dir(p.at)) == target && own[path.Dir(p.at)] != nil {
					take(own[path.Dir(p.at)])
				}
			}
		case isNodePackage(path.Join(r.path, "package.json")) && own[target] != nil:
			take(own[target])
		}
	})
}
