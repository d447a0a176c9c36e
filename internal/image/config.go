package image

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/credential"
	"github.com/coaming/coaming/internal/fact"
)

// configOf is how a container starts, without the values of credentials.
func configOf(c *config) fact.ImageConfig {
	r := &c.Config
	out := fact.ImageConfig{
		User: r.User, Entrypoint: list(r.Entrypoint), Command: list(r.Cmd), Directory: r.WorkingDir, Labels: withoutValues(r.Labels),
		Volumes: slices.Sorted(maps.Keys(r.Volumes)), OnBuild: list(r.OnBuild), UID: -1, Created: day(c.Created),
		Environment: []fact.Variable{}, Ports: []fact.ImagePort{}, Health: []string{}, Credentials: []fact.ConfigCredential{},
	}
	out.Credentials = credentialsIn(r)
	for _, words := range [][]string{out.Entrypoint, out.Command, out.OnBuild} {
		mask(words)
	}
	if out.Volumes == nil {
		out.Volumes = []string{}
	}
	for _, e := range r.Env {
		name, value, _ := strings.Cut(e, "=")
		v := fact.Variable{Name: name, Value: value, Credential: credential.Kind(name, value)}
		if v.Credential != credential.None || credential.Masks(name, value) {
			v.Value = ""
		}
		out.Environment = append(out.Environment, v)
	}
	for _, name := range slices.Sorted(maps.Keys(r.ExposedPorts)) {
		number, protocol, _ := strings.Cut(name, "/")
		p := fact.ImagePort{Name: name, Protocol: protocol}
		if protocol == "" {
			p.Protocol = "tcp"
		}
		p.Port, _ = strconv.Atoi(number)
		out.Ports = append(out.Ports, p)
	}
	if r.Healthcheck != nil {
		out.Health = list(r.Healthcheck.Test)
		mask(out.Health)
	}
	return out
}

// mask hides the credentials in the words of a command; where only all of them together tell of one, all but the program.
func mask(words []string) {
	for i := range words {
		if i > 0 && argumentKind(words[i-1], words[i]) != credential.None {
			words[i] = hiddenText
		}
		words[i], _ = masked(words[i])
	}
	if len(words) > 1 && credential.ByForm(strings.Join(words, " ")) != credential.None {
		for i := range words[1:] {
			words[i+1] = hiddenText
		}
	}
}

// argumentKind is the kind of credential that a word is as the argument of the flag before it.
func argumentKind(flag, word string) string {
	if !strings.HasPrefix(flag, "-") || strings.HasPrefix(word, "-") {
		return credential.None
	}
	if _, password, found := strings.Cut(word, ":"); found && (flag == "-u" || flag == "--user") {
		if _, err := strconv.Atoi(password); err == nil {
			return credential.None // the numbers of a user and a group
		}
		return credential.Kind("password", password)
	}
	return credential.Kind(flag, word)
}

// credentialsIn are those of the configuration beside the environment, of each place and kind one.
func credentialsIn(r *launch) []fact.ConfigCredential {
	found := []fact.ConfigCredential{}
	add := func(name, kind string) {
		if c := (fact.ConfigCredential{Name: name, Kind: kind}); kind != credential.None && !slices.Contains(found, c) && len(found) < maxConfigCredentials {
			found = append(found, c)
		}
	}
	command := func(name string, words []string) {
		before := len(found)
		for i, word := range words {
			add(name, credential.Kind("", word))
			if i > 0 {
				add(name, argumentKind(words[i-1], word))
			}
		}
		if len(found) == before && len(words) > 1 { // mysql -pSECRET, curl -u user:SECRET
			add(name, credential.ByForm(strings.Join(words, " ")))
		}
	}
	command("entrypoint", r.Entrypoint)
	command("command", r.Cmd)
	if r.Healthcheck != nil {
		command("health check", r.Healthcheck.Test)
	}
	for _, step := range r.OnBuild {
		_, kind := masked(step)
		add("step for images built on this one", kind)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
		add("label "+name, credential.InTree(name, r.Labels[name]))
	}
	return found
}

// maxConfigCredentials is how many of them are told.
const maxConfigCredentials = 100

// withoutValues is a map of labels or annotations with credentials masked.
func withoutValues(m map[string]string) map[string]string {
	out := make(map[string]string, len(m))
	for name, value := range m {
		if credential.Masks(name, value) {
			value = hiddenText
		}
		out[name] = value
	}
	return out
}

func list(words []string) []string { return append([]string{}, words...) }

// day is the day of a moment of RFC 3339, "" where there is none, or where it is the beginning of an epoch, as
// builds write it that are to be reproducible.
func day(moment string) string {
	t, err := time.Parse(time.RFC3339Nano, moment)
	if err != nil || t.Year() <= 1980 {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// hiddenText stands in place of a credential.
const hiddenText = "[masked]"

// masked is a command without the credentials in it, and what kind the first of them is.
func masked(command string) (text, kind string) {
	kind = credential.Kind("", command)
	if kind == credential.None {
		kind = assigned(command)
	}
	var b strings.Builder
	at := 0
	for _, s := range credential.Spans(command) {
		if s.Start > at {
			b.WriteString(command[at:s.Start])
		}
		b.WriteString(hiddenText)
		at = max(at, s.End)
	}
	b.WriteString(command[at:])
	return b.String(), kind
}

// assigned is the kind of credential that an ENV or ARG step of a build gives a name.
func assigned(command string) string {
	command = strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(command, "/bin/sh -c "), "#(nop)"))
	command = strings.TrimSpace(strings.TrimPrefix(command, "#(nop)"))
	word, rest, _ := strings.Cut(command, " ")
	if word != "ENV" && word != "ARG" && word != "LABEL" {
		return credential.None
	}
	name, value, found := strings.Cut(strings.TrimSpace(rest), "=")
	if !found {
		name, value, _ = strings.Cut(strings.TrimSpace(rest), " ")
	}
	return credential.Kind(name, strings.Trim(value, `"'`))
}

// historyOf is the steps of the build. Layers are only told where the history has one step for each.
func historyOf(c *config, layers int) []fact.ImageStep {
	made := 0
	for _, h := range c.History {
		if !h.EmptyLayer {
			made++
		}
	}
	steps := make([]fact.ImageStep, 0, len(c.History))
	layer := 0
	for i, h := range c.History {
		s := fact.ImageStep{Name: strconv.Itoa(i + 1), Layer: -1}
		s.Command, s.Credential = masked(h.CreatedBy)
		if !h.EmptyLayer && made == layers {
			s.Layer = layer
			layer++
		}
		steps = append(steps, s)
	}
	return steps
}
