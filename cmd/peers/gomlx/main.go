// Command gomlx times the convolutions of ResNet-32 in gomlx's Go backend, forward
// and with both gradients, and prints them as one JSON object.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
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
	backend, err := gobackend.New("")
	check(err)
	var rows []row
	for _, s := range [][2]int{{16, 32}, {32, 16}, {64, 8}} {
		c, size := s[0], s[1]
		x, w := random(*batch, size, size, c), random(3, 3, c, c)
		convolve := func(x, w *graph.Node) *graph.Node { return graph.Convolve(x, w).PadSame().Done() }
		forward, err := graph.NewExec(backend, convolve)
		check(err)
		gradients, err := graph.NewExec(backend, func(x, w *graph.Node) []*graph.Node {
			y := convolve(x, w)
			return append(graph.Gradient(graph.ReduceAllSum(y), x, w), y)
		})
		check(err)
		for _, e := range []struct {
			what string
			exec *graph.Exec
		}{{"forward", forward}, {"with gradients", gradients}} {
			var ms []float64
			for range 1 + *times {
				start := time.Now()
				out, err := e.exec.Exec(x, w)
				check(err)
				ms = append(ms, time.Since(start).Seconds()*1e3)
				for _, t := range out {
					check(t.FinalizeAll())
				}
			}
			ms = ms[1:]
			slices.Sort(ms)
			rows = append(rows, row{fmt.Sprintf("%d@%d %s", c, size, e.what), ms[len(ms)/2]})
		}
	}
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{"peer": "gomlx 0.28.2, Go backend 0.1.3", "threads": runtime.GOMAXPROCS(0), "batch": *batch, "rows": rows}))
}

func random(shape ...int) *tensors.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = rand.Float32() - .5
	}
	return tensors.FromFlatDataAndDimensions(v, shape...)
}

func check(err error) {
	if err != nil {
		log.Fatal("gomlx: ", err)
	}
}
