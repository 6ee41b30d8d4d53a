package datasets

import "embed"

// data/PROVENANCE.md describes the embedded files; a test compares their
// SHA-256 sums with it.
//
//go:embed data
var embedded embed.FS

// Embedded lists the data sets that need no file: three Amazon review sets in
// the layout of S3-Rec.
func Embedded() []string { return []string{"amazon-beauty", "amazon-sports", "amazon-toys"} }
