package cli_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/coaming/coaming/internal/signature"
)

// attest REFERENCE KEY TYPE PREDICATE OUT writes an envelope in which a key attests what a file says about the image of a reference.
func attest(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 5 {
		ts.Fatalf("usage: attest REFERENCE KEY TYPE PREDICATE OUT")
	}
	ref, err := name.ParseReference(args[0])
	ts.Check(err)
	image, err := remote.Get(ref)
	ts.Check(err)
	block, _ := pem.Decode([]byte(ts.ReadFile(args[1])))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	ts.Check(err)
	statement := fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"image","digest":{"sha256":%q}}],"predicateType":%q,"predicate":%s}`,
		strings.TrimPrefix(image.Digest.String(), "sha256:"), args[2], ts.ReadFile(args[3]))
	signed := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(signature.InTotoType), signature.InTotoType, len(statement), statement)
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		ts.Fatalf("%s is no key of Ed25519", args[1])
	}
	body, err := json.Marshal(map[string]any{"payloadType": signature.InTotoType, "payload": statement, "signatures": []map[string]any{{"sig": ed25519.Sign(private, signed)}}})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[4]), body, 0o644))
}
