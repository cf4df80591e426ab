package train_test

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"phase/phase/train"
)

// A checkpoint whose checksum was taken out is refused, whatever it holds.
func TestUnsealedCheckpoint(t *testing.T) {
	c, s := small(t, func(c *train.Config) { c.Stage2Weights = "none" })
	dir := filepath.Join(t.TempDir(), "run")
	mustRun(t, c, s, train.Options{Dir: dir})
	path := filepath.Join(dir, train.CheckpointFile)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(b)
	var head map[string]map[string]any
	if err := json.Unmarshal(b[8:8+n], &head); err != nil {
		t.Fatal(err)
	}
	meta := head["__metadata__"]
	head["__metadata__"] = map[string]any{"state": meta["state"], "state_schema": meta["state_schema"]}
	text, err := json.Marshal(head)
	if err != nil {
		t.Fatal(err)
	}
	bare := append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
	if err := os.WriteFile(path, append(bare, b[8+n:]...), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = train.Run(t.Context(), c, s, train.Options{Dir: dir, Resume: true})
	if err == nil || !strings.Contains(err.Error(), "without a checksum") {
		t.Errorf("got %v", err)
	}
}
