// Package internal holds the sources of package run that decide results.
package internal

import "embed"

// Sources are these files, under run/. The registry hashes them with the other code of a
// model. It cannot import package run, which uses the registry, and a package can embed
// only files in its own folder or below.
//
//go:embed run/execute.go run/inherit.go run/init.go run/untrained.go
var Sources embed.FS
