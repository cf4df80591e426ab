"""Writes the golden files.    python3 make.py        (NumPy 2)

good_*: element i, counting in row-major order, is i - 2 (unsigned: i; booleans:
i odd). bad_*: files that must be refused.
"""
import numpy as np

shapes = {"scalar": (), "vector": (5,), "matrix": (2, 3), "deep": (2, 3, 2, 1), "empty": (0, 4)}


def values(dtype, shape):
    n = int(np.prod(shape))
    i = np.arange(n)
    if dtype == "b1":
        i = i % 2
    elif not dtype.startswith("u"):
        i = i - 2
    return i.astype(dtype).reshape(shape)


for dtype in "f4 f8 i8".split():
    for name, shape in shapes.items():
        np.save(f"good_{dtype}_{name}.npy", values(dtype, shape))
for dtype in "i1 i2 i4 u1 u2 u4 u8 b1".split():
    np.save(f"good_{dtype}_matrix.npy", values(dtype, (2, 3)))
for dtype in "f4 f8 i8 u1".split():
    np.save(f"good_{dtype}_matrix_fortran.npy", np.asfortranarray(values(dtype, (2, 3))))
np.save("good_f4_deep_fortran.npy", np.asfortranarray(values("f4", (2, 3, 2, 1))))
for version in (2, 0), (3, 0):
    with open(f"good_f4_matrix_v{version[0]}.npy", "wb") as f:
        np.lib.format.write_array(f, values("f4", (2, 3)), version=version)

np.save("bad_big.npy", values("f4", (2, 3)).astype(">f4"))
np.save("bad_half.npy", values("f4", (2, 3)).astype("f2"))
np.save("bad_complex.npy", np.ones(2, "c8"))
np.save("bad_text.npy", np.array(["a", "bc"]))
np.save("bad_object.npy", np.array([{}, None], dtype=object), allow_pickle=True)
np.save("bad_struct.npy", np.zeros(2, [("a", "<f4"), ("b", "<i4")]))
np.save("bad_u8.npy", np.array([1, 2**63], "u8"))
np.save("bad_axes.npy", np.zeros((1,) * 7, "f4"))

arrays = {"labels": np.arange(4), "features": values("f4", (2, 3)), "b/c": np.float64(1.5)}
np.savez("good.npz", **arrays)
np.savez_compressed("good_compressed.npz", **arrays)
np.savez_compressed("bad_bomb.npz", zeros=np.zeros(3 << 20, "f8"))
