package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

func policyCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Turn rules into the API server's own admission policies, and such policies into rules",
		Long: `Turn rules into the API server's own admission policies, which hold without Coaming, and existing
ValidatingAdmissionPolicies into rules, which then judge manifests before they reach a cluster; and see before what
enforcing them would refuse.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(policyExportCommand(env), policyImportCommand(env), policyTestCommand(env))
	return cmd
}

// writeInto writes files into a folder, which is made where it is missing.
func writeInto(dir string, files []outFile) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	var errs []error
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.name), []byte(f.text), 0o644); err != nil {
			errs = append(errs, fmt.Errorf("write: %w", err))
		}
	}
	return errors.Join(errs...)
}

// outFile is a file that a command writes into a folder.
type outFile struct{ name, text string }
