package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"

	"github.com/coaming/coaming/internal/fact"
)

func composerReader(at string) reader {
	if path.Base(path.Dir(at)) == "composer" {
		return readComposer
	}
	return nil
}

// readComposer reads what composer installed: of its release 1 a list of packages, of 2 an object that has the list.
func readComposer(in *input) (*find, error) {
	var raw json.RawMessage
	if err := in.json(&raw); err != nil {
		return nil, err
	}
	type entry struct{ Name, Version word }
	var list []entry
	if err := json.Unmarshal(raw, &list); err != nil {
		var second struct {
			Packages []entry `json:"packages"`
		}
		if err := json.Unmarshal(raw, &second); err != nil {
			return nil, fmt.Errorf("it is no list of composer's: %w", err)
		}
		list = second.Packages
	}
	f := &find{}
	bad := 0
	for _, e := range list {
		if e.Name == "" || e.Version == "" {
			bad++
			continue
		}
		f.packages = append(f.packages, fact.Package{Ecosystem: "Packagist", Name: string(e.Name), Version: string(e.Version)})
	}
	if bad > 0 {
		return f, errors.New("some packages have no name or no version")
	}
	return f, nil
}
