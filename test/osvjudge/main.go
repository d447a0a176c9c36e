package main

import (
	_ "github.com/google/osv-scalibr/enricher/vulnmatch/osvlocal"
)

func main() {}
