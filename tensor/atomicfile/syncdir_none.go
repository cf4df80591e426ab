//go:build windows || js || wasip1 || plan9

package atomicfile

// syncDir does nothing: these systems do not open folders for writing, and
// keep renamed names themselves.
func syncDir(string) error { return nil }
