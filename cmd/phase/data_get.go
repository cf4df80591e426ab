package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"phase/phase/data/download"

	"github.com/spf13/cobra"
)

func (p *program) dataGetCommand() *cobra.Command { return p.getCommand(download.Sets()) }

func (p *program) getCommand(sets []download.Set) *cobra.Command {
	var o download.Options
	var dir string
	var names []string
	for _, s := range sets {
		names = append(names, s.Name)
	}
	list := strings.Join(names, ", ")
	cmd := &cobra.Command{
		Use: "get NAME", Short: "download a data set: " + list,
		Long: `get downloads a published data set (` + list + `), compares it with
its known SHA-256 and unpacks it where --data NAME looks for it. fashion means
fashion-mnist, the complete set of which the embedded one is a part. An interrupted
download goes on with the next call. Where there is no network, --from takes files that
were downloaded elsewhere.`,
		Example: "  phase data get cifar10\n  phase data get cifar100 --data-dir ~/data\n  phase data get cifar10 --from cifar-10-binary.tar.gz",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("data get wants the name of one data set: %s", list)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			if name == "fashion" { // is embedded; the complete set has another name for --data
				name = "fashion-mnist"
			}
			for _, s := range sets {
				if s.Name == name {
					return p.get(cmd, s, o, dir)
				}
			}
			return usagef("unknown data set %q%s: want one of %s", args[0], didYouMean(args[0], names), list)
		},
	}
	addDataDir(cmd.Flags(), &dir)
	addTo(cmd.Flags(), "Source", func() {
		f := cmd.Flags()
		f.StringVar(&o.Base, "url", "", "URL of a folder that holds the set's files, in place of the known ones")
		f.StringVar(&o.From, "from", "", "the downloaded file, or a folder with the set's files, in place of a server")
	})
	return cmd
}

// get puts the set s into the first folder of data sets.
func (p *program) get(cmd *cobra.Command, s download.Set, o download.Options, dir string) error {
	if err := o.Check(); err != nil {
		return usagef("--url, --from: %w", err)
	}
	dirs := dataDirs(dir)
	if len(dirs) == 0 {
		return usagef("no folder for data sets is known: name one with --data-dir")
	}
	o.Dir = dirs[0]
	m := p.meter()
	o.Report = m.downloads()
	res, err := download.Get(cmd.Context(), s, o)
	m.close()
	var server *download.ServerError
	if errors.As(err, &server) {
		return fmt.Errorf("%w; %s", err, byHand(s))
	}
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(struct {
			Schema int    `json:"schema"`
			Name   string `json:"name"`
			*download.Result
		}{outputSchema, s.Name, res})
	}
	if len(res.Files) == 0 {
		fmt.Fprintf(p.out, "%s is there: %s\n", s.Name, res.Folder)
	}
	for _, f := range res.Files {
		fmt.Fprintf(p.out, "%s: %d bytes, SHA-256 %s as published\n", f.Name, f.Bytes, f.SHA256)
	}
	use := "--data " + s.Name
	if dir != "" {
		use += " --data-dir " + dir
	}
	if len(s.Files) > 1 { // IDX files
		use += ", or --data idx:" + res.Folder
	}
	_, err = fmt.Fprintf(p.out, "use it with %s\n", use)
	return err
}

// byHand says how to do without a connection from here.
func byHand(s download.Set) string {
	var names []string
	for _, f := range s.Files {
		names = append(names, f.Name)
	}
	from, into := names[0], ""
	if len(names) > 1 {
		from, into = "FOLDER", " into a FOLDER"
	}
	return fmt.Sprintf("by hand: fetch %s from %s%s and run phase data get %s --from %s", strings.Join(names, ", "), s.Bases[0], into, s.Name, from)
}

// downloads shows how a download goes on.
func (m *meter) downloads() func(download.Progress) {
	var last download.Progress
	return func(e download.Progress) {
		text := fmt.Sprintf("%s %s", e.Step, e.File)
		switch {
		case e.Note != "":
			m.line("%s", oneLine(errors.New(e.Note)))
		case m.plain && time.Since(m.last) >= between:
			m.last = time.Now()
			m.line("%s: %s of %s", text, download.Megabytes(e.Done), download.Megabytes(e.Total))
		case m.bar != nil:
			if e.Step != last.Step || e.File != last.File {
				_ = m.bar.Clear()
				m.bar.Reset()
				m.bar.ChangeMax64(e.Total)
				m.bar.Describe(fmt.Sprintf("%s (%s)", text, download.Megabytes(e.Total)))
			}
			_ = m.bar.Set64(e.Done)
			last = e
		}
	}
}
