package torch

// #include "native.h"
import "C"

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	lib "github.com/sugarme/gotch/libtch"
)

// setUpProcess makes the settings that hold for the whole process.
var setUpProcess = sync.OnceValue(func() error {
	// This only affects speed, so a libc that refuses is not an error; a test reports it.
	mallocTuned = C.fb_tune_malloc() == 0
	C.fb_use_size_classes()
	// A guard: operations without a deterministic form become errors.
	C.fb_deterministic(1)
	return ChooseProducts()
})

// mallocTuned reports whether glibc accepted the settings of fb_tune_malloc.
var mallocTuned bool

var loadCUDA = sync.OnceValue(func() error {
	if reason := C.fb_load_cuda(); reason != nil {
		return fmt.Errorf("torch: this libtorch has no CUDA part (%s); set LIBTORCH to a CUDA build of libtorch, or use -device cpu", C.GoString(reason))
	}
	return nil
})

// openDevice parses a device's name, loads what it needs and returns gotch's
// number for it. One binary serves both: libtorch_cuda.so is loaded on demand.
func openDevice(name string) (int, error) {
	switch {
	case name == "" || name == "cpu":
		return -1, nil
	case name != "cuda" && !strings.HasPrefix(name, "cuda:"):
		return 0, fmt.Errorf("torch: unknown device %q: want cpu, cuda or cuda:N", name)
	}
	n := 0
	if number, ok := strings.CutPrefix(name, "cuda:"); ok {
		var err error
		if n, err = strconv.Atoi(number); err != nil || n < 0 {
			return 0, fmt.Errorf("torch: bad device %q: want cpu, cuda or cuda:N", name)
		}
	}
	// cuBLAS is deterministic only with a workspace of fixed size, which it reads
	// here; libtorch refuses its products without.
	if os.Getenv("CUBLAS_WORKSPACE_CONFIG") == "" {
		if err := os.Setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8"); err != nil {
			return 0, fmt.Errorf("torch: %w", err)
		}
	}
	if err := loadCUDA(); err != nil {
		return 0, err
	}
	if count := int(lib.AtcCudaDeviceCount()); n >= count {
		return 0, fmt.Errorf("torch: no device %q: libtorch sees %d CUDA devices", name, count)
	}
	return n, nil
}

// Version is libtorch's version, as its headers say.
func Version() string { return C.GoString(C.fb_version()) }
