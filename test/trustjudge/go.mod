module github.com/coaming/coaming/test/trustjudge

go 1.26.3

require github.com/sigstore/cosign/v3 v3.1.3
