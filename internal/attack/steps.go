package attack

import "slices"

// steps is every step, by ID.
var steps = []*Step{
	&clusterAdmin,
	&controlPlaneFiles,
	&endpointExposed,
	&escapeBlockDevice,
	&escapeBPF,
	&escapeCorePattern,
	&escapeDACReadSearch,
	&escapeHostFiles,
	&escapeHostProcess,
	&escapeKexec,
	&escapeKubeletPlugin,
	&escapeLogLink,
	&escapeNsenter,
	&escapePrivileged,
	&escapePtrace,
	&escapeRawIO,
	&escapeRuntimeSocket,
	&escapeSysAdmin,
	&escapeSysModule,
	&escapeUserHome,
	&escapeUsermodeHelper,
	&metadataSpoof,
	&nodeCredentialsRead,
	&podExec,
	&processSidecar,
	&staticPod,
	&tokenMount,
}

// Steps is every step, by ID.
func Steps() []*Step { return slices.Clone(steps) }
