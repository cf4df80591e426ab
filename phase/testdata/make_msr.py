"""Writes msr.json: the weights of MSR and AREA on random features.

An independent witness, sample by sample and pair by pair: it forms every
correlation matrix, which the program never does.

    python make_msr.py > msr.json
"""
import json
import sys

import numpy as np

GAMMA, ALPHA, BLOCK, SEED, CLIP = 0.75, 0.6, 16, 3, 1.04


def correlation(dev, tol):
    """R = D D^T / (|d_i| |d_k|), rows and columns of zero deviations zero."""
    length = np.linalg.norm(dev, axis=1)
    zero = length <= tol
    length[zero] = 1
    r = dev @ dev.T / np.outer(length, length)
    r[zero] = 0
    r[:, zero] = 0
    return r


def case(name, counts, d, make):
    rng = np.random.RandomState(len(name))
    classes, n = len(counts), sum(counts)
    labels = rng.permutation(np.repeat(np.arange(classes), counts))
    x = make(rng, labels, n, d)
    tol = 1e-8 * (1 + np.linalg.norm(x, axis=1).max())

    total = np.array(counts) / n
    w_n = total**-GAMMA
    w_n = w_n / w_n.sum() * classes

    m = np.empty(n)
    w_abs, w_rms, w_clamp = np.empty(n), np.empty(n), np.empty(n)
    mu = np.empty((classes, d))
    for j in range(classes):
        at = np.where(labels == j)[0]
        mu[j] = x[at].mean(0)
        r = correlation(x[at] - mu[j], tol)
        m[at] = r.mean(1)
        m[at[np.abs(m[at]) < 1e-12]] = 0
        w_clamp[at] = 1 / np.maximum(m[at], 1 / len(at))
        np.fill_diagonal(r, 1)
        w_abs[at] = 1 / np.abs(r).mean(1)
        w_rms[at] = 1 / np.sqrt((r**2).mean(1))

    area = np.zeros(classes)
    np.random.seed(SEED)
    order = np.random.permutation(n)
    for start in range(0, n, BLOCK):
        block = order[start : start + BLOCK]
        for j in np.unique(labels[block]):
            at = block[labels[block] == j]
            if len(at) == 1:
                area[j] += 1
                continue
            r = correlation(x[at] - mu[j], tol)
            a = np.full(len(at), 1 / len(at))
            with np.errstate(divide="ignore"):
                area[j] += np.clip(1 / (a @ r @ a), 1, 4 * len(at))
    w_area = 1 / area / (1 / area).sum() * classes

    q = 2 / (1 + m)
    shape = np.empty(n)
    for j in range(classes):
        at = labels == j
        shape[at] = q[at] / q[at].mean()

    local = {
        "area-shift": w_area[labels] * shape,
        "clipped": w_area[labels] * np.clip(shape, 1 / CLIP, CLIP),
        "area": w_area[labels],
        "shift": q,
        "clamp": w_clamp,
        "abs": w_abs,
        "rms": w_rms,
    }
    if (m != 0).all():
        local["literal"] = 1 / m
    sample = {k: ALPHA * w_n[labels] + (1 - ALPHA) * v for k, v in local.items()}
    return {
        "name": name,
        "classes": classes,
        "d": d,
        "labels": labels.tolist(),
        "features": x.ravel().tolist(),
        "global": w_n.tolist(),
        "area": area.tolist(),
        "means": m.tolist(),
        "local": {k: v.tolist() for k, v in local.items()},
        "class": {k: [v[labels == j].mean() for j in range(classes)] for k, v in sample.items()},
        "sample": {k: v.tolist() for k, v in sample.items()},
        "non_positive": int((m <= 0).sum()),
    }


def normal(rng, labels, n, d):
    return rng.randn(n, d).round(3) + labels[:, None]


def relu(rng, labels, n, d):
    return np.maximum(rng.randn(n, d) + 0.3 * np.cos(labels[:, None] * np.arange(d)), 0).round(3)


def degenerate(rng, labels, n, d):
    x = normal(rng, labels, n, d)
    x[labels == 1] = x[labels == 1][0]  # all alike
    return x


out = {
    "numpy": np.__version__,
    "gamma": GAMMA,
    "alpha": ALPHA,
    "block": BLOCK,
    "seed": SEED,
    "clip": CLIP,
    "cases": [
        case("normal", [40, 15, 6], 5, normal),
        case("relu, wide", [30, 12, 5, 3], 17, relu),
        case("one, two and all alike", [20, 4, 2, 1], 4, degenerate),
    ],
}
json.dump(out, sys.stdout, separators=(",", ":"))
print()
