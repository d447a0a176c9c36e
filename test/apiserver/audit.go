package apiserver

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// Event is what of an event of the audit log is looked at.
type Event struct {
	Verb, RequestURI, UserAgent string
	User                        struct{ Username string }
	ObjectRef                   *struct{ Resource, Subresource, Name, APIGroup string }
	ResponseStatus              struct{ Code int }
	// Line is the event as it stands in the log.
	Line string `json:"-"`
}

// Audited are the requests of those whose user agent begins so; the sandbox was started with --audit.
func (s *Sandbox) Audited(t *testing.T, agent string) []Event {
	t.Helper()
	log, err := os.ReadFile(s.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	var events []Event
	for line := range bytes.Lines(log) {
		e := Event{Line: string(line)}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("audit log: %v in %s", err, line)
		}
		if strings.HasPrefix(e.UserAgent, agent) {
			events = append(events, e)
		}
	}
	return events
}
