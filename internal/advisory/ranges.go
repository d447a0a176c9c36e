package advisory

import (
	"errors"
	"fmt"
	"slices"
)

type event struct {
	kind, version string
}

// readEvents turns the events of a range, in the order of their versions, into intervals
// (ossf.github.io/osv-schema, "Evaluation"). over says that what is introduced lies after the versions named.
func readEvents(order *scheme, list []map[string]string, over bool) ([]interval, error) {
	var events []event
	for _, fields := range list {
		for _, kind := range []string{"introduced", "fixed", "last_affected"} {
			version, ok := fields[kind]
			switch {
			case !ok:
				continue
			case version == "":
				return nil, fmt.Errorf("an event %s without a version", kind)
			case kind == "introduced" && version == "0":
				version = ""
			case !order.places(version):
				return nil, fmt.Errorf("%.100q is no version", version)
			}
			events = append(events, event{kind, version})
		}
	}
	var failed error
	slices.SortStableFunc(events, func(a, b event) int {
		n, err := order.compareFrom(a.version, b.version)
		failed = errors.Join(failed, err)
		return n
	})
	if failed != nil {
		return nil, failed
	}
	var intervals []interval
	open := false
	for _, e := range events {
		last := len(intervals) - 1
		switch {
		case e.kind == "introduced" && !open:
			intervals, open = append(intervals, interval{lower: e.version, over: over && e.version != ""}), true
		case e.kind == "fixed" && open:
			intervals[last].upper, intervals[last].end, open = e.version, before, false
		case e.kind == "last_affected" && open:
			intervals[last].upper, intervals[last].end, open = e.version, inclusive, false
		}
	}
	return intervals, nil
}

// compareFrom compares two versions of which "" is before all others.
func (s *scheme) compareFrom(a, b string) (int, error) {
	switch {
	case a == b:
		return 0, nil
	case a == "":
		return -1, nil
	case b == "":
		return 1, nil
	}
	return s.compare(a, b)
}

// contains says whether a version lies in the interval.
func (i *interval) contains(order *scheme, version string) (bool, error) {
	n, err := order.compareFrom(version, i.lower)
	if err != nil || n < 0 || n == 0 && i.over {
		return false, err
	}
	if i.end == endless {
		return true, nil
	}
	n, err = order.compareFrom(version, i.upper)
	return n < 0 || n == 0 && i.end == inclusive, err
}

// uncovered are the versions that lie in none of the intervals: what the ranges say need not be said twice.
func uncovered(order *scheme, intervals []interval, versions []string) []string {
	var left []string
	for _, v := range versions {
		if len(v) == 0 || len(v) > maxName {
			continue
		}
		covered := order != nil && slices.ContainsFunc(intervals, func(i interval) bool {
			in, err := i.contains(order, v)
			return err == nil && in
		})
		if !covered {
			left = append(left, v)
		}
	}
	slices.Sort(left)
	return slices.Compact(left)
}
