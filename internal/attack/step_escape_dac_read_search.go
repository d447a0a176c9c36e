package attack

var escapeDACReadSearch = Step{
	ID: "escape-dac-read-search", Title: "Open the node's files by their number", Technique: "T1611",
	Needs: "commands as root in a container with DAC_READ_SEARCH, outside of a user namespace",
	Gives: "root on the node, by its keys and files",
	Why: "open_by_handle_at opens a file of a file system by its number, past every folder, from any mount of that file system; the kubelet gives every " +
		"container one, for its /etc/hosts lies on the node's disk. So keys are read, and what belongs to root is written, too (the Shocker attack).",
	Fix:    "Remove DAC_READ_SEARCH; give the program's user the right to read what it reads.",
	Effort: Easy,
	Find:   capabilityStep([]string{"DAC_READ_SEARCH"}, nil),
}
