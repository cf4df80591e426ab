//go:build !noasm

package cpu

import "syscall"

// tilesAllowed asks the system for the registers that hold tiles, which it keeps for a
// process only on request (Linux 5.16 or later).
func tilesAllowed() bool {
	const requestPermission, tileData = 0x1023, 18 // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
	_, _, err := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, requestPermission, tileData, 0)
	return err == 0
}
