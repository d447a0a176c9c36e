// Command floor does the least that any scanner of manifests must: it reads every YAML file below
// its arguments and parses every document into maps, on all cores, with the library that the field
// uses. With -keep it also keeps the maps, as one must who judges objects by each other.
package main

import (
	"bytes"
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
			if ext := filepath.Ext(path); err == nil && !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	work := make(chan string)
	var group sync.WaitGroup
	var mu sync.Mutex
	var kept []map[string]any
	objects := 0
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for file := range work {
				maps := parse(file)
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
		work <- file
	}
	close(work)
	group.Wait()
	fmt.Println(objects, "objects")
	runtime.KeepAlive(kept)
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
