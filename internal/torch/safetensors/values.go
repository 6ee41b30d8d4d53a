package safetensors

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// Float32s gives a copy of the elements of an F32 tensor.
func (t Tensor) Float32s() ([]float32, error) {
	if err := t.check("F32"); err != nil {
		return nil, err
	}
	v := make([]float32, len(t.Data)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.Data[4*i:]))
	}
	return v, nil
}

// Int64s gives a copy of the elements of an I64 tensor.
func (t Tensor) Int64s() ([]int64, error) {
	if err := t.check("I64"); err != nil {
		return nil, err
	}
	v := make([]int64, len(t.Data)/8)
	for i := range v {
		v[i] = int64(binary.LittleEndian.Uint64(t.Data[8*i:]))
	}
	return v, nil
}

// Uint8s gives a copy of the elements of a U8 tensor.
func (t Tensor) Uint8s() ([]byte, error) {
	if err := t.check("U8"); err != nil {
		return nil, err
	}
	return slices.Clone(t.Data), nil
}

// check makes sure that t is of this type and that its data fill its shape.
func (t Tensor) check(dtype string) error {
	if t.DType != dtype {
		return fmt.Errorf("safetensors: dtype is %s, expected %s", t.DType, dtype)
	}
	n, err := byteLen(t.DType, t.Shape)
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	if n != uint64(len(t.Data)) {
		return fmt.Errorf("safetensors: %d bytes of data, but shape %v of %s takes %d", len(t.Data), t.Shape, dtype, n)
	}
	return nil
}

// FromFloat32s makes an F32 tensor from a copy of v. A shape that does not hold
// len(v) elements is reported by Write.
func FromFloat32s(shape []int64, v []float32) Tensor {
	data := make([]byte, 0, 4*len(v))
	for _, x := range v {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
	}
	return Tensor{DType: "F32", Shape: slices.Clone(shape), Data: data}
}

// FromInt64s makes an I64 tensor from a copy of v, as FromFloat32s does.
func FromInt64s(shape []int64, v []int64) Tensor {
	data := make([]byte, 0, 8*len(v))
	for _, x := range v {
		data = binary.LittleEndian.AppendUint64(data, uint64(x))
	}
	return Tensor{DType: "I64", Shape: slices.Clone(shape), Data: data}
}

// FromUint8s makes a U8 tensor from a copy of v, as FromFloat32s does.
func FromUint8s(shape []int64, v []byte) Tensor {
	return Tensor{DType: "U8", Shape: slices.Clone(shape), Data: slices.Clone(v)}
}
