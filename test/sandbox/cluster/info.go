package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Info is what a running sandbox tells the world: the JSON line that `sandbox up` prints, kept in its directory as well.
// Fields may be added; the ones here keep their names and meaning.
type Info struct {
	// Kubeconfig is the path of the cluster administrator's kubeconfig.
	Kubeconfig string `json:"kubeconfig"`
	// Server is the API server's address.
	Server string `json:"server"`
	// PID is the supervisor's: SIGTERM ends the sandbox.
	PID int `json:"pid"`
	// Dir holds everything the sandbox writes.
	Dir string `json:"dir"`
	// Version is that of Kubernetes.
	Version string `json:"version"`
	// AuditLog is the path of the audit log, one JSON event a line; absent without --audit.
	AuditLog string `json:"auditLog,omitempty"`
}

const infoFile = "sandbox.json"

// ReadInfo reads what the sandbox in dir has said of itself.
func ReadInfo(dir string) (Info, error) {
	data, err := os.ReadFile(filepath.Join(dir, infoFile))
	if err != nil {
		return Info{}, fmt.Errorf("read sandbox: %w", err)
	}
	var info Info
	if err := json.Unmarshal(data, &info); err != nil {
		return Info{}, fmt.Errorf("read sandbox %s: %w", dir, err)
	}
	return info, nil
}

func (i Info) write() error {
	data, err := json.Marshal(i)
	if err != nil {
		return fmt.Errorf("encode sandbox: %w", err)
	}
	if err := os.WriteFile(filepath.Join(i.Dir, infoFile), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write sandbox: %w", err)
	}
	return nil
}
