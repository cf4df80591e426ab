// Package driver lets a program that imports gorgonia.org/cu start on a machine
// without NVIDIA's driver, and adds the few calls of the driver that cu lacks.
//
// A program that links cu needs libcuda.so.1 before its main begins, and cu ends it
// when the driver finds no GPU. Here every symbol of the driver is defined by the
// program itself as a jump to the place where dlopen found it, or to an answer that
// there is none. So one binary built with the tag cuda starts anywhere, and says
// what is missing. With the tag cudasim no driver is looked for: package cusim puts
// a simulated one behind the jumps.
package driver
