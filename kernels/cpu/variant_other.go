//go:build !amd64 || noasm

package cpu

var variants = []variant{portable}
