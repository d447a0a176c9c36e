package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/sbom"
	"github.com/coaming/coaming/internal/verdict"
)

// imageSBOMOptions is the configuration of one bill of materials that is written.
type imageSBOMOptions struct {
	imageFlags
	outputs      []string
	created      string
	files        bool
	allowUnknown bool

	targets []target
}

func imageSBOMCommand(env *Env) *cobra.Command {
	o := &imageSBOMOptions{}
	cmd := &cobra.Command{
		Use:   "sbom IMAGE",
		Short: "Write a bill of materials of an image, or turn one into another form",
		Long: `Write a bill of materials (SBOM) of what 'image list' lists: SPDX 2.3 in JSON or tag-value, SPDX 3.0 in JSON-LD, or CycloneDX 1.6 in
JSON. IMAGE is whatever 'image list' takes, another bill of materials among it. The same image with the same --created
(or SOURCE_DATE_EPOCH) gives the same bytes. What could not be read stands in the bill, which says that it is incomplete.

Exit codes: 0 all was read; 2 wrong usage, or no image to speak of; 3 written, and something could not be read (0 with --allow-unknown).`,
		Example: `  coaming image sbom shop.tar -o spdx-json > shop.spdx.json
  coaming image sbom layout/ -o cyclonedx-json=shop.cdx.json -o spdx3-json=shop.spdx3.json
  coaming image sbom their.spdx -o cyclonedx-json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), env, args[0]) },
	}
	flags := cmd.Flags()
	o.register(cmd)
	flags.StringArrayVarP(&o.outputs, "output", "o", nil, "write this `FORMAT`, or FORMAT=FILE; may be given several times: "+strings.Join(sbom.Formats, ", ")+" (default cyclonedx-json)")
	flags.StringVar(&o.created, "created", "", "the `TIME` that the bill says it was made at, 2026-11-22T06:00:00Z; otherwise SOURCE_DATE_EPOCH, otherwise now")
	flags.BoolVar(&o.files, "files", false, "tell the files of each of the distribution's packages, too; not in SPDX 2.3")
	flags.BoolVar(&o.allowUnknown, "allow-unknown", false, "do not exit with 3 for what could not be read")
	completeFlag(cmd, "output", sbom.Formats...)
	return cmd
}

// check reports every problem of the options at once, and finds out the time.
func (o *imageSBOMOptions) check(env *Env, word string) (created time.Time, err error) {
	errs := o.imageFlags.check(word)
	if len(o.outputs) == 0 {
		o.outputs = []string{"cyclonedx-json"}
	}
	stdout := 0
	written := map[string]bool{}
	for _, text := range o.outputs {
		format, file, found := strings.Cut(text, "=")
		if !slices.Contains(sbom.Formats, format) {
			errs = append(errs, fmt.Errorf("--output: %q is none of %s", format, strings.Join(sbom.Formats, ", ")))
		} else if o.files && !sbom.WritesFiles(format) {
			errs = append(errs, &verdict.RemedyError{
				Err: fmt.Errorf("--files: %s wants a SHA-1 of every file, and none are made", format), Remedy: "Take cyclonedx-json or spdx3-json for files.",
			})
		}
		switch {
		case !found:
			stdout++
		case file == "":
			errs = append(errs, fmt.Errorf("--output: %q names no file", text))
		case written[filepath.Clean(file)]:
			errs = append(errs, fmt.Errorf("--output: two bills are to be written to %s", file))
		}
		written[filepath.Clean(file)] = found
		o.targets = append(o.targets, target{format, file})
	}
	if stdout > 1 {
		errs = append(errs, &verdict.RemedyError{Err: errors.New("--output: two bills are to be written to standard output"), Remedy: "Write FORMAT=FILE for all but one."})
	}
	created, err = createdAt(env, o.created)
	return created, errors.Join(append(errs, err)...)
}

// createdAt is the time that something made says it was made at: as asked for, as builds that are to be made again say, or now.
func createdAt(env *Env, asked string) (time.Time, error) {
	if asked != "" {
		at, err := time.Parse(time.RFC3339, asked)
		if err != nil {
			return at, fmt.Errorf("--created: %q is no time like 2026-11-22T06:00:00Z", asked)
		}
		return at, nil
	}
	if epoch := env.Getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil || seconds < 0 || seconds > 253402300799 {
			return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %q is no number of seconds", epoch)
		}
		return time.Unix(seconds, 0), nil
	}
	return env.Now(), nil
}

func (o *imageSBOMOptions) run(ctx context.Context, env *Env, path string) error {
	created, err := o.check(env, path)
	if err != nil {
		return err
	}
	img, coverage, err := o.read(ctx, env, path)
	if err != nil {
		return err
	}
	bill := &sbom.Bill{Image: img, Coverage: coverage, Created: created, Version: env.Version, Files: o.files}
	var errs []error
	for _, t := range o.targets {
		errs = append(errs, writeBill(env, bill, t))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, g := range coverage.Gaps {
		_, _ = fmt.Fprintf(env.Stderr, "not read: %s: %s\n", printable(gapPlace(&g)), printable(g.Message))
	}
	if !coverage.Complete() && !o.allowUnknown {
		return exitError(verdict.ExitUnknown)
	}
	return nil
}

func writeBill(env *Env, bill *sbom.Bill, t target) (err error) {
	to := env.Stdout
	if t.file != "" {
		file, err := os.Create(t.file)
		if err != nil {
			return fmt.Errorf("create bill of materials: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		to = io.Writer(file)
	}
	w := bufio.NewWriter(to)
	return errors.Join(sbom.Write(w, t.format, bill), w.Flush())
}
