package facets

import "embed"

// Sources are the files of this package, which package code hashes.
//
//go:embed oracle.go known.go
var Sources embed.FS
