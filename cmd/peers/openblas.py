"""Times sgemm of OpenBLAS on square matrices, with the kernels that it chooses itself.

    openblas.py [--threads N] [--times N] [--core NAME]

Prints one JSON object with a row for each size. --core names other kernels than those that it chooses (SkylakeX where
a new processor is not known to it). The library is Debian's libopenblas0-pthread, called through ctypes.
"""
import argparse
import ctypes
import json
import os
import statistics
import time


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--times", type=int, default=7)
    p.add_argument("--library", default="/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblas.so.0")
    p.add_argument("--core", default="")
    a = p.parse_args()
    os.environ.pop("OPENBLAS_CORETYPE", None)
    if a.core:
        os.environ["OPENBLAS_CORETYPE"] = a.core
    lib = ctypes.CDLL(a.library)
    lib.openblas_set_num_threads(a.threads)
    lib.openblas_get_config.restype = lib.openblas_get_corename.restype = ctypes.c_char_p
    one, zero = ctypes.c_float(1), ctypes.c_float(0)
    rows = []
    for n in (256, 512, 1024, 2048):
        x, y, c = [(ctypes.c_float * (n * n))(*([0.5] * (n * n))) for _ in range(3)]

        def product():
            lib.cblas_sgemm(101, 111, 111, n, n, n, one, x, n, y, n, zero, c, n)

        product()
        start = time.perf_counter()
        product()
        again = int(0.02 / (time.perf_counter() - start)) + 1
        times = []
        for _ in range(a.times):
            start = time.perf_counter()
            for _ in range(again):
                product()
            times.append((time.perf_counter() - start) / again)
        s = statistics.median(times)
        rows.append({"what": f"{n} x {n} x {n}", "median_ms": s * 1e3, "gflops": 2 * n**3 / s / 1e9})
    version = lib.openblas_get_config().decode().split()
    print(json.dumps({"peer": f"{version[0]} {version[1]}, {lib.openblas_get_corename().decode()} kernels", "threads": a.threads, "rows": rows}))


main()
