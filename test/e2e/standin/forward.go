package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// forwarding is what of Fluent Bit's configuration the template uses.
type forwarding struct {
	Service struct {
		Flush      int    `json:"flush"`
		LogLevel   string `json:"log_level"`
		HTTPServer string `json:"http_server"`
		HTTPListen string `json:"http_listen"`
		HTTPPort   int    `json:"http_port"`
	} `json:"service"`
	Pipeline struct {
		Inputs []struct {
			Name            string `json:"name"`
			Tag             string `json:"tag"`
			Path            string `json:"path"`
			DB              string `json:"db"`
			ReadFromHead    string `json:"read_from_head"`
			RefreshInterval int    `json:"refresh_interval"`
			SkipLongLines   string `json:"skip_long_lines"`
			PathKey         string `json:"path_key"`
		} `json:"inputs"`
		Filters []struct {
			Name   string   `json:"name"`
			Match  string   `json:"match"`
			Record []string `json:"record"`
		} `json:"filters"`
		Outputs []struct {
			Name   string `json:"name"`
			Match  string `json:"match"`
			Format string `json:"format"`
			Host   string `json:"host"`
			Port   int    `json:"port"`
		} `json:"outputs"`
	} `json:"pipeline"`
}

// forward tails files as Fluent Bit's tail does, and writes each line with its record to standard output, or posts those of one flush as
// one list (docs.fluentbit.io, output http, format json), until it is told to end; then it reads what was written last.
func forward(path string) error {
	var c forwarding
	if err := readYAML(path, &c); err != nil {
		return err
	}
	out := &c.Pipeline.Outputs[0]
	if len(c.Pipeline.Inputs) != 1 || c.Pipeline.Inputs[0].Name != "tail" ||
		(out.Name != "stdout" || out.Format != "json_lines") && (out.Name != "http" || out.Format != "json") {
		return fmt.Errorf("%s: it is not from tail to stdout or http", path)
	}
	in := &c.Pipeline.Inputs[0]
	if err := os.WriteFile(in.DB, nil, 0o600); err != nil {
		return fmt.Errorf("the place of the database: %w", err)
	}
	about := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"fluent-bit":{}}`) })
	serve := &http.Server{Addr: net.JoinHostPort(c.Service.HTTPListen, strconv.Itoa(c.Service.HTTPPort)), Handler: about, ReadHeaderTimeout: time.Second}
	go func() { _ = serve.ListenAndServe() }() // the probe tells when it does not
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	read := map[string]int{}
	tick := time.NewTicker(time.Duration(in.RefreshInterval) * 100 * time.Millisecond)
	for {
		select {
		case <-tick.C:
		case <-ended:
			return c.lines(read)
		}
		if err := c.lines(read); err != nil {
			return err
		}
	}
}

// lines writes what is new in the files.
func (c *forwarding) lines(read map[string]int) error {
	files, err := filepath.Glob(c.Pipeline.Inputs[0].Path)
	if err != nil {
		return err
	}
	var flush []map[string]any
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for {
			line, _, whole := strings.Cut(string(text[read[file]:]), "\n")
			if !whole {
				break
			}
			read[file] += len(line) + 1
			record := map[string]any{"date": float64(time.Now().UnixMicro()) / 1e6, "log": line, c.Pipeline.Inputs[0].PathKey: file}
			for _, f := range c.Pipeline.Filters {
				for _, pair := range f.Record {
					key, value, _ := strings.Cut(pair, " ")
					record[key] = os.ExpandEnv(value)
				}
			}
			flush = append(flush, record)
		}
	}
	return c.send(flush)
}

// send writes the records of one flush where the configuration says.
func (c *forwarding) send(flush []map[string]any) error {
	out := &c.Pipeline.Outputs[0]
	if out.Name == "stdout" {
		for _, record := range flush {
			if err := tell(record); err != nil {
				return err
			}
		}
		return nil
	}
	if len(flush) == 0 {
		return nil
	}
	body, err := json.Marshal(flush)
	if err != nil {
		return err
	}
	answer, err := http.Post("http://"+net.JoinHostPort(out.Host, strconv.Itoa(out.Port)), "application/json", bytes.NewReader(body)) //nolint:noctx,forbidigo // it ends with the program
	if err != nil {
		return err
	}
	return answer.Body.Close()
}
