package report

import (
	"strconv"

	"github.com/coaming/coaming/internal/verdict"
)

// tellsRisk is the score from which a finding's risk is told beside it: below, it only stands where attackers
// come, which would be told of everything there.
const tellsRisk = 16

// riskText is what a finding matters to attackers, "96 of 100: why"; "" where that is not told.
func riskText(f *verdict.Finding, all bool) string {
	if score := f.RiskScore(); score == 0 || score < tellsRisk && !all {
		return ""
	}
	return strconv.Itoa(f.Risk.Score) + " of 100: " + f.Risk.Why
}

// byRisk orders findings of one grade, the most risk first.
func byRisk(a, b *verdict.Finding) int { return b.RiskScore() - a.RiskScore() }
