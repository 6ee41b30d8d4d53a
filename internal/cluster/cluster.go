// Package cluster runs a suite on a cluster: it submits workers to Slurm, shows how far they are,
// and cancels them, or describes the same workers for Kubernetes.
//
// A worker is an ordinary bench process that takes the next run that nobody holds until none is
// left. The scheduler places workers, not runs. What is done is known from the records in the
// shared results folder, and what is queued from the scheduler, so there is no state of our own
// that could be wrong.
package cluster

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// Suite is a suite as it is given to a cluster.
type Suite struct {
	Name    string
	Results string   // the results folder, an absolute path
	Worker  []string // command of a worker, with absolute paths
	Report  []string // command that renders the tables
	Workers int
}

// hash is the beginning of a hash of texts.
func hash(texts ...string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(texts, "\x00"))))[:8]
}

// family is how the names of all jobs begin that this suite has in this results folder.
func (s Suite) family() string { return fmt.Sprintf("bench-%s-%s-", s.Name, hash(s.Results)) }

// job is the name of the jobs of the workers that do the same runs. By it they are found again.
func (s Suite) job() string { return s.family() + hash(s.Worker...) }

const reportSuffix = "-report"

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,+"

// quote quotes a word for a shell.
func quote(word string) string {
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// command quotes the words of a command for a shell.
func command(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = quote(w)
	}
	return strings.Join(out, " ")
}
