package main

import (
	"archive/zip"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/vulndb"
	"github.com/coaming/coaming/test/bench/process"
)

// vulnData holds real OSV records, a folder an ecosystem.
var vulnData = filepath.Join("..", "shared", "vulndata")

// measureAdvisories measures the index of advisories: made by the whole program, opened and asked by processes of
// their own, which hold nothing else; of the real records, and of ten times as many.
func measureAdvisories(ctx context.Context, runs int) error {
	if _, err := os.Stat(vulnData); err != nil {
		fmt.Println("skipped: no ../shared/vulndata beside this checkout")
		return nil
	}
	b, end, err := newBench(ctx, runs)
	if err != nil {
		return err
	}
	defer end()
	questions, err := b.questions()
	if err != nil {
		return err
	}
	fmt.Printf("%-34s %9s %9s %9s %s\n", "the index of", "wall s", "cpu s", "peak MiB", "file MiB")
	one, err := b.index(ctx, "the real records", vulnData, runs)
	if err != nil {
		return err
	}
	renamed := filepath.Join(b.dir, "ten")
	if err := multiply(renamed, 10); err != nil {
		return err
	}
	ten, err := b.index(ctx, "ten times as many, renamed", renamed, 1)
	if err != nil {
		return err
	}
	fmt.Printf("\n%-34s %9s %9s %9s %9s %9s %9s\n", "median (least) of processes", "open ms", "warm ms", "(least)", "cold ms", "(least)", "findings")
	for _, index := range []struct{ name, file string }{{"real", one}, {"ten times", ten}} {
		for _, q := range questions {
			if err := b.answer(ctx, index.name+", "+q.name, index.file, q.file); err != nil {
				return err
			}
		}
	}
	return nil
}

// index has the program make an index.
func (b *bench) index(ctx context.Context, name, records string, runs int) (string, error) {
	file := filepath.Join(b.dir, filepath.Base(records)+".db")
	var all []process.Figures
	for range runs {
		f, err := run(ctx, b.coaming, "db", "build", records, "-o", file, "--kev", filepath.Join(vulnData, "kev.json.gz"),
			"--cvss", filepath.Join(vulnData, "severity.tsv.gz"), "--created", "2026-11-22T00:00:00Z")
		if err != nil {
			return "", err
		}
		all = append(all, f)
	}
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	f := process.Median(all)
	fmt.Printf("%-34s %9.1f %9.1f %9.0f %.1f\n", name, f.Wall, f.CPU, f.Peak, float64(info.Size())/(1<<20))
	return file, nil
}

// packageList is a list of packages in a file.
type packageList struct{ name, file string }

// questions draws packages out of the real records: three in four at the newest version that the records name, as in an
// image that is mended, the others at the oldest.
func (b *bench) questions() ([]packageList, error) {
	all, err := drawn()
	if err != nil {
		return nil, err
	}
	like := func(ecosystem string, most int) []advisory.Package {
		var some []advisory.Package
		for _, p := range all {
			if p.Ecosystem == ecosystem && len(some) < most {
				some = append(some, p)
			}
		}
		return some
	}
	image := slices.Concat(like("Debian:12", 300), like("npm", 200))
	var list []packageList
	for _, q := range []struct {
		name     string
		packages []advisory.Package
	}{
		{strconv.Itoa(len(image)) + " of Debian 12 and npm", image}, {"500 of all ecosystems", all[:500]}, {"5,000 of all ecosystems", all[:5000]},
	} {
		file := filepath.Join(b.dir, strings.ReplaceAll(q.name, " ", "-")+".json")
		text, err := json.Marshal(q.packages)
		if err == nil {
			err = os.WriteFile(file, text, 0o644)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, packageList{q.name, file})
	}
	return list, nil
}

// osvPackages is what the bench reads of a record.
type osvPackages struct {
	Affected []struct {
		Package struct{ Ecosystem, Name string }
		Ranges  []struct {
			Type   string
			Events []map[string]string
		}
	}
}

func drawn() ([]advisory.Package, error) {
	newest, oldest := map[advisory.Package]string{}, map[advisory.Package]string{}
	err := eachRecord(vulnData, func(_ string, text []byte) error {
		var r osvPackages
		if err := json.Unmarshal(text, &r); err != nil {
			return err
		}
		for _, a := range r.Affected {
			p := advisory.Package{Ecosystem: advisory.NormalEcosystem(a.Package.Ecosystem), Name: a.Package.Name}
			for _, g := range a.Ranges {
				for _, e := range g.Events {
					v := cmp.Or(e["fixed"], e["last_affected"])
					if v == "" || g.Type == "GIT" {
						continue
					}
					if n, err := advisory.Compare(p.Ecosystem, cmp.Or(newest[p], v), v); err == nil && n <= 0 {
						newest[p] = v
					}
					if n, err := advisory.Compare(p.Ecosystem, v, cmp.Or(oldest[p], v)); err == nil && n <= 0 {
						oldest[p] = v
					}
				}
			}
		}
		return nil
	})
	list := slices.SortedFunc(maps.Keys(newest), func(a, b advisory.Package) int {
		return cmp.Or(strings.Compare(a.Ecosystem, b.Ecosystem), strings.Compare(a.Name, b.Name))
	})
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	for i, p := range list {
		if list[i].Version = newest[p]; i%4 == 0 {
			list[i].Version = oldest[p]
		}
	}
	return list, err
}

// eachRecord reads the records of all zips below a folder.
func eachRecord(root string, read func(file string, text []byte) error) error {
	files, err := filepath.Glob(filepath.Join(root, "*", "all.zip"))
	if err != nil {
		return err
	}
	for _, file := range files {
		z, err := zip.OpenReader(file)
		if err != nil {
			return err
		}
		for _, f := range z.File {
			in, err := f.Open()
			if err != nil {
				return err
			}
			text, err := io.ReadAll(in)
			if err := errors.Join(err, in.Close()); err != nil {
				return err
			}
			if err := read(file, text); err != nil {
				return fmt.Errorf("%s: %s: %w", file, f.Name, err)
			}
		}
		if err := z.Close(); err != nil {
			return err
		}
	}
	return nil
}

// multiply writes the real records several times: as they are, and with other ids and other names of packages.
func multiply(dir string, times int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	zips := make([]*zip.Writer, times)
	files := make([]*os.File, times)
	defer func() {
		for _, file := range files {
			_ = file.Close() // what counts is that the zip's end is written
		}
	}()
	for i := range zips {
		file, err := os.Create(filepath.Join(dir, strconv.Itoa(i)+".zip"))
		if err != nil {
			return err
		}
		files[i], zips[i] = file, zip.NewWriter(file)
	}
	n := 0
	err := eachRecord(vulnData, func(_ string, text []byte) error {
		n++
		for i, z := range zips {
			w, err := z.CreateHeader(&zip.FileHeader{Name: strconv.Itoa(n) + ".json", Method: zip.Store})
			if err != nil {
				return err
			}
			copied := text
			if i > 0 {
				if copied, err = rename(text, "-"+strconv.Itoa(i)); err != nil {
					return err
				}
			}
			if _, err := w.Write(copied); err != nil {
				return err
			}
		}
		return nil
	})
	for _, z := range zips {
		err = errors.Join(err, z.Close())
	}
	return err
}

// rename gives a record, what it is called elsewhere and its packages other names.
func rename(text []byte, suffix string) ([]byte, error) {
	var r map[string]json.RawMessage
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, err
	}
	for _, field := range []string{"id", "aliases", "upstream", "related"} {
		if old, found := r[field]; found {
			changed := strings.ReplaceAll(strings.ReplaceAll(string(old), `",`, suffix+`",`), `"]`, suffix+`"]`)
			if field == "id" {
				changed = strings.TrimSuffix(string(old), `"`) + suffix + `"`
			}
			r[field] = json.RawMessage(changed)
		}
	}
	var affected []map[string]json.RawMessage
	if err := json.Unmarshal(r["affected"], &affected); err != nil {
		return nil, err
	}
	for _, a := range affected {
		var named map[string]string
		if err := json.Unmarshal(a["package"], &named); err != nil {
			return nil, err
		}
		named["name"] += suffix
		raw, err := json.Marshal(named)
		if err != nil {
			return nil, err
		}
		a["package"] = raw
	}
	raw, err := json.Marshal(affected)
	if err != nil {
		return nil, err
	}
	r["affected"] = raw
	return json.Marshal(r)
}

// timings are what one process measured, in nanoseconds.
type timings struct {
	Open, First int64 // opening, and the first answer with it
	Warm        []int64
	Floor       []int64 // looking the names up in a map of Go's, and nothing else
	Findings    int
}

const (
	coldRuns = 7
	warmRuns = 3
)

// answer asks an index in processes of their own: some with the file out of the kernel's memory, some with it there.
func (b *bench) answer(ctx context.Context, name, index, packages string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	one := func() (t timings, err error) {
		out, err := exec.CommandContext(ctx, self, "-ask", index, "-packages", packages).Output()
		if err == nil {
			err = json.Unmarshal(out, &t)
		}
		return t, err
	}
	var open, warm, cold, floor []int64
	last := timings{}
	for range coldRuns {
		if err := evict(index); err != nil {
			return err
		}
		t, err := one()
		if err != nil {
			return err
		}
		cold = append(cold, t.First)
	}
	for range warmRuns {
		if last, err = one(); err != nil {
			return err
		}
		open, warm, floor = append(open, last.Open), append(warm, last.Warm...), append(floor, last.Floor...)
	}
	fmt.Printf("%-34s %9.3f %9.2f %9.2f %9.1f %9.1f %9d | floor (names looked up alone) %.3f\n", name,
		ms(middle(open)), ms(middle(warm)), ms(slices.Min(warm)), ms(middle(cold)), ms(slices.Min(cold)), last.Findings, ms(middle(floor)))
	return nil
}

func ms(ns int64) float64 { return float64(ns) / 1e6 }

func middle(list []int64) int64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// answerOnce is what such a process does.
func answerOnce(index, packages string) (err error) {
	q := &advisory.Question{Today: "2026-11-22"}
	text, err := os.ReadFile(packages)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &q.Packages); err != nil {
		return err
	}
	t := timings{}
	start := time.Now()
	db, err := vulndb.Open(index)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	t.Open = time.Since(start).Nanoseconds()
	if _, err := db.Match(q); err != nil {
		return err
	}
	t.First = time.Since(start).Nanoseconds()
	for range 30 {
		start := time.Now()
		a, err := db.Match(q)
		if err != nil {
			return err
		}
		t.Warm = append(t.Warm, time.Since(start).Nanoseconds())
		t.Findings = len(a.Findings)
	}
	names := map[string]int{}
	for i, p := range q.Packages {
		names[p.Ecosystem+"/"+p.Name] = i
	}
	for range 30 {
		start, found := time.Now(), 0
		for _, p := range q.Packages {
			if _, ok := names[p.Ecosystem+"/"+p.Name]; ok {
				found++
			}
		}
		t.Floor = append(t.Floor, time.Since(start).Nanoseconds()+int64(found-len(q.Packages)))
	}
	return json.NewEncoder(os.Stdout).Encode(&t)
}
