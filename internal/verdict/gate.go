package verdict

// Gate decides which failed findings make a judgement fail. A [Severity] is a gate: at least that grave.
type Gate interface {
	// Meets says whether a failed finding is one of them; Unknown when what it rests on is not known.
	Meets(f *Finding) Verdict
	// String is the gate as it was asked for.
	String() string
}

// Meets is Fail for a finding that is at least so grave. Of one that nobody rated it is known for the lowest alone.
func (s Severity) Meets(f *Finding) Verdict {
	switch {
	case f.Vulnerability != nil && f.Vulnerability.Unrated && s > Low:
		return Unknown
	case f.Severity >= s:
		return Fail
	}
	return Pass
}
