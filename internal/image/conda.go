package image

import "errors"

// readConda reads what conda keeps of each package that it installed. OSV has no such ecosystem: what is known against
// it is unknown.
func readConda(in *input) (*find, error) {
	var p struct{ Name, Version word }
	if err := in.json(&p); err != nil {
		return nil, err
	}
	if p.Name == "" || p.Version == "" {
		return nil, errors.New("it names no package and version")
	}
	return one("conda", string(p.Name), string(p.Version)), nil
}
