package verdict

// Risk is what a finding matters to attackers: whether they come to where it stands, where that leads, and
// how many of their paths take it.
type Risk struct {
	// Score is from 1 to 100: over 30 of what is a step of a path, up to 15 of what only stands beside one.
	Score int `json:"score"`
	// ExposedFrom is from where attackers come to it: "internet"; LeadsTo is what can be had from there:
	// "cluster-admin", "node", "cloud", "data".
	ExposedFrom []string `json:"exposedFrom,omitempty"`
	LeadsTo     []string `json:"leadsTo,omitempty"`
	// Paths counts the ways in whose easiest path takes it, for each of what it leads to.
	Paths int `json:"paths"`
	// Needed is set when there is no path from the internet to one of what it leads to without it.
	Needed bool `json:"needed,omitempty"`
	// Perhaps is set when all of that rests on something that was not seen.
	Perhaps bool `json:"perhaps,omitempty"`
	// Why says so in a sentence or two.
	Why string `json:"why"`
}

// RiskScore is the finding's, 0 for one of which no path is known.
func (f *Finding) RiskScore() int {
	if f.Risk == nil {
		return 0
	}
	return f.Risk.Score
}
