// Package deploy carries the chart into the binary, so that 'coaming install' needs no file beside it and installs what the
// binary was built with. It holds no code; internal/install renders what is here.
package deploy

import "embed"

// Chart is the folder chart, as helm reads it.
//
//go:embed all:chart
var Chart embed.FS
