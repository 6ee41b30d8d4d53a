package torch

import "embed"

// Sources are the files of this package, which package code hashes. They are listed, so
// that a change of a test does not compile the C++ again.
//
//go:embed adam.go device.go gather.go layer.go ops.go params.go products.go rate.go rows.go runtime.go sequences.go team.go tensor.go
//go:embed *.c *.cpp *.h *.hpp
var Sources embed.FS
