package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"phase/phase/data"
	"phase/phase/train"

	"github.com/spf13/cobra"
)

// maxImageFile is the largest image file that predict reads, in bytes.
const maxImageFile = 256 << 20

// predictBatch is how many images are predicted at a time.
const predictBatch = 64

// A prediction is one line of predict --json.
type prediction struct {
	Schema int           `json:"schema"`
	Image  string        `json:"image"`
	Top    []train.Guess `json:"top"`
}

func (p *program) predictCommand() *cobra.Command {
	var top, maxPixels int
	var skipBad bool
	var dev string
	cmd := &cobra.Command{
		Use: "predict RUN IMAGE...", Short: "class and probability of image files, folders of them, or standard input",
		Long: `predict classifies PNG and JPEG files with a run's model: files, folders (with the
folders below them), or - for one image on standard input. Images are brought to the
size and colours that the model was trained on. With --json it prints an object a line.`,
		Example: "  phase predict runs/phase-fashion-001 shoe.png photos/\n  cat shoe.png | phase predict runs/phase-fashion-001 -",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usagef("predict wants a run directory and at least one image, folder or -: phase predict -h shows an example")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if top < 1 {
				return usagef("--top %d: want at least 1", top)
			}
			if maxPixels < 1 {
				return usagef("--max-pixels %d: want at least 1", maxPixels)
			}
			m, err := train.LoadModel(args[0])
			if err != nil {
				return err
			}
			if err := onto(m, dev); err != nil {
				return err
			}
			decoder, err := m.Decoder(maxPixels)
			if err != nil {
				return err
			}
			files, err := imageFiles(args[1:])
			if err != nil {
				return err
			}
			skipped := 0
			for chunk := range slices.Chunk(files, predictBatch) {
				if err := cmd.Context().Err(); err != nil {
					return err
				}
				var names []string
				var images [][]uint8
				for _, name := range chunk {
					pix, err := p.readImage(decoder, name)
					if err != nil {
						if !skipBad {
							return err
						}
						skipped++
						fmt.Fprintln(p.err, "left out: "+oneLine(err))
						continue
					}
					names, images = append(names, name), append(images, pix)
				}
				if len(images) == 0 {
					continue
				}
				guesses, err := m.Predict(images, top)
				if err != nil {
					return err
				}
				for i, g := range guesses {
					if err := p.printPrediction(prediction{train.Schema, names[i], g}); err != nil {
						return err
					}
				}
			}
			if skipped == len(files) {
				return fmt.Errorf("none of the %d images could be read", len(files))
			}
			if skipped > 0 && !p.quiet {
				fmt.Fprintf(p.err, "%d of %d images left out\n", skipped, len(files))
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&top, "top", 5, "how many classes to name")
	f.StringVar(&dev, "device", "cpu", "cpu, cuda or cuda:N")
	f.BoolVar(&skipBad, "skip-bad", false, "leave out images that cannot be read, and count them")
	f.IntVar(&maxPixels, "max-pixels", data.MaxPixels, "largest image accepted, in pixels")
	return cmd
}

func (p *program) printPrediction(r prediction) error {
	if p.json {
		return p.printJSON(r)
	}
	var others []string
	for _, g := range r.Top[1:] {
		others = append(others, fmt.Sprintf("%s %.1f %%", clean(g.Class, 40), 100*g.Probability))
	}
	_, err := fmt.Fprintf(p.out, "%s: %s %.1f %%", clean(r.Image, 200), clean(r.Top[0].Class, 40), 100*r.Top[0].Probability)
	if len(others) > 0 {
		_, err = fmt.Fprintf(p.out, " (then %s)", strings.Join(others, ", "))
	}
	if err == nil {
		_, err = fmt.Fprintln(p.out)
	}
	return err
}

// imageFiles lists the image files that the arguments name, in order; - stays.
func imageFiles(args []string) (files []string, err error) {
	for _, a := range args {
		if a == "-" {
			files = append(files, a)
			continue
		}
		info, err := os.Stat(a)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, a)
			continue
		}
		before := len(files)
		err = filepath.WalkDir(a, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				switch strings.ToLower(filepath.Ext(path)) {
				case ".png", ".jpg", ".jpeg":
					files = append(files, path)
				}
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(files) == before {
			return nil, fmt.Errorf("%s holds no .png, .jpg or .jpeg file", a)
		}
	}
	return files, nil
}

// readImage reads and decodes one image file, or standard input if it is -.
func (p *program) readImage(d data.Decoder, name string) ([]uint8, error) {
	r := p.in
	if name != "-" {
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is not a regular file", name)
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, maxImageFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(b) > maxImageFile {
		return nil, fmt.Errorf("%s: more than %d bytes", name, maxImageFile)
	}
	pix, _, _, err := d.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return pix, nil
}
