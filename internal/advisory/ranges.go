package advisory

import (
	"errors"
	"fmt"
	"slices"
)

type event struct {
	kind, version string
}

// noLimit is how a range says that it has no limit.
const noLimit = "*"

// readEvents turns the events of a range, in the order of their versions, into intervals
// (ossf.github.io/osv-schema, "Evaluation"). over says that what is introduced lies after the versions named. It fails
// where the versions are none, or where nothing says from which version on the range is meant: nobody can compare it then.
func readEvents(order *scheme, list []map[string]string, over bool) ([]interval, error) {
	events, limits, err := sortEvents(order, list)
	if err != nil {
		return nil, err
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
	if len(intervals) == 0 {
		return nil, errors.New("a range in which nothing is introduced")
	}
	return within(order, intervals, limits)
}

// sortEvents gives the events in the order of their versions, "" for the one before all others, and the limits beside them.
func sortEvents(order *scheme, list []map[string]string) (events []event, limits []string, err error) {
	for _, fields := range list {
		for _, kind := range []string{"introduced", "fixed", "last_affected", "limit"} {
			version, ok := fields[kind]
			switch {
			case !ok:
				continue
			case kind == "introduced" && version == "0":
				version = ""
			case kind == "limit" && version == noLimit:
			case !order.valid(version):
				return nil, nil, fmt.Errorf("%.100q is no version", version)
			}
			if kind == "limit" {
				limits = append(limits, version)
				continue
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
	return events, limits, failed
}

// within cuts the intervals off at the limits of their range: a version is in the range only when it is before one of them
// ("BeforeLimits" of the schema's evaluation), and so before the last of them. What ends at a limit is not mended there.
func within(order *scheme, intervals []interval, limits []string) ([]interval, error) {
	if len(limits) == 0 || slices.Contains(limits, noLimit) {
		return intervals, nil
	}
	last := limits[0]
	for _, limit := range limits[1:] {
		n, err := order.compareFrom(limit, last)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			last = limit
		}
	}
	kept := intervals[:0]
	for _, i := range intervals {
		n, err := order.compareFrom(i.lower, last)
		if err != nil {
			return nil, err
		}
		if n >= 0 {
			continue
		}
		if i.end != endless {
			if n, err = order.compareFrom(i.upper, last); err != nil {
				return nil, err
			}
		}
		if i.end == endless || n > 0 || n == 0 && i.end == inclusive {
			i.upper, i.end = last, limited
		}
		kept = append(kept, i)
	}
	return kept, nil
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

// uncovered are the versions that lie in none of the intervals: what the ranges say need not be said twice. Of one that is none ("a3") the
// list alone says it.
func uncovered(order *scheme, intervals []interval, versions []string) []string {
	var left []string
	for _, v := range versions {
		if len(v) == 0 || len(v) > maxName {
			continue
		}
		covered := order != nil && order.valid(v) && slices.ContainsFunc(intervals, func(i interval) bool {
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
