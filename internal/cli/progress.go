package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// progress draws one line on a terminal, at most ten times a second. Elsewhere it does nothing.
type progress struct {
	mu    sync.Mutex
	w     io.Writer
	now   func() time.Time
	last  time.Time
	shown bool
}

func newProgress(env *Env) *progress {
	p := &progress{now: env.Now}
	if env.ErrTerminal {
		p.w = env.Stderr
	}
	p.last = env.Now()
	return p
}

// stage is the function that one stage of the work reports to; nil where nothing is drawn.
func (p *progress) stage(name string) func(done, total int) {
	if p.w == nil {
		return nil
	}
	return func(done, total int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		now := p.now()
		if now.Sub(p.last) < 100*time.Millisecond {
			return
		}
		p.last, p.shown = now, true
		if total <= 0 {
			_, _ = fmt.Fprintf(p.w, "\r\x1b[K%s %d", name, done)
			return
		}
		const width = 24
		full := min(width, done*width/total)
		_, _ = fmt.Fprintf(p.w, "\r\x1b[K%s %s%s %d/%d", name, strings.Repeat("█", full), strings.Repeat("░", width-full), done, total)
	}
}

// clear removes the line.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		_, _ = fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}
