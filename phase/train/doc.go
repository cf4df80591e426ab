// Package train says how a classifier for long-tailed data comes about: in one
// stage or two, by a preset or by settings of one's own, in a run directory
// that survives any interruption.
//
// There are only a few types: Config is every setting, Preset a named method,
// Run one training with its directory, Result what came of it, and Model a
// trained network read back.
//
// A run is a function of its Config and its data. Nothing in it depends on the
// number of processors or loader workers, and a run that was stopped at any
// moment and resumed ends with the same bits as one that was not: every random
// choice is drawn from (seed, epoch, position), so the position is all the
// random state there is.
package train
