package datasets

import (
	"bytes"
	"encoding/binary"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	encoding16 "golang.org/x/text/encoding/unicode"
)

var (
	gzipMagic = []byte{0x1f, 0x8b}
	utf8BOM   = []byte("\xef\xbb\xbf")
)

// Files that are often mistaken for text, by their first bytes. The table is
// shorter than a library that knows hundreds of types, and each entry says what
// to do.
var notText = []struct{ magic, what string }{
	{"\x1f\x8b", "gzip inside gzip; unpack it once"},
	{"PK\x03\x04", "a zip archive or a spreadsheet; unpack it, or export it as csv"},
	{"PK\x05\x06", "an empty zip archive"},
	{"PK\x07\x08", "a zip archive in parts; unpack it"},
	{"\xfd7zXZ\x00", "xz data; unpack it, or compress it with gzip"},
	{"\x5d\x00\x00\x80\x00", "lzma data; unpack it, or compress it with gzip"},
	{"BZh", "bzip2 data; unpack it, or compress it with gzip"},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it"},
	{"Rar!\x1a\x07", "a rar archive; unpack it"},
	{"\x28\xb5\x2f\xfd", "zstd data; unpack it, or compress it with gzip"},
	{"\x04\x22\x4d\x18", "lz4 data; unpack it, or compress it with gzip"},
	{"\xff\x06\x00\x00sNaPpY", "snappy data; unpack it, or compress it with gzip"},
	{"LZIP", "lzip data; unpack it, or compress it with gzip"},
	{"\x1f\x9d", "compress data (.Z); unpack it"},
	{"PAR1", "a Parquet file; export it as csv"},
	{"ARROW1", "an Arrow file; export it as csv"},
	{"FEA1", "a Feather file; export it as csv"},
	{"ORC", "an ORC file; export it as csv"},
	{"Obj\x01", "an Avro file; export it as csv"},
	{"SQLite format 3\x00", "an SQLite database; export the table as csv"},
	{"\x89HDF\r\n\x1a\n", "an HDF5 file; export it as csv"},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old spreadsheet or document; export it as csv"},
	{"\x93NUMPY", "a NumPy array; export it as csv"},
	{"\x80\x02", "a Python pickle; export it as csv"},
	{"\x80\x03", "a Python pickle; export it as csv"},
	{"\x80\x04", "a Python pickle; export it as csv"},
	{"\x80\x05", "a Python pickle; export it as csv"},
	{"%PDF-", "a PDF document"},
	{"\xff\xfe\x00\x00", "UTF-32; convert it to UTF-8"},
	{"\x00\x00\xfe\xff", "UTF-32; convert it to UTF-8"},
	{"version https://git-lfs.", "a Git LFS pointer, not the file itself; fetch it with git lfs pull"},
}

// markup is compared without regard to case, after blanks.
var markup = []struct{ begin, what string }{
	{"<!doctype html", "an HTML page: the download may have saved an error message; fetch the file again"},
	{"<html", "an HTML page: the download may have saved an error message; fetch the file again"},
	{"<head", "an HTML page: the download may have saved an error message; fetch the file again"},
	{"<?xml", "an XML file; export it as csv"},
	{"<!--", "an HTML or XML file; expected lines of text"},
}

// sniff names the kind of a file that is not lines of text, by its first bytes,
// and says what to do; "" if it may be text.
func sniff(head []byte) string {
	for _, k := range notText {
		if bytes.HasPrefix(head, []byte(k.magic)) && (k.magic != "ORC" && k.magic != "BZh" || !isText(head)) {
			return k.what
		}
	}
	if len(head) >= 263 && string(head[257:262]) == "ustar" {
		return "a tar archive; unpack it"
	}
	text := bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(head, utf8BOM)))
	for _, k := range markup {
		if bytes.HasPrefix(text, []byte(k.begin)) {
			return k.what
		}
	}
	return ""
}

// isText distinguishes text from binary data that begins with the same letters.
func isText(head []byte) bool {
	return !bytes.ContainsFunc(head, func(r rune) bool {
		return r == utf8.RuneError || unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t'
	})
}

// utf16Order recognises UTF-16 by its byte order mark, and without one if it is
// certain: every second byte is NUL for most characters, and none of the other
// bytes is.
func utf16Order(head []byte) (order encoding16.Endianness, bom, ok bool) {
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		return encoding16.LittleEndian, true, true
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return encoding16.BigEndian, true, true
	}
	var zeros [2]int
	for i, c := range head {
		if c == 0 {
			zeros[i%2]++
		}
	}
	most := len(head) / 4 // half of the characters
	switch {
	case zeros[0] == 0 && zeros[1] > most:
		return encoding16.LittleEndian, false, true
	case zeros[1] == 0 && zeros[0] > most:
		return encoding16.BigEndian, false, true
	}
	return order, false, false
}

// encoding is that of the lines with characters other than ASCII.
type encoding int

const (
	asciiText encoding = iota // no such line so far
	utf8Text
	windows1252
)

func isASCII(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&0x8080808080808080 != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// decode1252 appends a line of Windows-1252, which is Latin-1 with characters in
// place of control codes. ok is false if a byte has no character, or if the text
// may as well be in another encoding: three accented letters in a row (Cyrillic,
// Greek or Chinese), signs between letters (Polish), or Icelandic letters whose
// bytes are Turkish letters in another encoding. If surely is true, only bytes
// without a character are refused.
func decode1252(dst, line []byte, surely bool) (out []byte, ok bool) {
	run := 0
	for i, c := range line {
		if c < utf8.RuneSelf {
			dst = append(dst, c)
			run = 0
			continue
		}
		r := charmap.Windows1252.DecodeByte(c)
		if r == utf8.RuneError || r < 0xa0 { // no character, or a control code
			return dst, false
		}
		dst = utf8.AppendRune(dst, r)
		if run++; surely {
			continue
		}
		letter := unicode.IsLetter(r) && !bytes.ContainsRune([]byte("ÐÝÞðýþƒªºµ"), r)
		apostrophe := r == '’' || r == '·'
		if run > 2 || !letter && !apostrophe && i > 0 && i+1 < len(line) && isLetter(line[i-1]) && isLetter(line[i+1]) {
			return dst, false
		}
		if !letter && unicode.IsLetter(r) && r != 'ª' && r != 'º' && r != 'µ' {
			return dst, false
		}
	}
	return dst, true
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
