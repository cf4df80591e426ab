//go:build unix

package data

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Opening a pipe that nobody writes to waits for ever.
func TestPipeIsNoImage(t *testing.T) {
	one := pngBytes(rgbImage(0, 2, 2))
	dir := tree(t, map[string][]byte{"a/1.png": one, "a/2.png": one, "a/3.png": one})
	if err := syscall.Mkfifo(filepath.Join(dir, "a", "0.png"), 0o644); err != nil {
		t.Skipf("skipped: no pipes here: %v", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := Open(t.Context(), Spec{Data: "folder:" + dir})
		done <- err
	}()
	select {
	case err := <-done:
		wantError(t, err, "0.png", "named pipe")
	case <-time.After(10 * time.Second):
		t.Fatal("still waiting for the pipe")
	}
	if p := mustOpen(t, Spec{Data: "folder:" + dir, SkipBad: true}); len(p.Skipped) != 1 {
		t.Errorf("%d files skipped, want 1", len(p.Skipped))
	}
}
