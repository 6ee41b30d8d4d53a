package datasets

import "embed"

// Sources are the files of this package that decide results and that no
// fingerprint covers: how the processed sequences are split. Package code hashes
// them.
//
//go:embed split.go
var Sources embed.FS

// WorldSources are the files that decide the results of models that know a World. For other
// models the fingerprint covers what they generate.
//
//go:embed world.go generate.go
var WorldSources embed.FS
