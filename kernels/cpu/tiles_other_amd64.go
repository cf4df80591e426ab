//go:build amd64 && !linux && !noasm

package cpu

// tilesAllowed: only Linux is asked for them.
func tilesAllowed() bool { return false }
