package run

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"famebench/internal/torch"
)

// Hostname, CPUModel and system describe the machine.
func Hostname() string {
	name, _ := os.Hostname()
	return name
}

func CPUModel() string {
	if name := procValue("/proc/cpuinfo", "model name"); name != "" {
		return name
	}
	return runtime.GOARCH
}

// switches are environment variables that change how libraries round.
var switches = []string{
	torch.ProductsVariable, "ATEN_CPU_CAPABILITY", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA",
	"ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE",
	"NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "CUBLAS_WORKSPACE_CONFIG",
}

// environment lists the switches that were set when the process started, as NAME=VALUE: on a GPU
// package torch sets one itself.
var environment = func() (set []string) {
	for _, name := range switches {
		if v, ok := os.LookupEnv(name); ok {
			set = append(set, name+"="+v)
		}
	}
	return set
}()

// processor describes everything about the processor that changes the last bits
// of results.
func processor() string {
	return strings.Join(append([]string{CPUModel(), procValue("/proc/cpuinfo", "flags")}, environment...), "; ")
}

func system() string { return runtime.GOOS + "/" + runtime.GOARCH }

// peakRSS is the peak memory of this process in bytes. The kernel's VmHWM is
// preferred, because getrusage counts the parent's memory at the time of the
// fork into a child's peak.
func peakRSS() int64 {
	kb, _, _ := strings.Cut(procValue("/proc/self/status", "VmHWM"), " ")
	if n, err := strconv.ParseInt(kb, 10, 64); err == nil {
		return n << 10
	}
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return MaxRSS(&u)
}

// MaxRSS is the peak in a rusage, in bytes. Linux counts it in kilobytes, macOS
// in bytes.
func MaxRSS(u *syscall.Rusage) int64 {
	if runtime.GOOS == "darwin" {
		return int64(u.Maxrss)
	}
	return int64(u.Maxrss) << 10
}

// procValue returns the value of the first "key : value" line of a file.
func procValue(path, key string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		k, v, ok := strings.Cut(lines.Text(), ":")
		if ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
