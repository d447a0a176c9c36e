package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/coaming/coaming/internal/cache"
	"github.com/coaming/coaming/internal/source"
	"github.com/coaming/coaming/internal/verdict"
)

// A scan of the same files by the same rules at the same time says the same. So its report is kept,
// and a repeated scan reads the files, finds them unchanged and shows it.

const (
	keptScans  = 16
	keptBytes  = 256 << 20
	mostReport = 64 << 20 // bytes of a report that is kept

	entryReport, entryResult, entryExit = "report", "result.json", "exit"
)

// recall is one scan that may be kept, or may have been.
type recall struct {
	store *cache.Store
	key   cache.Key
	plan  *source.Plan
	hour  time.Time // that the key is for: when exceptions expire and support ends
	// report and result are what is kept: what the scan prints, and what 'coaming explain' reads.
	report, result taker
}

// taker takes what is written, up to a bound.
type taker struct {
	bytes.Buffer
	over bool
}

// Write never fails (io.Writer).
func (t *taker) Write(p []byte) (int, error) {
	if t.Len()+len(p) > mostReport {
		t.over = true
		t.Buffer = bytes.Buffer{}
	}
	if t.over {
		return len(p), nil
	}
	return t.Buffer.Write(p)
}

// recallable says whether the scan depends on files alone, and makes one report. Where continuous
// integration runs it, what is in a cache may be a stranger's.
func (o *scanOptions) recallable(env *Env, args []string) bool {
	return env.CacheDir != "" && !o.noCache && !o.images && env.Getenv("CI") == "" && !o.cluster && len(o.targets) == 0 &&
		o.writeBaseline == "" && len(o.customFlags.from) == 0 && !o.tree && len(args)+len(o.releases) > 0 &&
		!slices.ContainsFunc(args, func(arg string) bool { return arg == "-" || isSnapshot(arg) })
}

// prepare looks up what is to be read, and by what digest its report is kept; nil where that cannot be told.
func (o *scanOptions) prepare(ctx context.Context, env *Env, args []string) (*recall, error) {
	if !o.recallable(env, args) {
		return nil, nil //nolint:nilnil // nothing to recall is no error
	}
	store := &cache.Store{Dir: filepath.Join(env.CacheDir, "scans"), MostEntries: keptScans, MostBytes: keptBytes}
	if !store.Keeps() {
		return nil, nil //nolint:nilnil // as if there were no cache
	}
	files, err := o.fileOptions(env, args)
	if err != nil {
		return nil, err
	}
	files.Progress = o.progressBar(env).stage("reading")
	plan, err := source.Prepare(ctx, files)
	if err != nil {
		return nil, err
	}
	r := &recall{store: store, plan: plan, hour: env.Now().UTC().Truncate(time.Hour)}
	ok := false
	r.key, ok, err = o.digest(ctx, env, r)
	if err != nil || !ok {
		return nil, err
	}
	return r, nil
}

// digest is of everything that the report depends on.
func (o *scanOptions) digest(ctx context.Context, env *Env, r *recall) (key cache.Key, ok bool, err error) {
	sum, ok, err := r.plan.Digest(ctx)
	if err != nil || !ok {
		return key, false, err
	}
	dir, err := os.Getwd()
	if err != nil {
		return key, false, nil //nolint:nilerr // what cannot be told is not kept
	}
	self, err := program()
	if err != nil {
		return key, false, nil //nolint:nilerr // what cannot be told is not kept
	}
	facts := []any{
		"scan 1", env.Version, self, env.Name, env.Args, dir, r.hour, env.OutWidth, env.Getenv("NO_COLOR") != "", env.Getenv("TERM"), sum,
	}
	for _, name := range o.besides() {
		if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
			return key, false, nil //nolint:nilerr // a pipe can be read once only
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return key, false, nil //nolint:nilerr // whoever wants it tells the error
		}
		facts = append(facts, name, sha256.Sum256(text))
	}
	text, err := json.Marshal(facts)
	if err != nil {
		return key, false, fmt.Errorf("write what a scan depends on: %w", err)
	}
	return sha256.Sum256(text), true, nil
}

// besides are the files that a scan reads beside what it judges.
func (o *scanOptions) besides() []string {
	list := slices.Clone(o.paths())
	for _, name := range []string{o.baseline, o.diff, o.path()} {
		if name != "" {
			list = append(list, name)
		}
	}
	return list
}

// program tells one build of this program from another.
func program() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	return fmt.Sprint(path, info.Size(), info.ModTime().UnixNano()), nil
}

// show writes the report that was kept, and gives its exit code; ok is false where there is none.
func (r *recall) show(o *scanOptions, env *Env) (code int, ok bool, err error) {
	entry := r.store.Get(r.key)
	if entry == nil {
		return 0, false, nil
	}
	code, err = strconv.Atoi(string(entry[entryExit]))
	if err != nil {
		return 0, false, nil //nolint:nilerr // as if it were not there
	}
	if o.output == "" {
		_, err = env.Stdout.Write(entry[entryReport])
	} else {
		err = os.WriteFile(o.output, entry[entryReport], 0o644)
	}
	if err != nil {
		return 0, false, fmt.Errorf("write report: %w", err)
	}
	if result, there := entry[entryResult]; there {
		keepResult(env, func(w io.Writer) error { _, err := w.Write(result); return err })
	}
	return code, true, nil
}

// keep keeps the report, if what it depends on is still what it was. A cache that cannot be written
// is no reason to fail.
func (r *recall) keep(ctx context.Context, o *scanOptions, env *Env, args []string, res *verdict.Result, code int) {
	if r.report.over || r.result.over || passing(&res.Coverage) || r.endsWithinTheHour(res) {
		return
	}
	again, err := o.prepare(ctx, env, args)
	if err != nil || again == nil || again.key != r.key {
		return
	}
	entry := cache.Entry{entryReport: r.report.Bytes(), entryExit: []byte(strconv.Itoa(code))}
	if r.result.Len() > 0 {
		entry[entryResult] = r.result.Bytes()
	}
	_ = r.store.Put(r.key, entry)
}

// passing says whether a gap may not be there the next time.
func passing(c *verdict.Coverage) bool {
	return slices.ContainsFunc(c.Gaps, func(g verdict.Gap) bool {
		return g.Code == verdict.GapRender || g.Code == verdict.GapUnreadable || g.Code == verdict.GapUnreachable
	})
}

// endsWithinTheHour says whether an exception expires before the key does.
func (r *recall) endsWithinTheHour(res *verdict.Result) bool {
	return res.Ledger != nil && slices.ContainsFunc(res.Ledger.Exceptions, func(e verdict.LedgerEntry) bool {
		return e.Expires.After(r.hour) && e.Expires.Before(r.hour.Add(time.Hour))
	})
}
