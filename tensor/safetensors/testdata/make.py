"""Writes the golden files with the Python package.

    python3 make.py        (NumPy 2, safetensors 0.8)

foreign.safetensors: every dtype that is read; element i, counting in row-major
order, is i - 2 (unsigned: i; BOOL: i odd).
sealed.safetensors: with the checksum of the package comment, computed here a
second time.
"""
import hashlib
import struct
import numpy as np
from safetensors.numpy import save_file

i = np.arange(6).reshape(2, 3)
foreign = {d: (i - 2).astype(d) for d in "float64 float32 float16 int64 int32 int16 int8".split()}
foreign |= {d: i.astype(d) for d in "uint64 uint32 uint16 uint8".split()}
foreign["bool"] = i % 2 == 1
foreign["scalar"] = np.array(1.5, "float32")
foreign["empty"] = np.zeros((0, 4), "float32")
save_file(foreign, "foreign.safetensors", metadata={"format": "np", "quote": 'a "b" \\ \u00e9 \u2028'})


def number(n):
    return struct.pack("<Q", n)


def text(s):
    return number(len(s.encode())) + s.encode()


def checksum(meta, tensors):
    h = hashlib.sha256(number(len(meta)))
    for k in sorted(meta, key=str.encode):
        h.update(text(k) + text(meta[k]))
    h.update(number(len(tensors)))
    for name in sorted(tensors, key=str.encode):
        t = tensors[name]
        dtype = {"float32": "F32", "float64": "F64", "int64": "I64"}[str(t.dtype)]
        h.update(text(name) + text(dtype) + number(t.ndim) + b"".join(map(number, t.shape)))
        h.update(hashlib.sha256(t.tobytes()).digest())
    return h.hexdigest()


tensors = {
    "conv.weight": (np.arange(16, dtype="float32") / 8).reshape(2, 2, 2, 2),
    "steps": np.array(7, "int64"),
    "\u00e9": np.array([1.5, -2.5]),
    "Z": np.zeros((3, 0), "float32"),
}
meta = {"schema": "1", "classes": "cat dog", "B": ""}
save_file(tensors, "sealed.safetensors", metadata=meta | {"sha256": checksum(meta, tensors)})
