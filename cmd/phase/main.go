// Command phase trains image classifiers on long-tailed data, explains and
// checks how reweighting works, and predicts: one binary, no Python, no
// network but for data get.
//
// It is words: flags, files, exit codes. What they mean is in package phase
// and below.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
