"""Times the loss DAW with its gradient in PyTorch, as an eager expression.

    daw.py [--threads N] [--times N]

Prints one JSON object with a row for each size of the logits. DAW is the loss of phase's stage 1: with p = softmax(x),
the weight (1-p)^1 on the label's term, p^4 on the others', and the label smoothed by 0.1; the gradient flows through
the weights.
"""
import argparse
import json
import statistics
import time

import torch


def daw(x, label, gamma_pos=1.0, gamma_neg=4.0, smooth=0.1):
    logp = torch.log_softmax(x, 1)
    p = logp.exp()
    hot = torch.zeros_like(p).scatter_(1, label[:, None], 1.0)
    base = hot * (1 - p) + (1 - hot) * p
    weight = base ** (hot * gamma_pos + (1 - hot) * gamma_neg)
    target = hot * (1 - smooth) + smooth / x.shape[1]
    return -(target * weight * logp).sum(1).mean()


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--times", type=int, default=30)
    a = a.parse_args()
    torch.set_num_threads(a.threads)
    rows = []
    for n, classes in ((128, 100), (1024, 1000)):
        torch.manual_seed(0)
        x, y = torch.randn(n, classes, requires_grad=True), torch.randint(0, classes, (n,))
        times = []
        for i in range(5 + a.times):
            start = time.perf_counter()
            x.grad = None
            daw(x, y).backward()
            times.append(time.perf_counter() - start)
        rows.append({"what": f"{n}x{classes} daw and gradient", "median_ms": statistics.median(times[5:]) * 1e3})
    print(json.dumps({"peer": "PyTorch " + torch.__version__, "rows": rows}))


main()
