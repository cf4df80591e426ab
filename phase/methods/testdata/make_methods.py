"""Writes methods.json: every loss by PyTorch's autograd and every weighting by
NumPy, in float64, each with its usual parameters and with each of them changed.

    python make_methods.py > methods.json

Losses are written from their definitions as the papers' programs have them:
modulations by plain powers, one-hot labels, norms as sums over all classes.
"""
import json
import sys

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
rng = np.random.default_rng(11)
N, C, D = 7, 5, 4
counts = np.array([120, 45, 16, 6, 2])
labels = np.array([3, 0, 4, 1, 2, 0, 3])
logits = (2 * rng.standard_normal((N, C))).round(4)
cosines = rng.uniform(-1, 1, (N, C)).round(4)
hidden = np.maximum(rng.standard_normal((N, D)), 0).round(4)
weights = rng.uniform(0.2, 3, N).round(4)
y, n = torch.tensor(labels), torch.tensor(counts).double()
hot = F.one_hot(y, C).double()


def normalized(w):
    return w / w.sum() * len(w)


def ce(z):
    return F.cross_entropy(z, y, reduction="none")


def softmax_family(z, gp=0.0, gn=0.0, eps=0.0, form="asl", detach=False):
    logp = torch.log_softmax(z, 1)
    p = logp.exp()
    a = torch.where(hot > 0, (1 - p) ** gp, (1 - p if form == "eq3" else p) ** gn)
    if detach:
        a = a.detach()
    if form == "eq1":
        return -(a * torch.where(hot > 0, logp, torch.log(1 - p))).sum(1)
    return -((hot * (1 - eps) + eps / C) * a * logp).sum(1)


def effective(beta):
    return normalized(1 / n if beta == 1 else (1 - beta) / (1 - beta**n))[y]


def cb_focal(z, beta=0.9999, gp=1.0, form="class"):
    w = effective(beta)
    if form == "class":
        p = torch.softmax(z, 1)[range(N), y]
        return w * (1 - p) ** gp * ce(z)
    if form == "ldam":
        v = w * ce(z)
        return (1 - torch.exp(-v)) ** gp * v
    q = torch.where(hot > 0, torch.sigmoid(z), 1 - torch.sigmoid(z))
    return w * ((1 - q) ** gp * F.binary_cross_entropy_with_logits(z, hot, reduction="none")).sum(1)


def ldam(z, margin=0.5, scale=30.0):  # z are cosines
    m = 1 / torch.sqrt(torch.sqrt(n))
    m = m * (margin / m.max())
    return ce(scale * (z - hot * m))


def ib(z, h, alpha=1000.0, gp=0.0):
    norm = (torch.softmax(z, 1) - hot).abs().sum(1)
    v = normalized(1 / n)[y] * ce(z)
    v = (1 - torch.exp(-v)) ** gp * v if gp else v
    return v * alpha / (norm * h.abs().sum(1) + 0.001)


def las(z, head=0.4, tail=0.1):
    e = tail + (head - tail) * torch.sin((n - n.min()) * np.pi / (2 * (n.max() - n.min())))
    return (1 - e[y]) * ce(z) - e[y] * torch.log_softmax(z, 1).mean(1)


def vs(z, gamma=0.3, tau=1.0):
    delta = (1 / n) ** gamma
    return ce(z / (delta / delta.min()) + tau * torch.log(n / n.sum()))


losses = []


def loss(kind, f, *variants, h=False, cos=False):
    """variants are (parameters of the program, keyword arguments of f)."""
    for params, kw in ({}, {}), *variants:
        z = torch.tensor(cosines if cos else logits, requires_grad=True)
        t = torch.tensor(hidden, requires_grad=h)
        each = torch.tensor(weights) * (f(z, t, **kw) if h else f(z, **kw))
        each.sum().backward()
        losses.append(
            {
                "kind": kind,
                "params": params,
                "each": each.tolist(),
                "grad": z.grad.flatten().tolist(),
                "hidden_grad": t.grad.flatten().tolist() if h else None,
            }
        )


def vary(**kw):
    """A parameter a time: names as the program has them, _ for -."""
    names = {"gamma_pos": "gp", "gamma_neg": "gn", "smooth": "eps", "ib_alpha": "alpha", "smooth_head": "head", "smooth_tail": "tail", "vs_gamma": "gamma"}
    out = []
    for k, values in kw.items():
        for v in values:
            text = str(v).lower() if isinstance(v, bool) else str(v)
            out.append(({k.replace("_", "-"): text}, {names.get(k, k): v}))
    return out


loss("ce", softmax_family)
loss("label-smoothing", lambda z, eps=0.1: softmax_family(z, eps=eps), *vary(smooth=[0.0, 0.3, 1.0]))
loss("focal", lambda z, gp=1.0, detach=False: softmax_family(z, gp, detach=detach), *vary(gamma_pos=[0.0, 0.5, 2.0], detach=[True]))
for kind, first in ("daw", 1.0), ("asl-reference", 0.0):
    loss(
        kind,
        lambda z, gp=first, gn=4.0, eps=0.1, form="asl", detach=False: softmax_family(z, gp, gn, eps, form, detach),
        *vary(gamma_pos=[0.5, 2.0], gamma_neg=[0.0, 1.5], smooth=[0.0, 0.3], form=["eq3", "eq1"], detach=[True]),
    )
loss("cb", lambda z, beta=0.9999: effective(beta) * ce(z), *vary(beta=[0.0, 0.9, 1.0]))
loss(
    "cb-focal",
    cb_focal,
    *vary(beta=[0.9], gamma_pos=[0.5, 2.0], form=["ldam", "sigmoid"]),
    ({"form": "ldam", "gamma-pos": "0.5", "beta": "0.9"}, {"form": "ldam", "gp": 0.5, "beta": 0.9}),
    ({"form": "ldam", "gamma-pos": "0"}, {"form": "ldam", "gp": 0.0}),
    ({"form": "sigmoid", "gamma-pos": "2", "beta": "0.9"}, {"form": "sigmoid", "gp": 2.0, "beta": 0.9}),
    ({"form": "sigmoid", "gamma-pos": "0"}, {"form": "sigmoid", "gp": 0.0}),
)
loss("ib", ib, *vary(ib_alpha=[1.0, 10000.0], gamma_pos=[2.0]), h=True)
loss("ib-focal", lambda z, h, alpha=1000.0, gp=1.0: ib(z, h, alpha, gp), *vary(ib_alpha=[1.0], gamma_pos=[0.5, 2.0]), h=True)
loss("las", las, *vary(smooth_head=[0.1, 0.8], smooth_tail=[0.0, 0.3]))
loss("ldam", ldam, *vary(margin=[0.0, 0.2], scale=[1.0, 10.0]), cos=True)
loss("balanced-softmax", lambda z: ce(z + torch.log(n)))
loss("logit-adjust", lambda z, tau=1.0: ce(z + tau * torch.log(n / n.sum())), *vary(tau=[0.0, 0.5, 2.0]))
loss("vs", vs, *vary(vs_gamma=[0.0, 0.15], tau=[0.0, 0.75]))

# Weightings: of 32 samples of five classes, the third of which are all alike.
sizes = [14, 9, 4, 3, 2]
owner = rng.permutation(np.repeat(np.arange(5), sizes))
phi = (np.maximum(rng.standard_normal((32, 3)), 0) + 0.5 * np.cos(owner[:, None] + np.arange(3))).round(3)
phi[owner == 2] = phi[owner == 2][0]
size = np.array(sizes, dtype=np.float64)
dev = phi - np.array([phi[owner == j].mean(0) for j in range(5)])[owner]
length = np.linalg.norm(dev, axis=1)
zero = length <= 1e-8 * (1 + np.linalg.norm(phi, axis=1).max())
unit = np.where(zero[:, None], 0, dev / np.where(zero, 1, length)[:, None])
weightings = []


def weighting(kind, params, classes=None, samples=None):
    if samples is None and classes is not None:
        samples = classes[owner]
    weightings.append(
        {
            "kind": kind,
            "params": params,
            "class": None if samples is None else [samples[owner == j].mean() for j in range(5)],
            "sample": None if samples is None else samples.tolist(),
        }
    )


def areas(block, seed):
    np.random.seed(seed)
    order, area = np.random.permutation(32), np.zeros(5)
    for start in range(0, 32, block):
        part = order[start : start + block]
        for j in np.unique(owner[part]):
            at = part[owner[part] == j]
            r = unit[at] @ unit[at].T
            mean = max(r.mean(), 0)
            area[j] += 1 if len(at) == 1 else 4 * len(at) if mean * 4 * len(at) <= 1 else max(1 / mean, 1)
    return normalized(1 / area)


def local(reading, block, seed, clip):
    out = np.empty(32)
    for j in range(5):
        at = np.where(owner == j)[0]
        r = unit[at] @ unit[at].T
        m, q = r.mean(1), 2 / (1 + r.mean(1))
        np.fill_diagonal(r, 1)
        shape = q / q.mean()
        if clip:
            shape = np.clip(shape, 1 / clip, clip)
        out[at] = {
            "area-shift": areas(block, seed)[j] * shape,
            "area": np.full(len(at), areas(block, seed)[j]),
            "shift": q,
            "clamp": 1 / np.maximum(m, 1 / len(at)),
            "abs": 1 / np.abs(r).mean(1),
            "rms": 1 / np.sqrt((r**2).mean(1)),
        }[reading]
    return out


def msr(gamma=1.0, alpha=0.8, reading="area-shift", block=128, seed=0, clip=0.0):
    return alpha * normalized(size**-gamma)[owner] + (1 - alpha) * local(reading, block, seed, clip)


weighting("inverse", {}, normalized(1 / size))
for beta in 0.9999, 0.0, 0.9, 1.0:
    w = 1 / size if beta == 1 else (1 - beta) / (1 - beta**size)
    weighting("effective", {} if beta == 0.9999 else {"beta": str(beta)}, normalized(w))
for gamma in 1.0, 0.0, 0.25:
    weighting("adrw", {} if gamma == 1 else {"gamma": str(gamma)}, normalized((size / 32) ** -gamma))
weighting("area", {}, areas(128, 0))
weighting("area", {"block": "8"}, areas(8, 0))
weighting("area", {"block": "8", "seed": "3"}, areas(8, 3))
weighting("msr", {}, samples=msr())
weighting("msr", {"gamma": "0.25"}, samples=msr(gamma=0.25))
weighting("msr", {"alpha": "0"}, samples=msr(alpha=0.0))
weighting("msr", {"block": "8", "seed": "3"}, samples=msr(block=8, seed=3))
weighting("msr", {"local-clip": "1.1"}, samples=msr(clip=1.1))
for reading in "area", "shift", "clamp", "abs", "rms":
    weighting("msr", {"local": reading}, samples=msr(reading=reading))
weighting("msr", {"local": "literal"})  # refused: some 1/m are negative

json.dump(
    {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "logits": logits.flatten().tolist(),
        "cosines": cosines.flatten().tolist(),
        "hidden": hidden.flatten().tolist(),
        "labels": labels.tolist(),
        "weights": weights.tolist(),
        "counts": counts.tolist(),
        "losses": losses,
        "owner": owner.tolist(),
        "features": phi.flatten().tolist(),
        "weightings": weightings,
    },
    sys.stdout,
    separators=(",", ":"),
)
print()
