// Package safetensors reads and writes the safetensors format: an 8-byte
// little-endian header length, a JSON header that maps each tensor's name to
// its dtype, shape and byte range, then the bytes of all tensors without gap or
// overlap. Unlike a pickle it can run nothing, and every number in it can be
// checked. A file from elsewhere is checked completely before any of it is
// used; a file written here has the same bytes whenever it has the same
// content.
//
// Source: https://github.com/huggingface/safetensors (README, "Format").
package safetensors

import (
	"fmt"
	"math/bits"
)

// File is the content of a safetensors file.
type File struct {
	Tensors  map[string]Tensor
	Metadata map[string]string // free text; nil where the file has none
}

// Tensor is one array in row-major order.
type Tensor struct {
	DType string  // "F32", "F64", "I64", "U8", …: a key of the format's list
	Shape []int64 // empty for a scalar; a dimension may be 0
	Data  []byte  // elements in little-endian order; may share memory with others of its File
}

// FormatError says what is wrong with a file that is being read, or with the
// content of one that was to be written.
type FormatError struct {
	Path   string // "" for Decode
	Tensor string // name of the tensor at fault; "" where the fault is not in one tensor
	Reason string
}

func (e *FormatError) Error() string {
	s := "safetensors: "
	if e.Path != "" {
		s += e.Path + ": "
	}
	if e.Tensor != "" {
		s += fmt.Sprintf("tensor %.200q: ", e.Tensor) // a damaged header may have a name of any length
	}
	return s + e.Reason
}

// dtypeSize gives the bytes an element takes. The format's types of less than
// a byte are left out: nothing here reads them.
var dtypeSize = map[string]uint64{
	"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1,
	"I16": 2, "U16": 2, "F16": 2, "BF16": 2,
	"I32": 4, "U32": 4, "F32": 4,
	"F64": 8, "I64": 8, "U64": 8,
}

// metadataKey is the one name in the header that is not a tensor's.
const metadataKey = "__metadata__"

// maxHeader is the format's own bound on the header, in bytes.
const maxHeader = 100_000_000

// maxDimensions is what PyTorch and NumPy can hold.
const maxDimensions = 64

// byteLen gives the bytes that a tensor of this type and shape takes.
func byteLen(dtype string, shape []int64) (uint64, error) {
	n, ok := dtypeSize[dtype]
	if !ok {
		return 0, fmt.Errorf("unknown dtype %.20q", dtype)
	}
	for i, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v: dimension %d is negative", shape, i)
		}
		high, low := bits.Mul64(n, uint64(d))
		if high != 0 {
			return 0, fmt.Errorf("shape %v of %s overflows 64 bits", shape, dtype)
		}
		n = low
	}
	return n, nil
}
