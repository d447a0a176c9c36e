package judge

import (
	"cmp"
	"slices"
	"sync"

	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// Prepared is rules made ready for many judgements, each of which costs as little as what it judges: rules are sorted
// once, and how they came out on what an object says by itself is remembered from one judgement to the next.
// It gives the results that Judge gives. Safe for concurrent use.
type Prepared struct {
	Settings rule.Settings

	rules    []*rule.Compiled
	infos    []verdict.RuleInfo // by id; every result's
	settings rule.Fact
	listed   *ruleLists
	memories *memories // nil for rules that are asked once
}

// memories are those that nobody uses at the moment. The one that was given back last is lent first, so that few are full
// while few judge at a time.
type memories struct {
	mutex sync.Mutex
	idle  []*memory
	more  int // how many may still be made
}

// Prepare makes rules ready. Up to width judgements at a time remember.
func Prepare(rules []*rule.Compiled, settings rule.Settings, width int) *Prepared {
	p := prepare(rules, settings)
	p.memories = &memories{more: max(width, 1)}
	return p
}

func prepare(rules []*rule.Compiled, settings rule.Settings) *Prepared {
	p := &Prepared{Settings: settings, rules: rules, settings: settings.Fact(), listed: listRules(rules)}
	p.infos = make([]verdict.RuleInfo, 0, len(rules))
	for _, r := range rules {
		p.infos = append(p.infos, r.Info())
	}
	slices.SortFunc(p.infos, byID)
	p.infos = slices.Clip(p.infos)
	return p
}

func byID(a, b verdict.RuleInfo) int { return cmp.Compare(a.ID, b.ID) }

// Judge is what the function of that name does; the input's rules and settings are those that were prepared.
// What the result says of rules is shared, and not to be changed.
func (p *Prepared) Judge(in Input) *verdict.Result { return p.judge(in) }

// memoryFor is a memory for one goroutine of a judgement: one that lasts, where there is one left.
func (p *Prepared) memoryFor(in *Input) *memory {
	if p.memories == nil {
		return &memory{room: fewValues}
	}
	m := p.memories.lend()
	if m.lasting {
		m.turnTo(epoch{in.Inventory.Version, in.Inventory.Live, in.Now.Format("2006-01-02")})
	}
	return m
}

func (l *memories) lend() *memory {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if n := len(l.idle); n > 0 {
		m := l.idle[n-1]
		l.idle = l.idle[:n-1]
		return m
	}
	if l.more == 0 {
		return &memory{}
	}
	l.more--
	return &memory{lasting: true}
}

// giveBack takes a memory that lasts back.
func (p *Prepared) giveBack(m *memory) {
	if m.lasting {
		p.memories.mutex.Lock()
		p.memories.idle = append(p.memories.idle, m)
		p.memories.mutex.Unlock()
	}
}

// ruleLists are rules by the kind of fact that they match.
type ruleLists struct {
	containers, workloads, objects, namespaces, clusters, images ruleList
	kinds                                                        map[string]*ruleList
	// roots are those of images that are asked of a root directory, too. What a rule reads is known when its conditions are
	// made ready, which is most of a small scan's time: they are told apart where there is an image.
	roots func() *ruleList
}

func listRules(rules []*rule.Compiled) *ruleLists {
	l := &ruleLists{kinds: map[string]*ruleList{}}
	for _, r := range rules {
		switch r.Match.Fact {
		case "container":
			l.containers.add(r)
		case "workload":
			l.workloads.add(r)
		case "object":
			l.objects.add(r)
		case "namespace":
			l.namespaces.add(r)
		case "cluster":
			l.clusters.add(r)
		case "image":
			l.images.add(r)
		default:
			for _, kind := range r.Match.Kinds {
				if l.kinds[kind] == nil {
					l.kinds[kind] = &ruleList{}
				}
				l.kinds[kind].add(r)
			}
		}
	}
	l.roots = sync.OnceValue(func() *ruleList {
		roots := &ruleList{}
		for _, r := range l.images.rules {
			if !readsConfiguration(r) {
				roots.add(r)
			}
		}
		return roots
	})
	return l
}
