// Package methods is the ways to train on long-tailed data that this project
// knows, a file each: a method's formula, its source, its parameters and the
// preset by which it is trained. Importing the package adds them to the tables
// of packages phase and train.
//
// To add one, write a file: a loss is a phase.Loss added to phase.Losses, a
// choice of weights a phase.Weighting added to phase.Weightings, a way to draw
// images, to make a step or to change a trained classifier an entry of
// train.Samplers, train.Objectives or train.Posthocs; and a train.Preset names
// the settings that make a method of it. docs/adding-a-method.md does it step by
// step.
//
// In formulas z are a sample's logits, p = softmax(z), y its label, N_j the
// training images of class j of C, and π_j = N_j/Σ_k N_k.
package methods
