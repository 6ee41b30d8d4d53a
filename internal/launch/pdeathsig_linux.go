package launch

import "syscall"

// childAttributes make the kernel kill the child when the thread that started
// it ends, which is when the parent does: start keeps that thread.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
