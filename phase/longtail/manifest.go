package longtail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ManifestSchema is the version of the manifest's format that Write writes and
// ReadManifest reads.
const ManifestSchema = 1

// A Manifest pins a subset: what it was drawn from, how, and which images it
// holds. Two runs on the same images have manifests of the same Hash.
type Manifest struct {
	Schema     int     `json:"schema"`      // ManifestSchema; Write and Hash fill it in
	DataSHA256 string  `json:"data_sha256"` // of the source data, 64 hex digits
	Profile    Profile `json:"profile"`
	Imbalance  float64 `json:"imbalance"` // the imbalance factor, 1 for the data as it is
	Seed       uint32  `json:"seed"`      // Subset's
	Counts     []int   `json:"counts"`    // images of each class
	Indices    []int   `json:"indices"`   // positions in the source data, in Subset's order
}

// encode is the manifest as JSON with its fields in a fixed order and no
// spaces, the form that is hashed.
func (m Manifest) encode() ([]byte, error) {
	m.Schema = ManifestSchema
	if err := m.check(); err != nil {
		return nil, err
	}
	return json.Marshal(m)
}

// Hash is the SHA-256 of the manifest in hex. It does not depend on how a file
// of it is laid out. A manifest that contradicts itself is an error.
func (m Manifest) Hash() (string, error) {
	b, err := m.encode()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// Write writes the manifest as one line of JSON. A manifest that contradicts
// itself is an error, and nothing is written.
func (m Manifest) Write(w io.Writer) error {
	b, err := m.encode()
	if err != nil {
		return err
	}
	if _, err = w.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	return nil
}

// ReadManifest reads what Write wrote. Broken JSON, another schema, an unknown
// field and a manifest that contradicts itself are errors.
func ReadManifest(r io.Reader) (Manifest, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return Manifest{}, fmt.Errorf("manifest: %w", err)
	}
	var version struct {
		Schema *int `json:"schema"`
	}
	if err := json.Unmarshal(b, &version); err != nil {
		return Manifest{}, jsonError(err, len(b))
	}
	switch s := version.Schema; {
	case s == nil:
		return Manifest{}, fmt.Errorf("manifest: no schema number, want \"schema\":%d", ManifestSchema)
	case *s > ManifestSchema:
		return Manifest{}, fmt.Errorf("manifest: schema %d is newer than this program, which reads schema %d", *s, ManifestSchema)
	case *s != ManifestSchema:
		return Manifest{}, fmt.Errorf("manifest: schema %d, want %d", *s, ManifestSchema)
	}
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return Manifest{}, jsonError(err, len(b))
	}
	if err := m.check(); err != nil {
		return Manifest{}, err
	}
	return m, nil
}

// jsonError says where the JSON broke, in a file of size bytes.
func jsonError(err error, size int) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("manifest: byte %d of %d: %w", syntax.Offset, size, err)
	case errors.As(err, &kind):
		return fmt.Errorf("manifest: byte %d of %d: field %q holds a %s", kind.Offset, size, kind.Field, kind.Value)
	}
	return fmt.Errorf("manifest: %w", err)
}

// check reports what in the manifest contradicts itself.
func (m Manifest) check() error {
	if b, err := hex.DecodeString(m.DataSHA256); err != nil || len(b) != sha256.Size {
		return fmt.Errorf("manifest: data_sha256 %q, want %d hex digits", m.DataSHA256, 2*sha256.Size)
	}
	if m.Profile != Exp && m.Profile != Step {
		return fmt.Errorf("manifest: profile %q, want %q or %q", m.Profile, Exp, Step)
	}
	if !(m.Imbalance >= 1) {
		return fmt.Errorf("manifest: imbalance %v, want at least 1", m.Imbalance)
	}
	left := len(m.Indices)
	for c, n := range m.Counts {
		if n < 0 {
			return fmt.Errorf("manifest: %d images in class %d, want at least 0", n, c)
		}
		if n > left {
			return fmt.Errorf("manifest: %d indices are fewer than the counts add up to", len(m.Indices))
		}
		left -= n
	}
	if left != 0 {
		return fmt.Errorf("manifest: %d indices but the counts add up to %d", len(m.Indices), len(m.Indices)-left)
	}
	seen := make(map[int]bool, len(m.Indices))
	for _, i := range m.Indices {
		if i < 0 || seen[i] {
			return fmt.Errorf("manifest: index %d is negative or stands twice", i)
		}
		seen[i] = true
	}
	return nil
}

// Match reports an error unless the manifest fits the data set's labels: every
// index is an image, and the images' classes are those that Counts says, in
// Subset's order.
func (m Manifest) Match(labels []int) error {
	if err := m.check(); err != nil {
		return err
	}
	at := 0
	for c, n := range m.Counts {
		for _, i := range m.Indices[at : at+n] {
			if i >= len(labels) {
				return fmt.Errorf("manifest: index %d, but the data set has %d images", i, len(labels))
			}
			if labels[i] != c {
				return fmt.Errorf("manifest: image %d is said to be of class %d, the data set says %d", i, c, labels[i])
			}
		}
		at += n
	}
	return nil
}
