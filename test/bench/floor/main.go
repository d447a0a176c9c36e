// Command floor does the least that any scanner of manifests must: it reads every YAML file below
// its arguments and parses every document into maps, on all cores, with the library that the field
// uses; of snapshots it parses every line as JSON. With -keep it also keeps the maps, as one must who
// judges objects by each other.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

func main() {
	keep := flag.Bool("keep", false, "keep what was parsed")
	flag.Parse()
	var files []string
	for _, root := range flag.Args() {
		err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if ext := filepath.Ext(path); err == nil && !e.IsDir() && (ext == ".yaml" || ext == ".yml" || ext == ".coaming") {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	work := make(chan func() []map[string]any)
	var group sync.WaitGroup
	var mu sync.Mutex
	var kept []map[string]any
	objects := 0
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for part := range work {
				maps := part()
				mu.Lock()
				objects += len(maps)
				if *keep {
					kept = append(kept, maps...)
				}
				mu.Unlock()
			}
		})
	}
	for _, file := range files {
		if filepath.Ext(file) == ".coaming" {
			lines(file, work)
			continue
		}
		work <- func() []map[string]any { return parse(file) }
	}
	close(work)
	group.Wait()
	fmt.Println(objects, "objects")
	runtime.KeepAlive(kept)
}

// lines hands out the lines of a snapshot, up to the first that cannot be read.
func lines(path string, work chan<- func() []map[string]any) {
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer func() { _ = file.Close() }()
	zip, err := gzip.NewReader(file)
	if err != nil {
		return
	}
	r := bufio.NewReaderSize(zip, 1<<20)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return
		}
		work <- func() []map[string]any {
			var m map[string]any
			if json.Unmarshal(line, &m) != nil {
				return nil
			}
			return []map[string]any{m}
		}
	}
}

// parse is the documents of a file up to the first that does not parse.
func parse(file string) []map[string]any {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	var maps []map[string]any
	d := yaml.NewDecoder(bytes.NewReader(raw))
	for {
		var v any
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) || err != nil {
			return maps
		}
		m, ok := v.(map[string]any)
		if !ok {
			continue
		}
		items, _ := m["items"].([]any)
		if kind, _ := m["kind"].(string); !strings.HasSuffix(kind, "List") || items == nil {
			maps = append(maps, m)
			continue
		}
		for _, item := range items {
			if m, ok := item.(map[string]any); ok {
				maps = append(maps, m)
			}
		}
	}
}
