"""Writes print.json: arrays and how NumPy prints them with four digits.

    python3 make.py        (NumPy 2)
"""
import json
import numpy as np

np.set_printoptions(precision=4)
rng = np.random.default_rng(7)
cases = {}


def case(name, a):
    a = np.asarray(a)
    text = str(a) if a.ndim else np.array2string(a)
    kind = {"float32": "f32", "float64": "f64", "int64": "i64"}[str(a.dtype)]
    data = [repr(x) for x in a.reshape(-1).tolist()]
    if a.size > 9 and np.array_equal(a.reshape(-1), np.arange(a.size)):
        data = []  # the reader counts up from 0
    cases[name] = {"dtype": kind, "shape": list(a.shape), "data": data, "text": text}


f32, f64, i64 = np.float32, np.float64, np.int64
case("scalar", f32(1.5))
case("scalar int", i64(-7))
case("whole", np.arange(6, dtype=f32).reshape(2, 3))
case("halves", np.array([1, 2.25, -3.125], f32))
case("tenths f32", np.array([0.1, 0.2, 12.3], f32))
case("tenths f64", np.array([[0.1, 1 / 3], [2 / 3, 100]], f64))
case("negative zero", np.array([-0.0, 0.0, 1.0], f64))
case("all zero", np.zeros((2, 2), f32))
case("small", np.array([1e-5, 2e-5], f64))
case("small f32", np.array([1e-5, 0, 2.5e-5], f32))
case("large", np.array([1e8, 123456789.0], f64))
case("spread", np.array([0.001, 0.5, 20.0, -3.0], f64))
case("wide exponents", np.array([1e100, 1e-5, -2.5], f64))
case("nan", np.array([np.nan, 1.5, np.inf, -np.inf], f32))
case("only nan", np.array([np.nan, np.nan], f32))
case("only inf", np.array([np.inf, -np.inf], f64))
case("nan in exponents", np.array([np.nan, 1e-9, 1.0], f64))
case("nan among digits", np.array([np.nan, 1.0], f64))
case("ints", np.array([[1, -20], [300, 4]], i64))
case("extreme ints", np.array([-(2**63), 2**63 - 1], i64))
case("normal", rng.standard_normal((3, 4)).astype(f32))
case("deep", rng.standard_normal((2, 2, 2, 3)).astype(f32))
case("six axes", np.arange(64, dtype=i64).reshape(2, 2, 2, 2, 2, 2))
case("wrapped", np.arange(60, dtype=i64))
case("wrapped floats", rng.standard_normal((2, 30)))
case("1000", np.arange(1000, dtype=i64))
case("1001", np.arange(1001, dtype=i64))
case("summary matrix", rng.standard_normal((30, 34)).astype(f32))
case("summary deep", np.arange(2000, dtype=i64).reshape(2, 10, 5, 20))
case("summary thin", np.arange(1002, dtype=f32).reshape(501, 2))
case("summary six", np.arange(1206, dtype=f32).reshape(6, 201))
case("ones", np.ones((1, 1, 3), f64))

with open("print.json", "w") as f:
    json.dump(cases, f, separators=(",", ":"), sort_keys=True)
    f.write("\n")
