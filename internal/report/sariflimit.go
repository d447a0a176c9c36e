package report

import (
	"compress/gzip"
	"slices"

	"github.com/coaming/coaming/internal/verdict"
)

// Sizes by which to tell, without writing it, that a log is far below the limit.
const (
	sarifResultBytes = 1_500 // one result without its texts
	sarifTextTimes   = 6     // as often, at most, a text stands in it or grows by escapes
)

// sarifKept are the indices of the findings that a log may hold within GitHub's limits: all, or the gravest.
func sarifKept(res *verdict.Result, meta Meta) []int {
	order := make([]int, len(res.Findings))
	size := 0
	for i := range order {
		order[i] = i
		size += sarifEstimate(&res.Findings[i])
	}
	if len(order) <= githubResults && size <= githubBytes {
		return order
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(gradeOf(&res.Findings[a])) - int(gradeOf(&res.Findings[b])) })
	kept := slices.Sorted(slices.Values(order[:min(len(order), githubResults)]))
	for len(kept) > 0 && sarifGzip(res, meta, kept) > githubBytes {
		kept = slices.Sorted(slices.Values(order[:len(kept)*3/4]))
	}
	return kept
}

// sarifEstimate is no less than the bytes that a finding takes.
func sarifEstimate(f *verdict.Finding) int {
	text := len(f.Message) + len(f.Reason) + len(f.Path) + len(f.Location.File) + len(f.Subject.Name) + len(f.Subject.Namespace)
	if f.Excerpt != nil {
		for _, line := range f.Excerpt.Lines {
			text += len(line)
		}
	}
	for i := range f.Also[:min(len(f.Also), githubRelated)] {
		text += 100 + len(f.Also[i].File)
	}
	return sarifResultBytes + sarifTextTimes*text
}

// sarifGzip is the size of the log as it is uploaded.
func sarifGzip(res *verdict.Result, meta Meta, kept []int) int {
	size := &sizer{}
	zip := gzip.NewWriter(size)
	s := newStream(zip)
	writeSARIF(s, res, meta, kept)
	_ = s.close() // neither of them fails: what is written to only counts
	_ = zip.Close()
	return size.n
}

// sizer counts what is written to it.
type sizer struct{ n int }

func (s *sizer) Write(p []byte) (int, error) {
	s.n += len(p)
	return len(p), nil
}
