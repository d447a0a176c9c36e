package cli

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/vulndb"
)

func dbStatusCommand(env *Env) *cobra.Command {
	f := &dbFlags{}
	verify := false
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say how old the advisories are, and what they cover",
		Long: `Say how old the advisories are, and which ecosystems and releases of distributions they cover. A release whose support has ended
gets no advisories any more: packages of it are unknown.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) (err error) {
			db, err := f.open(env)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			if verify {
				if err := db.CheckSeal(); err != nil {
					return err
				}
			}
			return writeStatus(env, db)
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().BoolVar(&verify, "verify", false, "read the whole file and hold it to its checksum")
	return cmd
}

func writeStatus(env *Env, db *vulndb.DB) error {
	a, today := &db.About, env.Now().UTC().Format(time.DateOnly)
	days := int(env.Now().Sub(db.Created()).Hours() / 24)
	w := tabwriter.NewWriter(env.Stdout, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "file\t%s, %d bytes\nmade\t%s, %s ago; sequence %d\n", db.Path, len(db.Bytes), db.Created().Format(time.RFC3339), counted(max(days, 0), "day"), a.Sequence)
	_, _ = fmt.Fprintf(w, "holds\t%s about %s; %d with a CVSS score from elsewhere, %d exploited (KEV), %d with a likelihood (EPSS)\n",
		counted(a.Records, "record"), pluralized(a.Vulnerabilities, "vulnerability", "vulnerabilities"), a.Scores, a.Exploited, a.Likelihoods)
	for _, s := range a.Sources {
		line := counted(s.Records, "record")
		if s.Skipped > 0 {
			line += fmt.Sprintf(", %d withdrawn or there already", s.Skipped)
		}
		if s.Unread > 0 {
			line += fmt.Sprintf(", %d could not be read", s.Unread)
		}
		_, _ = fmt.Fprintf(w, "source\t%s: %s\n", s.Name, line)
	}
	for i := range a.Doubts {
		_, _ = fmt.Fprintf(w, "left open\t%s\n", doubtText(&a.Doubts[i]))
	}
	_, _ = fmt.Fprintln(w, "\nCOVERS\tPACKAGES\tNEWEST\tSUPPORT")
	for _, e := range a.Ecosystems {
		support := ""
		if end, ok := advisory.EndOfLife(e.Name); ok {
			support = "until " + end
			if end < today {
				support = "ended " + end + ": unknown"
			}
		}
		_, _ = fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", e.Name, e.Packages, newestText(&e), support)
	}
	return w.Flush()
}

// newestText is when the newest record of an ecosystem was last changed, as far as its records say.
func newestText(e *advisory.Ecosystem) string {
	switch {
	case e.Newest == "":
		return "no record says"
	case e.Undated > 0:
		return fmt.Sprintf("%s (%d of %d do not say)", e.Newest, e.Undated, e.Records)
	}
	return e.Newest
}

// doubtText is one kind of such records, with the first of them.
func doubtText(d *advisory.Doubt) string {
	text := fmt.Sprintf("%s %s: %s", counted(d.Records, "record"), d.Why, printed(strings.Join(d.First, ", ")))
	if more := d.Records - len(d.First); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
