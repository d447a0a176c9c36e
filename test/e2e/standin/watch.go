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
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// watching is what of Falco's configuration the template uses.
type watching struct {
	Engine      struct{ Kind string } `json:"engine"`
	RulesFiles  []string              `json:"rules_files"`
	LoadPlugins []string              `json:"load_plugins"`
	Plugins     []struct {
		Name        string `json:"name"`
		LibraryPath string `json:"library_path"`
		OpenParams  string `json:"open_params"`
	} `json:"plugins"`
	WatchConfigFiles  bool                   `json:"watch_config_files"`
	TimeFormatISO8601 bool                   `json:"time_format_iso_8601"`
	JSONOutput        bool                   `json:"json_output"`
	JSONIncludeOutput bool                   `json:"json_include_output_property"`
	JSONIncludeTags   bool                   `json:"json_include_tags_property"`
	LogStderr         bool                   `json:"log_stderr"`
	LogSyslog         bool                   `json:"log_syslog"`
	SyslogOutput      struct{ Enabled bool } `json:"syslog_output"`
	StdoutOutput      struct{ Enabled bool } `json:"stdout_output"`
	Webserver         struct {
		Enabled    bool   `json:"enabled"`
		ListenPort int    `json:"listen_port"`
		Healthz    string `json:"k8s_healthz_endpoint"`
	} `json:"webserver"`

	rules []falcoRule
	mu    sync.Mutex
}

// falcoRule is one of Falco's rules.
type falcoRule struct {
	Rule, Desc, Condition, Output, Priority, Source string
	Tags                                            []string
}

// alert is what Falco writes of an event with json_output.
type alert struct {
	Hostname     string         `json:"hostname"`
	Output       string         `json:"output"`
	OutputFields map[string]any `json:"output_fields"`
	Priority     string         `json:"priority"`
	Rule         string         `json:"rule"`
	Source       string         `json:"source"`
	Tags         []string       `json:"tags"`
	Time         string         `json:"time"`
}

// watch judges what is posted by the rules, in the few forms of conditions that the template's have, until it is told to end.
func watch(path string) error {
	c := &watching{}
	if err := readYAML(path, c); err != nil {
		return err
	}
	if c.Engine.Kind != "nodriver" || strings.Join(c.LoadPlugins, " ") != "collector json" || !c.JSONOutput || !c.StdoutOutput.Enabled {
		return fmt.Errorf("%s: it is not plugins without a driver", path)
	}
	if err := readYAML(c.RulesFiles[0], &c.rules); err != nil {
		return err
	}
	// The collector takes its address from what it is opened with (falcosecurity/plugins plugins/collector/pkg/collector/collector.go).
	open := struct {
		Buffer uint64 `json:"buffer"`
		Addr   string `json:"addr"`
	}{Addr: ":54827"}
	if params := c.Plugins[0].OpenParams; params != "" {
		if err := json.Unmarshal([]byte(params), &open); err != nil {
			return fmt.Errorf("wrong open params format: %w", err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc(c.Webserver.Healthz, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"status": "ok"}`) })
	for address, handler := range map[string]http.Handler{
		net.JoinHostPort("", strconv.Itoa(c.Webserver.ListenPort)): mux,
		open.Addr: http.HandlerFunc(c.event),
	} {
		server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: time.Second}
		go func() { _ = server.ListenAndServe() }() // the probe, and the program, tell when it does not
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	<-ended
	return nil
}

var term = regexp.MustCompile(`^json\.obj (i?)contains "([^"]*)"$`)

// event is one body, whatever it is: a list of records is one event, as it is for the plugin json
// (falcosecurity/plugins plugins/json/pkg/json/json.go).
func (c *watching) event(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, body, "", "  "); err != nil {
		return
	}
	event := indented.String()
	c.mu.Lock()
	defer c.mu.Unlock()
	host, _ := os.Hostname()
	now := time.Now().UTC()
	for _, rule := range c.rules {
		if !holds(rule.Condition, event) {
			continue
		}
		_ = tell(alert{ // nobody reads what is told of a failure to tell
			host, now.Format(time.RFC3339Nano) + ": " + rule.Priority + " " + strings.ReplaceAll(rule.Output, "%json.obj", event),
			map[string]any{"evt.time": now.UnixNano(), "json.obj": event},
			rule.Priority, rule.Rule, rule.Source, rule.Tags, now.Format(time.RFC3339Nano),
		})
		return // the first rule that holds, as rule_matching is by default
	}
}

func holds(condition, event string) bool {
	for part := range strings.SplitSeq(condition, " or ") {
		m := term.FindStringSubmatch(part)
		if m == nil {
			panic("a condition that Falco may read and this does not: " + part)
		}
		text, word := event, m[2]
		if m[1] == "i" {
			text, word = strings.ToLower(text), strings.ToLower(word)
		}
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}
