//go:build (!amd64 && !arm64) || noasm

package cpu

var variants = []variant{portable}
