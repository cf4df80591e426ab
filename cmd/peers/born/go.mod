module phase/cmd/peers/born

go 1.26.0

require github.com/born-ml/born v0.9.1
