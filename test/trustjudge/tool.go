//go:build tools

package trustjudge

import _ "github.com/sigstore/cosign/v3/cmd/cosign"
