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
// "avx512", "avx2" or "libtorch". Without it the processor decides: libtorch's MKL is
// fast on Intel processors only, so others use our own, which are float32 as well and
// round differently.
const ProductsVariable = "FAMEBENCH_PRODUCTS"

// chooseProducts decides about the matrix products of this process, from the processor's
// vendor and instructions or ProductsVariable.
func chooseProducts() error {
	want := os.Getenv(ProductsVariable)
	name := C.CString(want)
	defer C.free(unsafe.Pointer(name))
	if possible := C.fb_choose_products(name); possible != nil {
		return fmt.Errorf("torch: %s: expected %s on this processor, got %q", ProductsVariable, C.GoString(possible), want)
	}
	return nil
}

// Products names the matrix products on the CPU: "avx512" and "avx2" are our own,
// "libtorch" is its MKL. It is empty before the first Run.
func Products() string { return C.GoString(C.fb_products()) }

// BFloat16IsFast reports whether the CPU multiplies bfloat16 numbers itself. Otherwise the
// numbers are rounded and multiplied in float32, which is slower than float32.
func BFloat16IsFast() bool { return C.fb_bfloat16_is_fast() != 0 }

// SetBFloat16 makes Linear and CrossEntropy round the operands of their products, also
// those of the gradients, to bfloat16 (to nearest, ties to even). Sums stay in float32,
// and so does everything else.
func (rt *Runtime) SetBFloat16(on bool) { rt.bfloat16 = on }
