package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

func imageCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "image",
		Short: "Look into images: what is inside, and what could not be read",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(imageListCommand(env), imageScanCommand(env), imageRejudgeCommand(env), imageBaseCommand(env),
		imageSBOMCommand(env), imageSlimCommand(env), imageVerifyCommand(env))
	return cmd
}

// imageListOptions is the configuration of one list.
type imageListOptions struct {
	imageFlags
	vouchFlags
	format       string
	files        bool
	allowUnknown bool
}

var imageListFormats = []string{"text", "json"}

func imageListCommand(env *Env) *cobra.Command {
	o := &imageListOptions{}
	cmd := &cobra.Command{
		Use:   "list IMAGE",
		Short: "List the packages in an image, a root directory or a host",
		Long: `List the distribution and the packages in an OCI layout (a directory or a tar), an archive of docker save, a root directory, an image
in a registry, or a bill of materials (SPDX, CycloneDX, syft's JSON), each package with the layer and the file that tells of it. Nothing is
unpacked to disk.

A word is a path where a file or directory of that name stands. Otherwise REGISTRY/NAME with a :TAG or an @DIGEST names an
image in that registry, which is then asked; oci:// before it always does. containerd://REF reads containerd's own store,
docker-daemon://REF asks Docker's engine, and - is an archive on standard input.

When it is stopped (Ctrl-C, a time limit), what had been read until then is listed, and that it was stopped.

Exit codes: 0 all was read; 2 wrong usage, or no image to speak of; 3 something in it could not be read (0 with --allow-unknown), or it was
stopped.`,
		Example: `  docker save -o shop.tar shop:1.4 && coaming image list shop.tar
  coaming image list layout/ --platform linux/arm64 --format json
  coaming image list registry.example/shop:1.4 --auth-file config.json
  coaming image list containerd://registry.example/shop:1.4
  coaming image list /mnt/root
  coaming image list shop.spdx.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runImageList(cmd.Context(), env, o, args[0]) },
	}
	flags := cmd.Flags()
	o.imageFlags.register(cmd)
	flags.StringVar(&o.format, "format", "text", "`FORMAT` of the list: text or json")
	flags.BoolVar(&o.files, "files", false, "with --format json: the files of each of the distribution's packages, too")
	flags.BoolVar(&o.allowUnknown, "allow-unknown", false, "do not exit with 3 for what could not be read")
	o.vouchFlags.register(flags)
	completeFlag(cmd, "format", imageListFormats...)
	return cmd
}

// check reports every problem of the options at once.
func (o *imageListOptions) check(word string) error {
	errs := o.imageFlags.check(word)
	if !slices.Contains(imageListFormats, o.format) {
		errs = append(errs, fmt.Errorf("--format: %q is none of %s", o.format, strings.Join(imageListFormats, ", ")))
	}
	if o.files && o.format == "text" {
		errs = append(errs, errors.New("--files: it goes with --format json alone"))
	}
	if o.attested || o.byFlags() {
		errs = append(errs, o.openTrust(&o.imageFlags))
	}
	if !o.attested && o.byFlags() {
		errs = append(errs, &verdict.RemedyError{Err: errors.New("the flags that name a signer go with --attested"), Remedy: "'coaming image verify' tells who vouches for an image."})
	}
	return errors.Join(errs...)
}

func runImageList(ctx context.Context, env *Env, o *imageListOptions, path string) error {
	if err := o.check(path); err != nil {
		return err
	}
	read := o.read
	if o.attested {
		read = o.readAttested
	}
	img, coverage, err := read(ctx, env, path)
	if err != nil {
		return err
	}
	today := env.Now().UTC().Format(time.DateOnly)
	write := func(w io.Writer, img *fact.Image, c *verdict.Coverage) error { return writeImageText(w, img, c, today) }
	if o.format == "json" {
		write = writeImageJSON
		if !o.files {
			for i := range img.Packages {
				img.Packages[i].Files = nil
			}
		}
	}
	w := bufio.NewWriter(env.Stdout)
	if err := errors.Join(write(w, img, coverage), w.Flush()); err != nil {
		return err
	}
	if ctx.Err() != nil || !coverage.Complete() && !o.allowUnknown {
		return exitError(verdict.ExitUnknown)
	}
	return nil
}

func writeImageJSON(w io.Writer, img *fact.Image, c *verdict.Coverage) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(struct {
		*fact.Image
		Gaps []verdict.Gap `json:"gaps,omitempty"`
	}{img, c.Gaps})
}

func writeImageText(w io.Writer, img *fact.Image, c *verdict.Coverage, today string) error {
	about := []string{printable(img.Name), img.Form}
	for _, word := range []string{img.Platform, img.Digest} {
		if word != "" {
			about = append(about, printable(word))
		}
	}
	_, _ = fmt.Fprintln(w, strings.Join(about, ", "))
	if s := img.System; s != nil {
		_, _ = fmt.Fprintln(w, printable(systemText(s, today)))
	} else {
		_, _ = fmt.Fprintln(w, "no distribution: there is no os-release")
	}
	if err := writePackages(w, img.Packages); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, "\n%s in %s\n", counted(len(img.Packages), "package"), counted(max(1, len(img.Layers)), "layer"))
	if len(c.Gaps) > 0 {
		_, _ = fmt.Fprintf(w, "\nNot read, and so unknown (%d):\n", len(c.Gaps))
	}
	for _, g := range c.Gaps {
		_, _ = fmt.Fprintf(w, "  %s: %s\n    %s\n", printable(gapPlace(&g)), printable(g.Message), printable(g.Remedy))
	}
	return nil
}

// systemText is the distribution in an image, and until when it is mended, or that this is past.
func systemText(s *fact.System, today string) string {
	text := strings.TrimSpace(s.ID + " " + s.Version)
	if s.Name != "" {
		text = s.Name + " (" + text + ")"
	}
	switch {
	case s.EndOfLife == "":
		return text
	case s.EndOfLife < today:
		return text + ", ended " + s.EndOfLife
	}
	return text + ", mended until " + s.EndOfLife
}

// writePackages writes the packages in columns, row by row: of an image with a hundred thousand no table is held.
func writePackages(w io.Writer, list []fact.Package) error {
	if len(list) == 0 {
		return nil
	}
	row := func(i int) [6]string {
		if i < 0 {
			return [6]string{"ECOSYSTEM", "PACKAGE", "VERSION", "LAYER", "OWNER", "PLACE"}
		}
		p := &list[i]
		return [6]string{dash(p.Ecosystem), printable(p.Name), dash(p.Version), strconv.Itoa(p.Layer), dash(p.Owner), printable(placeOf(p))}
	}
	var width [6]int
	for i := -1; i < len(list); i++ {
		for n, cell := range row(i) {
			width[n] = max(width[n], utf8.RuneCountInString(cell))
		}
	}
	_, err := fmt.Fprintln(w)
	for i := -1; i < len(list) && err == nil; i++ {
		c := row(i)
		_, err = fmt.Fprintf(w, "%-*s  %-*s  %-*s  %-*s  %-*s  %s\n", width[0], c[0], width[1], c[1], width[2], c[2], width[3], c[3], width[4], c[4], c[5])
	}
	return err
}

// gapPlace is where in an image something was not read.
func gapPlace(g *verdict.Gap) string {
	place := strings.TrimPrefix(g.Location.Source, "image:")
	if g.Location.File != "" {
		place += ": " + g.Location.File
	}
	return place
}

// placeOf is the file that tells of a package, and where in it that stands.
func placeOf(p *fact.Package) string {
	switch {
	case p.Kind == "locked":
		return p.Place + " (not seen installed)"
	case p.Within == "":
		return p.Place
	}
	return p.Place + "!/" + p.Within
}

func dash(word string) string {
	if word == "" {
		return "-"
	}
	return printable(word)
}

// printable keeps what an image holds from steering the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, text)
}
