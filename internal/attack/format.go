package attack

import "io"

// Format is a way to write paths.
type Format struct {
	Name  string
	Write func(w io.Writer, answers []*Answer) error
}

// Formats are all, the one for people first.
var Formats = []Format{{"text", WriteText}}

// FormatNames are their names.
func FormatNames() []string {
	names := make([]string, 0, len(Formats))
	for _, f := range Formats {
		names = append(names, f.Name)
	}
	return names
}

// Writer is the format of that name; nil for none.
func Writer(name string) func(io.Writer, []*Answer) error {
	for _, f := range Formats {
		if f.Name == name {
			return f.Write
		}
	}
	return nil
}

// Kinds are what a graph is made of, beside pods, rights and policies: "Kind.group".
func Kinds() []string {
	return []string{"ConfigMap", "Namespace", "Node", "PersistentVolume", "PersistentVolumeClaim", "Secret", "ServiceAccount"}
}
