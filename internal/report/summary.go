package report

import (
	"fmt"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// columns of the summary, in the order of the numbers below.
var columns = [...]struct {
	title string
	style style // of a number that is not zero
}{
	{"rules", plain}, {"pass", green}, {"fail", red}, {"unknown", magenta}, {"exempt", dim},
}

// summary is the table by practice and the line by severity.
func (p *printer) summary() {
	if len(p.res.Findings) > 0 {
		p.line("")
	}
	p.heading("Summary", "")
	p.table(p.res.Tally)
	p.line("")
	p.line("  ", p.severities())
}

// severities is what was found by grade; it says "nothing failed" only of what was judged.
func (p *printer) severities() string {
	if len(p.res.Findings) > 0 {
		return p.counts(&p.count)
	}
	if why := p.nothingJudged(); why != "" {
		return p.paint(yellow, "nothing was judged: "+why)
	}
	if n := len(p.res.Coverage.Gaps); n > 0 {
		return p.paint(yellow, fmt.Sprintf("nothing failed of what was judged; not looked at: %d", n))
	}
	return "nothing failed, nothing is unknown"
}

func (p *printer) table(tally []verdict.Tally) {
	name := len("practice")
	total := verdict.Tally{Practice: "all"}
	for i := range tally {
		t := &tally[i]
		name = max(name, widthOf(visible(t.Practice)))
		total.Rules += t.Rules
		total.Pass += t.Pass
		total.Fail += t.Fail
		total.Unknown += t.Unknown
		total.Exempt += t.Exempt
	}
	var head strings.Builder
	head.WriteString("  practice" + strings.Repeat(" ", name-len("practice")))
	for _, c := range columns {
		fmt.Fprintf(&head, "  %9s", c.title)
	}
	p.line(p.paint(dim, head.String()))
	for i := range tally {
		p.row(&tally[i], name, plain)
	}
	if len(tally) > 1 {
		p.row(&total, name, bold)
	}
}

func (p *printer) row(t *verdict.Tally, name int, set style) {
	title := visible(t.Practice)
	p.write("  " + p.paint(set, title) + strings.Repeat(" ", name-widthOf(title)))
	for i, n := range [...]int{t.Rules, t.Pass, t.Fail, t.Unknown, t.Exempt} {
		number := thousands(n)
		look := columns[i].style
		if n == 0 {
			look = dim
		}
		p.write(strings.Repeat(" ", max(1, 11-len(number))) + p.paint(look, number))
	}
	if t.Pass+t.Fail+t.Unknown+t.Exempt == 0 {
		p.write(p.paint(dim, "  nothing was judged"))
	}
	p.line("")
}
