package datasets

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// Fingerprint identifies the split beyond [Dataset.Fingerprint]. It is "" for
// leave-one-out, which depends on the sequences alone, and for a given split, whose parts
// are in the data's fingerprint. Data sets with equal sequences can be split differently by
// time, which also depends on the times, and by ratio. The fingerprint of these splits
// is the SHA-256, in hex, of one line for each user's training sequence, validation
// case, cold validation case and test case; cases are written as user, length of the history
// and target.
func (s *Split) Fingerprint() string {
	if s.Kind != TimeSplit && s.Kind != RatioSplit {
		return ""
	}
	h := sha256.New()
	var line []byte
	write := func(kind string, numbers ...int32) {
		line = append(line[:0], kind...)
		for _, n := range numbers {
			line = strconv.AppendInt(append(line, ' '), int64(n), 10)
		}
		h.Write(append(line, '\n'))
	}
	for _, seq := range s.Train {
		write("train", seq...)
	}
	for _, part := range []struct {
		kind  string
		cases []Case
	}{{"valid", s.Valid}, {"cold validation", s.ColdValid}, {"test", s.Test}} {
		for _, c := range part.cases {
			write(part.kind, c.User, int32(len(c.History)), c.Target)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
