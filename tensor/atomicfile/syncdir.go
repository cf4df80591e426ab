//go:build !windows && !js && !wasip1 && !plan9

package atomicfile

import (
	"errors"
	"os"
	"syscall"
)

// syncDir makes the names in a folder durable. Some network and user-space
// file systems cannot and say EINVAL or ENOTSUP: that is as good as it gets
// there.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
