package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/verdict"
)

var helperName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// helperTime is what a helper may take: some ask a person.
const helperTime = 30 * time.Second

// runHelper asks docker-credential-NAME (github.com/docker/docker-credential-helpers) for what it keeps. Where there
// is no such program, or it keeps nothing, there is no credential.
func runHelper(helper, registry string) (Credential, error) {
	if !helperName.MatchString(helper) {
		return Credential{}, fmt.Errorf("the credential helper %.80q is no name of a program", helper)
	}
	program, err := exec.LookPath("docker-credential-" + helper)
	if err != nil {
		return Credential{}, nil // it stands only where docker does
	}
	ctx, cancel := context.WithTimeout(context.Background(), helperTime) //nolint:forbidigo // what it says is kept for whoever asks later
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "get") //nolint:gosec // the program that the config file names
	cmd.Stdin = strings.NewReader(registry)
	cmd.WaitDelay = time.Second
	out := &limitedBuffer{}
	cmd.Stdout, cmd.Stderr = out, io.Discard
	err = cmd.Run()
	said := out.text.String()
	if strings.Contains(said, "credentials not found") {
		return Credential{}, nil
	}
	var kept struct{ Username, Secret string }
	if err != nil || json.Unmarshal([]byte(said), &kept) != nil {
		return Credential{}, &verdict.RemedyError{
			Err:    fmt.Errorf("docker-credential-%s gives no credential for %s", helper, registry),
			Remedy: fmt.Sprintf("Try 'echo %s | docker-credential-%s get', or log in again.", registry, helper),
		}
	}
	if kept.Username == "<token>" {
		return Credential{identity: kept.Secret}, nil
	}
	return Password(kept.Username, kept.Secret), nil
}

// limitedBuffer takes no more than a helper may say.
type limitedBuffer struct{ text bytes.Buffer }

// Write fails where it is too much.
func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.text.Len()+len(p) > 1<<20 {
		return 0, errors.New("it says too much")
	}
	return b.text.Write(p)
}
