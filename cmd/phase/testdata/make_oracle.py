"""Writes oracle/: losses by PyTorch's autograd and weights by NumPy, in float64,
for the command's own oracle to be checked against.

    python make_oracle.py        # in this folder; needs torch and numpy

Everything is written from the definitions: modulations by plain powers of
softmax, correlations by the whole matrix of cosines.
"""
import itertools
import json
import os

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "oracle")
rng = np.random.default_rng(7)


def save(name, a):
    np.save(os.path.join(OUT, name), a)


z = 2 * rng.standard_normal((7, 5))
y = rng.integers(0, 5, 7)
w = rng.uniform(0.2, 3, 7)
save("z64.npy", z)
save("z32.npy", z.astype(np.float32))
for t in "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split():
    save(f"y_{t}.npy", y.astype(t))
save("w.npy", w)


def rows(z, y, kind, gp, gn, eps, form, detach):
    """The loss of each row."""
    logp = torch.log_softmax(z, 1)
    p = logp.exp()
    hot = torch.nn.functional.one_hot(y, z.shape[1]).bool()
    neg = p if form in ("asl", "eq1") else 1 - p
    a = torch.where(hot, (1 - p) ** gp, neg**gn)
    if detach:
        a = a.detach()
    if form == "eq1":
        return -(a * torch.where(hot, logp, torch.log(1 - p))).sum(1)
    s = hot * (1 - eps) + eps / z.shape[1]
    return -(s * a * logp).sum(1)


KINDS = [  # kind, flags, gamma+, gamma-, eps, form, detach
    ("ce", "", 0, 0, 0, "asl", False),
    ("label-smoothing", "", 0, 0, 0.1, "asl", False),
    ("label-smoothing", "--smooth 0.3", 0, 0, 0.3, "asl", False),
    ("focal", "", 1, 0, 0, "asl", False),
    ("focal", "--gamma-pos 2", 2, 0, 0, "asl", False),
    ("focal", "--gamma-pos 0.5 --detach", 0.5, 0, 0, "asl", True),
    ("daw", "", 1, 4, 0.1, "asl", False),
    ("daw", "--detach", 1, 4, 0.1, "asl", True),
    ("daw", "--gamma-pos 2 --gamma-neg 2 --smooth 0.2", 2, 2, 0.2, "asl", False),
    ("daw", "--form eq3", 1, 4, 0.1, "eq3", False),
    ("daw", "--form eq3 --detach --gamma-neg 1.5", 1, 1.5, 0.1, "eq3", True),
    ("daw", "--form eq1", 1, 4, 0.1, "eq1", False),
    ("daw", "--form eq1 --detach", 1, 4, 0.1, "eq1", True),
    ("daw", "--form eq1 --gamma-pos 0 --gamma-neg 0", 0, 0, 0, "eq1", False),
]
losses = []
for (kind, flags, *setting), zf, weighted, red in itertools.product(
    KINDS, ["z64.npy", "z32.npy"], [False, True], ["mean", "weighted-mean", "sum", "none"]
):
    zs = np.load(os.path.join(OUT, zf)).astype(np.float64)
    t = torch.tensor(zs, requires_grad=True)
    wt = torch.tensor(w if weighted else np.ones(7))
    each = wt * rows(t, torch.tensor(y), kind, *setting)
    if kind == "ce":  # PyTorch's own, where it has one
        own = wt * torch.nn.functional.cross_entropy(t, torch.tensor(y), reduction="none")
        assert torch.allclose(own, each, rtol=1e-13)
    if kind == "label-smoothing":
        own = wt * torch.nn.functional.cross_entropy(t, torch.tensor(y), reduction="none", label_smoothing=setting[2])
        assert torch.allclose(own, each, rtol=1e-12)
    total = {"mean": each.mean(), "weighted-mean": each.sum() / wt.sum(), "sum": each.sum(), "none": each.sum()}[red]
    total.backward()
    losses.append(
        dict(
            args=f"--kind {kind} {flags} --reduction {red}".split(),
            logits=zf,
            weighted=weighted,
            loss=None if red == "none" else total.item(),
            per_sample=each.tolist(),
            grad=t.grad.flatten().tolist(),
        )
    )

# Features of six classes with 40, 17, 8, 3, 2 and 1 samples, one class flat.
counts = [40, 17, 8, 3, 2, 1]
labels = rng.permutation(np.repeat(np.arange(6), counts))
f = np.maximum(rng.standard_normal((71, 4)) + 0.7 * rng.standard_normal((6, 4))[labels], 0)
f[labels == 3] = [1.0, 2.0, 0.5, 0.0]
save("f64.npy", f)
save("f32.npy", f.astype(np.float32))
save("labels.npy", labels.astype(np.int32))


def normalized(v):
    v = np.asarray(v, dtype=np.float64)
    return v / v.sum() * len(v)


def units(f):
    d = np.empty_like(f)
    for j in range(6):
        d[labels == j] = f[labels == j] - f[labels == j].mean(0)
    n = np.linalg.norm(d, axis=1)
    tol = 1e-8 * (1 + np.linalg.norm(f, axis=1).max())
    return np.where(n[:, None] > tol, d / np.where(n > tol, n, 1)[:, None], 0)


def areas(f, block, seed):
    order = np.arange(len(labels))
    np.random.seed(seed)
    np.random.shuffle(order)
    u, area = units(f), np.zeros(6)
    for at in range(0, len(order), block):
        part = order[at : at + block]
        for j in range(6):
            mine = part[labels[part] == j]
            n = len(mine)
            if n == 1:
                area[j] += 1
            elif n > 1:
                r = u[mine] @ u[mine].T
                q = (np.full(n, 1 / n) @ r) @ np.full(n, 1 / n)
                area[j] += 4 * n if q <= 1 / (4 * n) else min(max(1 / q, 1), 4 * n)
    return area


def local(f, mode, block, seed, clip):
    u, out = units(f), np.zeros(len(labels))
    wa = normalized(1 / areas(f, block, seed))
    for j in range(6):
        at = np.where(labels == j)[0]
        r, n = u[at] @ u[at].T, len(at)
        m = r.mean(1)
        if mode == "area-shift":
            q = 2 / (1 + m)
            q /= q.mean()
            if clip:
                q = np.clip(q, 1 / clip, clip)
            out[at] = wa[j] * q
        elif mode == "area":
            out[at] = wa[j]
        elif mode == "shift":
            out[at] = 2 / (1 + m)
        elif mode == "clamp":
            out[at] = 1 / np.maximum(m, 1 / n)
        elif mode in ("abs", "rms"):
            r = r.copy()
            np.fill_diagonal(r, 1)
            out[at] = 1 / np.abs(r).mean(1) if mode == "abs" else 1 / np.sqrt((r**2).mean(1))
    return out


weights = []


def add(args, klass, sample=None, features=None):
    weights.append(
        dict(args=args.split(), features=features, **{"class": list(klass)}, sample=None if sample is None else list(sample))
    )


n = np.array(counts, dtype=np.float64)
for by in ("counts", "labels"):
    pick = (lambda c: None) if by == "counts" else (lambda c: c[labels])
    source = "--counts " + ",".join(map(str, counts)) if by == "counts" else "--labels labels.npy"
    c = normalized(1 / n)
    add(f"--kind inverse {source}", c, pick(c))
    for beta in (0, 0.9, 0.9999, 1):
        c = normalized(1 / n) if beta == 1 else normalized((1 - beta) / (1 - beta**n))
        add(f"--kind effective --beta {beta} {source}", c, pick(c))
    for gamma in (0, 0.25, 1, 1.5):
        c = normalized((n / n.sum()) ** -gamma)
        add(f"--kind adrw --gamma {gamma} {source}", c, pick(c))
for name in ("f64.npy", "f32.npy"):
    fs = np.load(os.path.join(OUT, name)).astype(np.float64)
    for block, seed in ((128, 0), (16, 0), (16, 42)):
        c = normalized(1 / areas(fs, block, seed))
        add(f"--kind area --block {block} --seed {seed} --labels labels.npy", c, c[labels], name)
    for mode in ("area-shift", "area", "shift", "clamp", "abs", "rms"):
        for gamma, alpha, block, seed, clip in ((1, 0.8, 128, 0, 0), (0.5, 0, 16, 42, 0), (1, 0.3, 20, 3, 1.1)):
            if clip and mode != "area-shift":
                continue
            wn = normalized((n / n.sum()) ** -gamma)
            s = alpha * wn[labels] + (1 - alpha) * local(fs, mode, block, seed, clip)
            c = np.array([s[labels == j].mean() for j in range(6)])
            clipped = f" --local-clip {clip}" if clip else ""
            add(
                f"--kind msr --local {mode} --gamma {gamma} --alpha {alpha} --block {block} --seed {seed}{clipped} --labels labels.npy",
                c, s, name,
            )

with open(os.path.join(OUT, "oracle.json"), "w") as out:
    json.dump(dict(losses=losses, weights=weights), out, indent=None, separators=(",", ":"))
    out.write("\n")
