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
	// Node is the node, absent without one.
	Node *NodeInfo `json:"node,omitempty"`
}

// NodeInfo is what a test needs to know of the node.
type NodeInfo struct {
	// Name is that of its object.
	Name string `json:"name"`
	// Address is the node's, PodRange what its pods' addresses are taken from.
	Address  string `json:"address"`
	PodRange string `json:"podRange"`
	// Outside are the addresses of the machine outside of the cluster (`sandbox in --outside`).
	Outside []string `json:"outside"`
	// First is the process, as the machine counts, with which everything of the node ends.
	First int `json:"first"`
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

// Write keeps it in the sandbox's directory, for ReadInfo.
func (i Info) Write() error {
	data, err := json.Marshal(i)
	if err != nil {
		return fmt.Errorf("encode sandbox: %w", err)
	}
	if err := os.WriteFile(filepath.Join(i.Dir, infoFile), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write sandbox: %w", err)
	}
	return nil
}
