package run

// #cgo linux LDFLAGS: -ldl
// #include <dlfcn.h>
// #include <stddef.h>
//
// // gpu_name asks NVIDIA's driver, which is loaded only here, because most machines have none.
// static int gpu_name(int number, char *name, int size) {
//   void *cuda = dlopen("libcuda.so.1", RTLD_NOW);
//   if (!cuda) return 1;
//   int (*init)(unsigned) = (int (*)(unsigned))dlsym(cuda, "cuInit");
//   int (*get)(int *, int) = (int (*)(int *, int))dlsym(cuda, "cuDeviceGet");
//   int (*name_of)(char *, int, int) = (int (*)(char *, int, int))dlsym(cuda, "cuDeviceGetName");
//   int device;
//   return !init || !get || !name_of || init(0) || get(&device, number) || name_of(name, size, device);
// }
import "C"

import (
	"cmp"
	"strconv"
	"strings"
)

// Processor is the name of what computes on a device: the GPU, or else the CPU.
func Processor(device string) string { return cmp.Or(gpuModel(device), CPUModel()) }

// gpuModel is the name of a CUDA device, such as "NVIDIA H200" for "cuda:1", numbered as
// CUDA_VISIBLE_DEVICES says. It is "" for the CPU and where the driver does not tell.
func gpuModel(device string) string {
	kind, number, _ := strings.Cut(device, ":")
	if kind != "cuda" {
		return ""
	}
	n, _ := strconv.Atoi(number) // "": the first one
	var name [256]C.char
	if C.gpu_name(C.int(n), &name[0], C.int(len(name))) != 0 {
		return ""
	}
	return C.GoString(&name[0])
}
