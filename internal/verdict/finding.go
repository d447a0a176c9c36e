package verdict

// Finding is a verdict worth showing: a fail, an unknown or an exempt one.
type Finding struct {
	// Fingerprint names the same fault of the same object for ever: 16 hex digits that do not
	// change when lines move, files are renamed or keys are re-ordered.
	Fingerprint string   `json:"fingerprint"`
	Verdict     Verdict  `json:"verdict"`
	Rule        string   `json:"rule"`
	Practice    string   `json:"practice"`
	Severity    Severity `json:"severity"`
	Subject     Subject  `json:"subject"`
	// Message says what is wrong here; of an unknown, what could not be decided.
	Message string `json:"message"`
	// Reason is why an unknown is unknown, or who excused an exempt one until when.
	Reason string `json:"reason,omitempty"`
	// Own says of an unknown that its reason is what the object says, and nothing that could not be looked at. It is no part of the format.
	Own bool `json:"-"`
	// Path is where the fault stands in the object, list items by name where they have one:
	// spec.template.spec.containers[web].securityContext.privileged.
	Path     string   `json:"path"`
	Location Location `json:"location"`
	// Also is where else the same fault of the same object was read.
	Also    []Location `json:"also,omitempty"`
	Excerpt *Excerpt   `json:"excerpt,omitempty"`
	// Exemption is what excused an exempt one.
	Exemption *Exemption `json:"exemption,omitempty"`
	// Risk is what it matters to attackers; nil where nothing is known to lead there, and nowhere from there.
	Risk *Risk `json:"risk,omitempty"`
	// Vulnerability is what is published, where the finding is about a package of an image.
	Vulnerability *Vulnerability `json:"vulnerability,omitempty"`
	// Change is how it stands to an earlier result; "" where none was compared with. Was is what it
	// was there, when that changed.
	Change Change `json:"change,omitempty"`
	Was    *Was   `json:"was,omitempty"`
	// Stood says of what an update is judged for that it was there before. It is no part of the format.
	Stood bool `json:"-"`
}

// Subject is what was judged.
type Subject struct {
	APIVersion string `json:"apiVersion,omitempty"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	// Container is set when one container was judged.
	Container string `json:"container,omitempty"`
}

// String is Kind/namespace/name, with the container in brackets.
func (s Subject) String() string {
	text := s.Kind + "/"
	if s.Namespace != "" {
		text += s.Namespace + "/"
	}
	text += s.Name
	if s.Container != "" {
		text += " [" + s.Container + "]"
	}
	return text
}

// Location is a place in the input. Lines and columns count from 1, columns in bytes; 0 is not known.
type Location struct {
	// Source says what was read: "files", "helm:RELEASE", "kustomize:DIR", "cluster:CONTEXT", "archive:FILE".
	Source string `json:"source"`
	// File is the path as it was given, with slashes; for a cluster the object's API path. Of a
	// chart or an overlay it is the template or directory, and Rendered is set: line and column
	// count in what was rendered from it.
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Rendered bool   `json:"rendered,omitempty"`
}

// Excerpt is the evidence as it stands in the input, credentials masked.
type Excerpt struct {
	First  int      `json:"first"`  // line number of Lines[0], from 1
	Marked int      `json:"marked"` // line number of the faulty line
	Lines  []string `json:"lines"`
}

// Unrated says that the finding fails and nobody has said how grave it is: its severity is then no more than a place in a list.
func (f *Finding) Unrated() bool {
	return f.Verdict == Fail && f.Vulnerability != nil && f.Vulnerability.Unrated
}

// Places is at how many places the fault was read: equal objects in several folders are one subject.
func (f *Finding) Places() int { return 1 + len(f.Also) }
