package bert

import "embed"

// Sources are the files of this package, which package code hashes.
//
//go:embed *.go
var Sources embed.FS
