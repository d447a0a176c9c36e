package image

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
)

// require notes a file, and every link on the way to it.
func (s *slimmer) require(name string) {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	for hops := 0; hops < maxLinks && name != "" && !s.need[name]; hops++ {
		at := name
		for _, dir := range prefixes(name) {
			if _, _, r := s.view.at(dir); r != nil && r.isLink() {
				s.need[dir] = true
				target := r.link
				if !strings.HasPrefix(target, "/") {
					target = path.Join(path.Dir(dir), target)
				}
				at = strings.TrimPrefix(path.Clean("/"+path.Join(target, strings.TrimPrefix(name, dir))), "/")
				break
			}
		}
		if at == name {
			if what, _, _ := s.view.at(name); what != nothing {
				s.need[name] = true
			}
			return
		}
		name = at
	}
}

// prefixes are the directories that a path leads through, the path itself last.
func prefixes(name string) []string {
	var list []string
	for i := range len(name) {
		if name[i] == '/' {
			list = append(list, name[:i])
		}
	}
	return append(list, name)
}

// start requires what the program needs to begin: itself, its interpreter or loader, and their libraries.
func (s *slimmer) start(p *fact.StartProgram) {
	if !p.Found {
		return
	}
	c := &s.image.Contents.Config
	st := starter{view: &s.view, config: c, platform: s.image.Platform}
	s.program(&st, "/"+p.Path)
	words := slices.Concat(c.Entrypoint, c.Command)
	if strings.HasPrefix(words[0], "/") {
		s.require(words[0])
	}
	for _, w := range words[1:] { // scripts and programs that it is given
		if strings.HasPrefix(w, "-") {
			continue
		}
		name := w
		if !strings.HasPrefix(w, "/") {
			name = path.Join("/", c.Directory, w)
		}
		if _, what, _, _ := s.view.find(name); what == file {
			s.program(&st, name)
		}
	}
}

// program requires a program with all that starts it.
func (s *slimmer) program(st *starter, name string) {
	s.require(name)
	_, what, _, r := s.view.find(name)
	if what != file || r == nil {
		return
	}
	out := fact.StartProgram{Libraries: []string{}, Missing: []string{}}
	st.into(&out, r)
	for _, l := range out.Libraries {
		s.require(l)
	}
	if r.program != nil && r.program.interpreter != "" {
		s.require(r.program.interpreter)
	}
	if r.script != nil {
		if at, what, _, ir := st.lookUp(r.script.interpreter); what == file {
			s.require(at)
			if strings.HasPrefix(r.script.interpreter, "/") {
				s.require(r.script.interpreter)
			}
			if ir != nil && ir.program != nil && ir.program.interpreter != "" {
				s.require(ir.program.interpreter)
			}
		}
	}
}

// capabilities are those that the image's own documents speak for.
func (s *slimmer) capabilities() {
	c := s.image.Contents
	s.out.Capabilities = []NeededCapability{}
	for _, p := range c.Config.Ports {
		if p.Port > 0 && p.Port < 1024 {
			s.out.Capabilities = append(s.out.Capabilities, NeededCapability{"NET_BIND_SERVICE", "it exposes port " + p.Name + ", which is under 1024"})
		}
	}
	for _, f := range c.Files {
		if "/"+f.Path == "/"+c.Start.Path {
			for _, name := range f.Capabilities {
				s.out.Capabilities = append(s.out.Capabilities, NeededCapability{strings.TrimPrefix(name, "CAP_"), "the program that starts has it as a file capability"})
			}
		}
	}
	for _, p := range c.Programs {
		if p.Program == "gosu" || p.Program == "su-exec" || p.Program == "setpriv" && c.Config.UID == 0 {
			if c.Config.UID == 0 && catalog.ToolOf(p.Program) == "privilege" {
				s.out.Capabilities = append(s.out.Capabilities,
					NeededCapability{"SETUID", "it starts as root and holds " + p.Program + ", which changes to another user"}, NeededCapability{"SETGID", "the same"})
				break
			}
		}
	}
	slices.SortStableFunc(s.out.Capabilities, func(a, b NeededCapability) int { return cmp.Compare(a.Name, b.Name) })
	s.out.Capabilities = slices.CompactFunc(s.out.Capabilities, func(a, b NeededCapability) bool { return a.Name == b.Name })
}
