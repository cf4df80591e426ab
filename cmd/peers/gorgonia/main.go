// Command gorgonia times the convolutions of ResNet-32 in gorgonia, forward and
// with both gradients, and prints them as one JSON object.
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

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
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
	var rows []row
	for _, s := range [][2]int{{16, 32}, {32, 16}, {64, 8}} {
		c, size := s[0], s[1]
		for _, gradients := range []bool{false, true} {
			g := gorgonia.NewGraph()
			x := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(*batch, c, size, size), gorgonia.WithName("x"), gorgonia.WithInit(gorgonia.GlorotN(1)))
			w := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(c, c, 3, 3), gorgonia.WithName("w"), gorgonia.WithInit(gorgonia.GlorotN(1)))
			y, err := gorgonia.Conv2d(x, w, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1})
			check(err)
			what := fmt.Sprintf("%d@%d forward", c, size)
			if gradients {
				what = fmt.Sprintf("%d@%d with gradients", c, size)
				sum, err := gorgonia.Sum(y)
				check(err)
				_, err = gorgonia.Grad(sum, x, w)
				check(err)
			}
			vm := gorgonia.NewTapeMachine(g)
			var ms []float64
			for range 1 + *times {
				start := time.Now()
				check(vm.RunAll())
				ms = append(ms, time.Since(start).Seconds()*1e3)
				vm.Reset()
			}
			check(vm.Close())
			ms = ms[1:]
			slices.Sort(ms)
			rows = append(rows, row{what, ms[len(ms)/2]})
		}
	}
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{"peer": "gorgonia 0.9.18", "threads": runtime.GOMAXPROCS(0), "batch": *batch, "rows": rows}))
}

func check(err error) {
	if err != nil {
		log.Fatal("gorgonia: ", err)
	}
}
