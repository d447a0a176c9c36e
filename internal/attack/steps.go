package attack

import "slices"

// steps is every step, by ID.
var steps = []*Step{
	&clusterAdmin,
	&endpointExposed,
	&escapePrivileged,
	&podExec,
	&tokenMount,
}

// Steps is every step, by ID.
func Steps() []*Step { return slices.Clone(steps) }
