package advisory

// Statement is
type Statement struct{}
