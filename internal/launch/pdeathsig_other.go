//go:build !linux

package launch

import "syscall"

// childAttributes: only Linux kills children with their parent; elsewhere the
// child notices the end of its standard input.
func childAttributes() *syscall.SysProcAttr { return nil }
