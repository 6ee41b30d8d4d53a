package escape

import (
	"io"
	"unicode/utf8"
)

// Writer passes text on to a terminal or a pipe, without control characters (Controls).
// It remembers the first error and takes everything after it, so that who prints need
// not look: what else there is to do gets done, and Err is asked at the end.
type Writer struct {
	To  io.Writer
	err error
	cut []byte // the beginning of a character whose end is yet to come
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

// Err writes what is left and gives the first error.
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
