package component

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

// kubectl ends the process itself when the command has failed, with kubectl's own exit codes.
func kubectl([]string) int {
	// The commands read .kuberc and look for plugins, and log about it, before their flags are parsed.
	// GlogSetter's error means a bad -v, which parsing reports in a moment.
	_, _ = logs.GlogSetter(cmd.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
	return 0
}
