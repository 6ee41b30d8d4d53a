package datasets

import "embed"

// Sources are the files of this package that decide results and that no
// fingerprint covers: how the processed sequences are split. Package code hashes
// them.
//
//go:embed split.go
var Sources embed.FS
