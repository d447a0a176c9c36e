package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// settingsFile is where settings are looked for in the working folder.
const settingsFile = ".coaming/settings.yaml"

// settingFlags tell rules of the user's own estate.
type settingFlags struct {
	file                           string
	registries, publishers, logins []string
}

func (f *settingFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.file, "settings", "", "read settings of rules from this `FILE` (default "+settingsFile+" where there is one)")
	flags.StringSliceVar(&f.registries, "allow-registry", nil, "images may come from these `REGISTRIES` only (registry.example.com, *.example.com)")
	flags.StringSliceVar(&f.publishers, "allow-publisher", nil, "images may come from these `PUBLISHERS` only (docker.io/library, registry.example.com/team)")
	flags.StringSliceVar(&f.logins, "private-registry", nil, "images of these `REGISTRIES` need a pull secret")
}

func (f *settingFlags) complete(cmd *cobra.Command) {
	for _, flag := range []string{"allow-registry", "allow-publisher", "private-registry"} {
		completeFlag(cmd, flag)
	}
	// The only error is a flag that does not exist.
	_ = cmd.MarkFlagFilename("settings", "yaml", "yml", "json")
}

// load reads the settings; what flags say outranks the file.
func (f *settingFlags) load() (rule.Settings, error) {
	settings, fault := f.fromFile()
	errs := []error{fault}
	for _, list := range []struct {
		flag, key string
		entries   []string
	}{
		{"allow-registry", "registries", f.registries},
		{"allow-publisher", "publishers", f.publishers},
		{"private-registry", "privateRegistries", f.logins},
	} {
		if err := settings.Set(list.key, list.entries); err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", list.flag, err))
		}
	}
	return settings, errors.Join(errs...)
}

// checkBarred refuses ids of rules that there are not: what nobody is barred from would look barred.
func checkBarred(s rule.Settings, ids []string) error {
	var errs []error
	for _, word := range s.InlineBarred {
		var severity verdict.Severity
		if severity.UnmarshalText([]byte(word)) != nil && !slices.Contains(ids, word) {
			errs = append(errs, fmt.Errorf("exceptions.inline.barred: there is no rule %q%s", word, nearest(word, ids)))
		}
	}
	return errors.Join(errs...)
}

// path is the file of settings that is to be read; "" where there is none.
func (f *settingFlags) path() string {
	if f.file != "" {
		return f.file
	}
	if _, err := os.Stat(settingsFile); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return settingsFile // one that cannot be read is an error
}

func (f *settingFlags) fromFile() (rule.Settings, error) {
	name := f.path()
	if name == "" {
		return rule.Settings{}, nil
	}
	text, err := readBounded(name)
	if err != nil {
		return rule.Settings{}, &verdict.RemedyError{Err: fmt.Errorf("read settings: %w", err), Remedy: "See docs/settings.md for what stands there."}
	}
	return rule.ParseSettings(name, text)
}
