package attack

import (
	"strings"

	"github.com/coaming/coaming/internal/document"
)

var escapeHostProcess = Step{
	ID: "escape-host-process", Title: "Use a host process of a Windows node", Technique: "T1611",
	Needs: "commands in a container of a Windows pod that runs as a host process, as SYSTEM",
	Gives: "the node, as its administrator",
	Why: "A HostProcess container is a process of the node without any wall around it, under the account that it names: as SYSTEM, or where it names none, it administers the node. " +
		"As LocalService or NetworkService it may do little.",
	Fix:    "Remove windowsOptions.hostProcess, or run it as NT AUTHORITY\\Local service.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for b := range w.Boxes {
			at := b.windows("hostProcess")
			if !at.Bool() {
				continue
			}
			doubt, account := "", strings.ToLower(b.windows("runAsUserName").Str())
			switch strings.ReplaceAll(account[strings.LastIndex(account, `\`)+1:], " ", "") {
			case "", "system", "localsystem":
			case "localservice", "networkservice":
				continue
			default:
				doubt = "what the account " + b.windows("runAsUserName").Str() + " may do on the node is not known"
			}
			take(Taken{
				From: b.Node, To: b.Pods.Machine, Doubt: doubt,
				Evidence: []Evidence{value(b, at, "it is a process of its node")},
				Changes: []Change{{
					Object: b.Pods.Object, Edits: []Edit{Set(b.Value, `"NT AUTHORITY\\Local service"`, "securityContext", "windowsOptions", "runAsUserName")},
					Title: "Run " + b.Node.Title() + " as Local service",
				}},
			})
		}
	},
}

// windows is an option for Windows of the container, else of its pod.
func (b *Box) windows(field string) document.Value {
	if v := b.Value.At("securityContext", "windowsOptions", field); v.Exists() {
		return v
	}
	return b.Pods.Spec.At("securityContext", "windowsOptions", field)
}
