package cpu

import (
	"os/exec"
	"testing"
)

// TestGenerated says that the committed assembly is what the generator writes.
func TestGenerated(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command to run the generator with")
	}
	c := exec.Command(tool, "run", ".", "-check")
	c.Dir = "_gen"
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("go run . -check in _gen: %v\n%s", err, out)
	}
}
