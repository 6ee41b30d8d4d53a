package launch

import "syscall"

// childAttributes make the kernel kill the child when the thread that started
// it ends. The Runner keeps that thread, so it ends with the parent.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
