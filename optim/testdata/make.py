"""PyTorch's word on the optimizers: run it to make golden.json anew.

The gradient of step t is noise[t] + 0.3·w, clipped or not, for two tensors.
"""
import json
import pathlib

import torch

torch.set_default_dtype(torch.float64)
torch.manual_seed(1)
shapes = {"a": (3,), "b": (2, 2)}
start = {k: torch.randn(s) for k, s in shapes.items()}
noise = [{k: torch.randn(s) for k, s in shapes.items()} for _ in range(10)]


def run(make, clip=None, half=None):
    w = {k: v.clone().requires_grad_() for k, v in start.items()}
    opt, after = make([{"params": [v], "of": 0.5 if k == half else 1} for k, v in w.items()]), []
    for t in range(10):
        for g in opt.param_groups:
            g["lr"] = g["of"] * 0.1 / (1 + t)
        for k in w:
            w[k].grad = noise[t][k] + 0.3 * w[k].detach()
        if clip:
            torch.nn.utils.clip_grad_norm_(w.values(), clip)
        opt.step()
        after.append({k: v.detach().flatten().tolist() for k, v in w.items()})
    return after


def flat(d):
    return {k: v.flatten().tolist() for k, v in d.items()}


SGD, AdamW = torch.optim.SGD, torch.optim.AdamW
golden = {
    "start": flat(start),
    "noise": [flat(n) for n in noise],
    "runs": {
        "plain": run(lambda p: SGD(p, lr=0.1)),
        "decay": run(lambda p: SGD(p, lr=0.1, weight_decay=0.2)),
        "momentum": run(lambda p: SGD(p, lr=0.1, momentum=0.9)),
        "momentum decay": run(lambda p: SGD(p, lr=0.1, momentum=0.9, weight_decay=0.2)),
        "nesterov": run(lambda p: SGD(p, lr=0.1, momentum=0.8, weight_decay=0.2, nesterov=True)),
        "half rate": run(lambda p: SGD(p, lr=0.1, momentum=0.9, weight_decay=0.2), half="a"),
        "clipped": run(lambda p: SGD(p, lr=0.1, momentum=0.9), clip=2.0),
        "adamw": run(lambda p: AdamW(p, lr=0.1, weight_decay=0)),
        "adamw half rate": run(lambda p: AdamW(p, lr=0.1, weight_decay=0.3), half="b"),
        "adamw decay": run(lambda p: AdamW(p, lr=0.1, weight_decay=0.3, betas=(0.7, 0.95), eps=0.01)),
    },
}
(pathlib.Path(__file__).parent / "golden.json").write_text(json.dumps(golden) + "\n")
