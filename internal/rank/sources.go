package rank

import "embed"

// Sources are the files of this package, which package code hashes.
//
//go:embed *.go *.c *.h
var Sources embed.FS
