package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/image"
	"github.com/coaming/coaming/internal/verdict"
)

// imageSlimOptions is the configuration of one look at what an image could do without.
type imageSlimOptions struct {
	imageFlags
	format       string
	used         string
	allowUnknown bool
}

func imageSlimCommand(env *Env) *cobra.Command {
	o := &imageSlimOptions{}
	cmd := &cobra.Command{
		Use:   "slim DIR|ARCHIVE|REFERENCE",
		Short: "Propose the smallest base of an image, and tell what it could do without",
		Long: `Propose the smallest base on which the program of an image starts (from how it is linked, its interpreter and the libraries that these need),
and list the packages that nothing which it needs depends on, by the words of the distribution's package manager, the largest first.

That they are never used is not known until somebody saw the image run: without --used they are candidates, and the answer says so. The file of --used
holds one path a line that was opened at run time; then all packages and programs of which nothing was opened are listed.

Exit codes: 0 answered; 2 wrong usage, or no image to speak of; 3 the base is not known, or something could not be read (0 with --allow-unknown).`,
		Example: `  coaming image slim shop.tar
  coaming image slim layout/ --used opened.txt --format json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runImageSlim(cmd.Context(), env, o, args[0]) },
	}
	flags := cmd.Flags()
	o.register(cmd)
	flags.StringVar(&o.format, "format", "text", "`FORMAT` of the answer: text or json")
	flags.StringVar(&o.used, "used", "", "`FILE` with the paths that were opened while the image ran, one a line")
	flags.BoolVar(&o.allowUnknown, "allow-unknown", false, "do not exit with 3 for what is not known")
	completeFlag(cmd, "format", imageListFormats...)
	return cmd
}

// maxUsed is how many bytes a list of opened files may have.
const maxUsed = 64 << 20

// readUsed reads a list of paths, one a line; what is no absolute path is told with its line.
func readUsed(name string) ([]string, error) {
	if name == "" {
		return nil, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read --used: %w", err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read --used: %w", err)
	}
	if info.Size() > maxUsed {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("read --used %s: %d bytes, over %d", name, info.Size(), maxUsed), Remedy: "Name each path once: sort -u."}
	}
	used := []string{}
	scanner := bufio.NewScanner(io.LimitReader(file, maxUsed))
	for n := 1; scanner.Scan(); n++ {
		line := strings.TrimSpace(scanner.Text())
		switch {
		case line == "" || line[0] == '#':
		case line[0] != '/':
			return nil, &verdict.RemedyError{Err: fmt.Errorf("%s:%d: %.80q is no absolute path", name, n, line), Remedy: "Write one path a line, as the program opened it: /etc/hosts."}
		default:
			used = append(used, line)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("read --used %s: %w", name, err)
	}
	return used, nil
}

func runImageSlim(ctx context.Context, env *Env, o *imageSlimOptions, at string) error {
	errs := o.check(at)
	if !slices.Contains(imageListFormats, o.format) {
		errs = append(errs, fmt.Errorf("--format: %q is none of %s", o.format, strings.Join(imageListFormats, ", ")))
	}
	used, err := readUsed(o.used)
	if err := errors.Join(append(errs, err)...); err != nil {
		return err
	}
	done, err := o.open(env, at)
	if err != nil {
		return err
	}
	defer done()
	s, coverage, err := image.Slim(ctx, at, o.Options, used)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(env.Stdout)
	if o.format == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(struct {
			*image.Slimming
			Gaps []verdict.Gap `json:"gaps,omitempty"`
		}{s, coverage.Gaps})
	} else {
		err = writeSlimText(w, s, coverage)
	}
	if err := errors.Join(err, w.Flush()); err != nil {
		return err
	}
	if (s.Proposal == "" || !coverage.Complete()) && !o.allowUnknown {
		return exitError(verdict.ExitUnknown)
	}
	return nil
}

func writeSlimText(w io.Writer, s *image.Slimming, c *verdict.Coverage) error {
	_, _ = fmt.Fprintf(w, "%s: base %s, %s of files\n", printable(s.Name), s.Base, mebibytes(s.Total))
	if s.Start != "" {
		_, _ = fmt.Fprintf(w, "It starts /%s", printable(s.Start))
		if s.Runtime != "" {
			_, _ = fmt.Fprintf(w, " (%s)", s.Runtime)
		}
		_, _ = fmt.Fprintln(w, ".")
	}
	if s.Proposal != "" {
		_, _ = fmt.Fprintf(w, "\nSmallest base: %s\n  because %s\n", s.Proposal, printable(s.Reason))
	} else {
		_, _ = fmt.Fprintf(w, "\nSmallest base: %s\n", printable(s.Reason))
	}
	if s.Observed {
		_, _ = fmt.Fprintf(w, "\nNever opened: %s and %s of no package\n", counted(len(s.Packages), "package"), pluralized(len(s.Files), "program or other noted file", "programs and other noted files"))
	} else {
		_, _ = fmt.Fprintf(w, "\nWhat is never used is unknown: nobody saw it run (--used). Candidates, on which nothing that starts it depends: %s\n", counted(len(s.Packages), "package"))
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range s.Packages {
		_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\n", printable(p.Name), dash(p.Version), mebibytes(p.Size))
	}
	for _, f := range s.Files {
		_, _ = fmt.Fprintf(table, "  /%s\tlayer %d\t%s\n", printable(f.Path), f.Layer, mebibytes(f.Size))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(s.Unknown) > 0 {
		_, _ = fmt.Fprintf(w, "\nOpened and not in the image (made while it ran, or mounted): %s\n", counted(len(s.Unknown), "path"))
	}
	_, _ = fmt.Fprintln(w, "\nCapabilities that it uses are unknown until it was seen running. Its documents speak for:")
	for _, n := range s.Capabilities {
		_, _ = fmt.Fprintf(w, "  %s: %s\n", n.Name, printable(n.Reason))
	}
	if len(s.Capabilities) == 0 {
		_, _ = fmt.Fprintln(w, "  none: drop all, and add what a run shows")
	}
	if len(c.Gaps) > 0 {
		_, _ = fmt.Fprintf(w, "\nNot read, and so unknown: %d ('coaming image list' tells each)\n", len(c.Gaps))
	}
	return nil
}

// mebibytes is a number of bytes for people.
func mebibytes(n int64) string {
	switch {
	case n == 0:
		return "-"
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
