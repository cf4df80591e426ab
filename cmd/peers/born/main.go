// Command born times the convolutions of ResNet-32 in born's CPU backend, forward
// and with both gradients, and prints them as one JSON object.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/born-ml/born/backend/cpu"
	"github.com/born-ml/born/tensor"
)

type row struct {
	What string  `json:"what"`
	MS   float64 `json:"median_ms"`
}

func main() {
	batch := flag.Int("batch", 16, "images")
	times := flag.Int("times", 1, "measurements, after one to warm up")
	threads := flag.Int("threads", 0, "GOMAXPROCS; 0 takes all")
	flag.Parse()
	if *threads > 0 {
		runtime.GOMAXPROCS(*threads)
	}
	b := cpu.New()
	var rows []row
	for _, s := range [][2]int{{16, 32}, {32, 16}, {64, 8}} {
		c, size := s[0], s[1]
		x := tensor.Randn[float32](tensor.Shape{*batch, c, size, size}, b).Raw()
		w := tensor.Randn[float32](tensor.Shape{c, c, 3, 3}, b).Raw()
		y := tensor.Randn[float32](tensor.Shape{*batch, c, size, size}, b).Raw()
		measure := func(what string, f func()) {
			var ms []float64
			for range 1 + *times {
				start := time.Now()
				f()
				ms = append(ms, time.Since(start).Seconds()*1e3)
			}
			ms = ms[1:]
			slices.Sort(ms)
			rows = append(rows, row{fmt.Sprintf("%d@%d %s", c, size, what), ms[len(ms)/2]})
		}
		measure("forward", func() { b.Conv2D(x, w, 1, 1) })
		measure("with gradients", func() {
			b.Conv2D(x, w, 1, 1)
			b.Conv2DInputBackward(x, w, y, 1, 1)
			b.Conv2DKernelBackward(x, w, y, 1, 1)
		})
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"peer": "born 0.9.1", "threads": runtime.GOMAXPROCS(0), "batch": *batch, "rows": rows}); err != nil {
		log.Fatal(err)
	}
}
