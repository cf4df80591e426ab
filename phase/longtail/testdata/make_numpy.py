"""Writes numpy.json: what NumPy itself does, for profile, shuffle and subset.

    python make_numpy.py > numpy.json
"""
import json
import sys

import numpy as np


def counts(profile, n_max, classes, factor):
    mu = 1 / factor
    if profile == "exp":
        return [int(n_max * mu ** (i / (classes - 1.0))) for i in range(classes)]
    return [n_max] * (classes // 2) + [int(n_max * mu)] * (classes - classes // 2)


out = {"numpy": np.__version__, "shuffles": [], "subsets": [], "counts": []}

for seed in (0, 42, 1, 2**32 - 1):
    np.random.seed(seed)
    run = []
    for n in (1, 2, 3, 7, 8, 9, 10, 33, 257, 700):  # one generator, one after the other
        a = np.arange(n)
        np.random.shuffle(a)
        run.append(a.tolist())
    np.random.seed(seed)
    out["shuffles"].append({"seed": seed, "consecutive": run, "permutation": np.random.permutation(100).tolist()})

labels = [i * (i + 3) % 23 % 5 for i in range(400)]
for seed in (0, 42):
    keep = [40, 17, 9, 3, 1]
    np.random.seed(seed)
    at = np.array(labels)
    picked = []
    assert all((at == c).sum() >= k for c, k in enumerate(keep))
    for c in np.unique(at):
        idx = np.where(at == c)[0]
        np.random.shuffle(idx)
        picked += idx[: keep[c]].tolist()
    out["subsets"].append({"seed": seed, "labels": labels, "counts": keep, "indices": picked})

for profile in ("exp", "step"):
    for n_max in (500, 600, 1280, 5000):
        for classes in (2, 3, 4, 5, 6, 7, 9, 10, 11, 13, 17, 21, 26, 51, 100, 101, 200, 365, 1000):
            for factor in (1, 1.5, 2, 4, 8, 10, 16, 20, 32, 50, 64, 81, 100, 125, 200, 256, 500):
                n = counts(profile, n_max, classes, factor)
                out["counts"].append([profile, n_max, classes, factor, sum(n), sum(i * v for i, v in enumerate(n))])

json.dump(out, sys.stdout, separators=(",", ":"))
print()
