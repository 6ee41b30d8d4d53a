package escape

import (
	"io"
	"unicode/utf8"
)

// Writer passes text on to a terminal or a pipe, without control characters (Controls).
// It keeps the first error and accepts everything after it, so callers that print need
// not check each error. All other work is done, and Err is checked at the end.
type Writer struct {
	To  io.Writer
	err error
	cut []byte // the beginning of a character whose last bytes are not written yet
}

// Write never fails.
func (w *Writer) Write(p []byte) (int, error) {
	text := append(w.cut, p...)
	end := len(text)
	for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
		if utf8.RuneStart(text[len(text)-i]) {
			if !utf8.FullRune(text[len(text)-i:]) {
				end = len(text) - i
			}
			break
		}
	}
	w.cut = append([]byte(nil), text[end:]...)
	w.print(string(text[:end]))
	return len(p), nil
}

// Err writes the rest and returns the first error.
func (w *Writer) Err() error {
	w.print(string(w.cut))
	w.cut = nil
	return w.err
}

func (w *Writer) print(text string) {
	if w.err == nil && text != "" {
		_, w.err = io.WriteString(w.To, Controls(text))
	}
}
