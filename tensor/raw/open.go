package raw

import (
	"fmt"
	"os"
)

// Open opens a file for reading and says how many bytes it holds, which is
// what its header is measured against. A folder, pipe or device is refused
// before it is opened: it has no size, and opening may wait for ever.
func Open(path string) (*os.File, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("open %s: not a regular file (%s)", path, info.Mode().Type())
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	if info, err = f.Stat(); err != nil { // of what was opened, should it have been replaced meanwhile
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}
