package safetensors

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// Float32s gives a copy of the elements of an F32 tensor.
func (t Tensor) Float32s() ([]float32, error) {
	if err := t.Check("F32"); err != nil {
		return nil, err
	}
	v := make([]float32, len(t.Data)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.Data[4*i:]))
	}
	return v, nil
}

// ToFloat32 gives an F32 tensor of the same values: t itself, or what an F16 or BF16
// tensor holds, every value of which F32 has, too.
func (t Tensor) ToFloat32() (Tensor, error) {
	var widen func(uint16) float32
	switch t.DType {
	case "F32":
		return t, t.Check("F32")
	case "F16":
		widen = fromFloat16
	case "BF16": // the upper half of an F32
		widen = func(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }
	default:
		return t, fmt.Errorf("safetensors: dtype is %s, expected F32, F16 or BF16", t.DType)
	}
	if err := t.Check(t.DType); err != nil {
		return t, err
	}
	v := make([]float32, len(t.Data)/2)
	for i := range v {
		v[i] = widen(binary.LittleEndian.Uint16(t.Data[2*i:]))
	}
	return FromFloat32s(t.Shape, v), nil
}

// fromFloat16 reads IEEE 754's binary16: a sign, 5 bits of exponent, 10 of fraction.
func fromFloat16(b uint16) float32 {
	exponent, fraction := int(b>>10&31), float64(b&1023)
	var v float64
	switch exponent {
	case 0: // below the normal numbers, or 0
		v = math.Ldexp(fraction, -24)
	case 31:
		v = math.Inf(1)
		if fraction != 0 {
			v = math.NaN()
		}
	default:
		v = math.Ldexp(1024+fraction, exponent-25)
	}
	if b>>15 == 1 {
		v = -v
	}
	return float32(v)
}

// Int64s gives a copy of the elements of an I64 tensor.
func (t Tensor) Int64s() ([]int64, error) {
	if err := t.Check("I64"); err != nil {
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
	if err := t.Check("U8"); err != nil {
		return nil, err
	}
	return slices.Clone(t.Data), nil
}

// Check makes sure that t is of this type and that its data fill its shape.
func (t Tensor) Check(dtype string) error {
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
