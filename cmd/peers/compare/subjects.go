package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	pip    = "install: pip install torch, and name its Python with --torch"
	debian = "install: apt install python3-torch, and name its Python with --debian"
	blas   = "install: apt install libopenblas0-pthread"
)

// subjects lists the table, row by row.
func subjects(s setting) []subject {
	// against is phase and both PyTorches on the same network.
	against := func(name, what string, want float64, ours []string, theirs ...string) subject {
		sub := subject{name: name, sources: []source{s.phase(append([]string{"bench"}, ours...)...),
			python("PyTorch", s.torch, pip, "resnet.py", theirs...), python("Debian's PyTorch", s.debian, debian, "resnet.py", theirs...)}}
		for of := 1; of < 3; of++ {
			sub.lines = append(sub.lines, line{what: what, target: fmt.Sprintf("at least %g times PyTorch's images/s", want), want: want,
				a: get("images_per_second"), b: get("images_per_second"), of: of, unit: "images/s"})
		}
		return sub
	}
	bf16 := func(name, what string, flags ...string) subject {
		ours, rate := append([]string{"bench", "train", "--times", "5"}, flags...), get("images_per_second")
		theirs := append([]string{"--bf16", "--steps", "3", "--warm", "1"}, flags...)
		return subject{name: name, sources: []source{s.phase(append(ours, "--precision", "bf16")...), s.phase(ours...), python("PyTorch", s.torch, pip, "resnet.py", theirs...)}, lines: []line{
			{what: what, target: "at least 1.2 times our float32", want: 1.2, a: rate, b: rate, of: 1, unit: "images/s"},
			{what: what + ", autocast there", target: "for comparison", a: rate, b: rate, of: 2, unit: "images/s"}}}
	}
	all := []subject{
		against("train", "training step, ResNet-32, width 16, batch 128", 2.5, []string{"train"}, "--steps", "5"),
		against("train64", "training step, ResNet-32, width 64, batch 64", 2.5, []string{"train", "--width", "64", "--batch", "64", "--times", "3"},
			"--width", "64", "--batch", "64", "--steps", "2", "--warm", "1"),
		bf16("bf16", "training step, width 16, batch 128, bf16"),
		bf16("bf16-64", "training step, width 64, batch 64, bf16", "--width", "64", "--batch", "64"),
		against("resnet50", "training step, ResNet-50, 64x64 images, batch 32", 1.5, []string{"train", "--model", "resnet50", "--size", "64", "--batch", "32", "--times", "1"},
			"--model", "resnet50", "--size", "64", "--batch", "32", "--steps", "1", "--warm", "1"),
		against("infer", "inference, ResNet-32, width 16, batch 128", 2.5, []string{"infer"}, "--infer", "--steps", "7"),
		against("infer1", "inference, ResNet-32, width 16, batch 1", 4, []string{"infer", "--batch", "1", "--times", "30"}, "--infer", "--batch", "1", "--steps", "30"),
		against("avx2", "training step, width 16, batch 128, PHASE_CPU=avx2", 1.3, []string{"train", "--cpu", "avx2"}, "--steps", "5"),
	}
	for _, threads := range []string{"1", "2"} {
		sub := subject{name: "gemm" + threads, sources: []source{s.phase("bench", "gemm", "--threads", threads),
			python("OpenBLAS", "python3", blas, "openblas.py", "--threads", threads),
			python("OpenBLAS", "python3", blas, "openblas.py", "--threads", threads, "--core", "SkylakeX")}}
		for of := 1; of < 3; of++ {
			for _, n := range []int{256, 512, 1024, 2048} {
				key := get(fmt.Sprintf("%[1]d x %[1]d x %[1]d/gflops", n))
				sub.lines = append(sub.lines, line{what: fmt.Sprintf("sgemm %d, threads: %s", n, threads), target: "at least 0.95 of OpenBLAS", want: .95, a: key, b: key, of: of, unit: "GFLOP/s"})
			}
		}
		all = append(all, sub)
	}
	return append(all, s.convolutions(), s.losses(),
		subject{name: "msr", sources: []source{s.phase("bench", "msr", "--times", "3")}, lines: msrLines("50000x64")},
		subject{name: "msr-large", asked: "10 GB of features, in a temporary file", sources: []source{s.phase("bench", "msr", "--times", "1", "--samples", "1281167", "--dim", "2048", "--classes", "1000")},
			lines: msrLines("1281167x2048")[:1]},
		subject{name: "sam", sources: []source{s.phase("bench", "train", "--sam", ".05"), s.phase("bench", "train")}, lines: []line{
			{what: "step with SAM over a plain step", target: "at most 2.1 times", want: 2.1, atMost: true, a: get("step_ms"), b: get("step_ms"), of: 1, unit: "ms"}}},
		s.loading(), s.growth(), s.memory())
}

// convolutions compares with the Go peers: a product of Go programs.
func (s setting) convolutions() subject {
	sub := subject{name: "conv", sources: []source{s.phase("bench", "conv", "--batch", "16", "--times", "3")}}
	for _, peer := range []string{"gorgonia", "gomlx", "born"} {
		sub.sources = append(sub.sources, source{name: peer, args: []string{filepath.Join(s.dir, peer), "-batch", "16"}, peer: peer})
	}
	for of := 1; of < len(sub.sources); of++ {
		for _, c := range [][2]int{{16, 32}, {32, 16}, {64, 8}} {
			ours := func(directions ...string) func(f figures) (float64, bool) {
				return func(f figures) (sum float64, ok bool) {
					for _, d := range directions {
						v, has := f[fmt.Sprintf("%d@%d -> %d 3x3 /1 %s/median_ms", c[0], c[1], c[0], d)]
						if !has {
							return 0, false
						}
						sum += v
					}
					return sum, true
				}
			}
			theirs := fmt.Sprintf("%d@%d ", c[0], c[1])
			for _, d := range []struct {
				what       string
				directions []string
			}{{"forward", []string{"forward"}}, {"with gradients", []string{"forward", "input gradient", "weight gradient"}}} {
				sub.lines = append(sub.lines, line{what: fmt.Sprintf("convolution %d@%d, batch 16, %s", c[0], c[1], d.what), target: "at least 20 times the best of them", want: 20,
					a: ours(d.directions...), b: get(theirs + d.what + "/median_ms"), of: of, inverse: true, unit: "ms"})
			}
		}
	}
	return sub
}

func (s setting) losses() subject {
	sub := subject{name: "loss", sources: []source{s.phase("bench", "loss"), python("PyTorch", s.torch, pip, "daw.py"), python("Debian's PyTorch", s.debian, debian, "daw.py")}}
	for _, size := range []string{"128x100", "1024x1000"} {
		ours := get(size + " daw and gradient/median_ms")
		for of := 1; of < 3; of++ {
			sub.lines = append(sub.lines, line{what: "DAW with gradient, " + size, target: "at least 5 times PyTorch's eager expression", want: 5, a: ours, b: ours, of: of, inverse: true, unit: "ms"})
		}
		fastest := func(f figures) (float64, bool) {
			one, ok := f[size+" copy, one thread/median_ms"]
			all, ok2 := f[size+" copy, all threads/median_ms"]
			return min(one, all), ok && ok2
		}
		// At memory speed: what the logits' bytes take where they come from memory.
		stream := func(f figures) (float64, bool) {
			mb, ok := f[size+" copy, one thread/mb"]
			return mb / f["machine/read_gb_per_second"], ok && f["machine/read_gb_per_second"] > 0
		}
		sub.lines = append(sub.lines,
			line{what: "DAW with gradient, " + size + ", over a read and a write of the logits at memory speed", target: "at most 2 times", want: 2, atMost: true, a: ours, b: stream, unit: "ms"},
			line{what: "DAW with gradient, " + size + ", over a copy of the logits in the caches", target: "for comparison", a: ours, b: fastest, unit: "ms"})
	}
	return sub
}

func msrLines(size string) []line {
	ms := func(what string) func(f figures) (float64, bool) { return get(what + "/median_ms") }
	return []line{
		{what: "MSR weights, " + size + " from a file, a pass beside a plain sum with the same reader", target: "at least 0.5 of its speed", want: .5,
			a: get(size + " msr/pass_ms"), b: get(size + " plain sum/pass_ms"), inverse: true, unit: "ms"},
		{what: "MSR weights, 5,000 samples of one class, against the formula by pairs", target: "at least 20 times", want: 20,
			a: ms("one class of 5000 msr"), b: ms("one class of 5000 pairwise"), inverse: true, unit: "ms"},
	}
}

func (s setting) loading() subject {
	rate := func(what string) func(f figures) (float64, bool) { return get(what + "/images_per_second") }
	lines := []line{{what: "loader, 32x32 with crop and flip, over the training step's images/s", target: "at least 1: never the bottleneck", want: 1,
		a: rate("32x32 in memory, crop and flip"), b: get("images_per_second"), of: 1, unit: "images/s"}}
	for _, jpeg := range []string{"64x64 JPEG to 64", "500x375 JPEG to 224"} {
		lines = append(lines, line{what: "loader, " + jpeg + ", epochs after the first over the first", target: "at least 10 times", want: 10,
			a: rate(jpeg + ", epochs after it"), b: rate(jpeg + ", first epoch"), unit: "images/s"})
	}
	return subject{name: "load", sources: []source{s.phase("bench", "load", "--times", "3"), s.phase("bench", "train", "--times", "3")}, lines: lines}
}

func (s setting) growth() subject {
	worst := func(f figures) (most float64, ok bool) {
		for key, v := range f {
			if filepath.Base(key) == "times_best" && !strings.HasPrefix(key, "threads ") {
				most = max(most, v)
			}
		}
		return most, most > 0
	}
	return subject{name: "grow", sources: []source{s.phase("bench", "grow", "--times", "2"), s.phase("bench", "grow", "--axes", "threads", "--batch", "128")}, lines: []line{
		{what: "growth: worst time per operation over the best; batch 8..512, width 8..128, depth 8..110", target: "at most 1.3 times", want: 1.3, atMost: true, alone: true, a: worst},
		{what: "two threads against one, width 16, batch 128", target: "at least 1.85 times", want: 1.85, from: 1, of: 1,
			a: get("threads 1/median_ms"), b: get("threads 2/median_ms"), unit: "ms"},
	}}
}

func (s setting) memory() subject {
	size := func(figures) (float64, bool) {
		info, err := os.Stat(filepath.Join(s.dir, "phase"))
		if err != nil {
			return 0, false
		}
		return float64(info.Size()) / 1e6, true
	}
	// What phase has from the system; the process's own peak would count the array by
	// which bench measures the machine.
	ours := func(f figures) (float64, bool) { v, ok := f["process_bytes"]; return v / 1e6, ok }
	train, info := s.phase("bench", "train", "--times", "3"), s.phase("info")
	info.bare = true
	return subject{name: "memory", sources: []source{train,
		python("PyTorch", s.torch, pip, "resnet.py", "--steps", "2", "--warm", "1", "--layout", "nhwc"),
		python("Debian's PyTorch", s.debian, debian, "resnet.py", "--steps", "2", "--warm", "1", "--layout", "nhwc"),
		info}, lines: []line{
		{what: "peak memory of the process, width-16 step", target: "below PyTorch's", want: 1, atMost: true, a: ours, b: get("peak_rss_mb"), of: 1, unit: "MB"},
		{what: "peak memory of the process, width-16 step", target: "below PyTorch's", want: 1, atMost: true, a: ours, b: get("peak_rss_mb"), of: 2, unit: "MB"},
		{what: "a steady step allocates", target: "less than 16 KB", want: 16 << 10, atMost: true, alone: true, a: get("allocated_bytes"), unit: "bytes"},
		{what: "the program's size", target: "less than 25 MB", want: 25, atMost: true, alone: true, a: size, unit: "MB"},
		{what: "start-up: phase info", target: "less than 50 ms", want: 50, atMost: true, alone: true, a: get("wall_ms"), from: 3, unit: "ms"},
	}}
}
