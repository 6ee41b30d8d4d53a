package torch

// #include <stdlib.h>
// #include "native.h"
import "C"

import (
	"fmt"
	"os"
	"unsafe"
)

// ProductsVariable is the environment variable that forces a kind of matrix products:
// "amx", "avx512", "avx2" or "libtorch". Without it the processor decides: ours
// suit every one except Intel's without AVX-512, where libtorch's MKL is as fast. "amx" is
// "avx512" with tiles for bfloat16. All are float32 and round differently. With the first
// two, attention is computed in vectors of sixteen floats, else of eight.
const ProductsVariable = "FAMEBENCH_PRODUCTS"

// ChooseProducts decides about the matrix products of this process, from the processor's
// vendor and instructions or ProductsVariable. Run does it once; a program calls it first to report a wrong value early.
func ChooseProducts() error {
	want := os.Getenv(ProductsVariable)
	name := C.CString(want)
	defer C.free(unsafe.Pointer(name))
	if possible := C.fb_choose_products(name); possible != nil {
		return fmt.Errorf("%s: expected %s on this processor, got %q", ProductsVariable, C.GoString(possible), want)
	}
	return nil
}

// Products names the matrix products on the CPU: "avx512" and "avx2" are our own,
// "libtorch" is its MKL. With bfloat16 operands it also says what multiplies them:
// "bfloat16" (AVX512-BF16), "bfloat16 in tiles" (AMX), or "rounded to bfloat16" (the products
// in float32).
func Products(bfloat16 bool) string {
	name := C.GoString(C.fb_products(0))
	switch {
	case !bfloat16:
		return name
	case BFloat16IsFast():
		return name + ", " + C.GoString(C.fb_products(1))
	}
	return name + ", rounded to bfloat16"
}

// BFloat16IsFast reports whether the CPU multiplies bfloat16 numbers itself. Otherwise the
// numbers are rounded and multiplied in float32, which is slower than float32.
func BFloat16IsFast() bool { return C.fb_products(1) != nil }

// SetBFloat16 makes Linear and CrossEntropy round the operands of their products, also
// those of the gradients, to bfloat16 (to nearest, ties to even). Sums stay in float32,
// and so does everything else.
func (rt *Runtime) SetBFloat16(on bool) { rt.bfloat16 = on }
