"""Times a training step, or inference, of a residual network in PyTorch.

    resnet.py [--model resnet32|resnet50] [--width N] [--batch N] [--size N] [--threads N] [--steps N] [--infer] [--layout best|nchw|nhwc]
              [--device cpu|cuda] [--bf16]

Prints one JSON object: images_per_second of the median step, step_ms, layout, peer. A step is what phase bench train
times: forward, softmax cross-entropy, backward, SGD with momentum 0.9 and weight decay 5e-4, on fixed random images.
The layout "best" times both and keeps the faster. resnet32 is He et al.'s network for CIFAR, its shortcuts without
parameters; --bf16 lets PyTorch's autocast choose what is computed in bfloat16; resnet50 has bottlenecks and, as in phase below 128 pixels, a stem that does not shrink.
"""
import argparse
import json
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F


def conv(cin, cout, k, stride=1):
    return nn.Conv2d(cin, cout, k, stride, k // 2, bias=False)


class Basic(nn.Module):
    """Two 3x3 convolutions around a shortcut that skips pixels and pads channels."""

    def __init__(self, cin, cout, stride):
        super().__init__()
        self.a, self.na = conv(cin, cout, 3, stride), nn.BatchNorm2d(cout)
        self.b, self.nb = conv(cout, cout, 3), nn.BatchNorm2d(cout)
        self.stride, self.more = stride, cout - cin

    def forward(self, x):
        y = self.nb(self.b(F.relu(self.na(self.a(x)))))
        if self.more:
            x = x[:, :, :: self.stride, :: self.stride]
            x = F.pad(x, (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))
        return F.relu(y + x)


class Bottleneck(nn.Module):
    """1x1, 3x3 with the stride, 1x1 to four times the channels."""

    def __init__(self, cin, mid, stride):
        super().__init__()
        out = 4 * mid
        self.a, self.na = conv(cin, mid, 1), nn.BatchNorm2d(mid)
        self.b, self.nb = conv(mid, mid, 3, stride), nn.BatchNorm2d(mid)
        self.c, self.nc = conv(mid, out, 1), nn.BatchNorm2d(out)
        self.short = nn.Identity()
        if stride != 1 or cin != out:
            self.short = nn.Sequential(conv(cin, out, 1, stride), nn.BatchNorm2d(out))

    def forward(self, x):
        y = F.relu(self.na(self.a(x)))
        y = F.relu(self.nb(self.b(y)))
        return F.relu(self.nc(self.c(y)) + self.short(x))


class Net(nn.Module):
    def __init__(self, block, stages, width, grow, classes=100):
        super().__init__()
        self.stem, self.norm = conv(3, width, 3), nn.BatchNorm2d(width)
        blocks, cin = [], width
        for i, n in enumerate(stages):
            for j in range(n):
                blocks.append(block(cin, width << i, 2 if i > 0 and j == 0 else 1))
                cin = (width << i) * grow
        self.blocks, self.head = nn.Sequential(*blocks), nn.Linear(cin, classes)

    def forward(self, x):
        return self.head(self.blocks(F.relu(self.norm(self.stem(x)))).mean((2, 3)))


def build(model, width):
    if model == "resnet50":
        return Net(Bottleneck, (3, 4, 6, 3), width or 64, 4)
    n = (int(model[len("resnet"):]) - 2) // 6
    return Net(Basic, (n, n, n), width or 16, 1)


def median_step(a, layout):
    torch.manual_seed(0)
    memory = torch.channels_last if layout == "nhwc" else torch.contiguous_format
    net = build(a.model, a.width).to(a.device, memory_format=memory)
    x = torch.randn(a.batch, 3, a.size, a.size).to(a.device).contiguous(memory_format=memory)
    y = torch.randint(0, 100, (a.batch,)).to(a.device)
    opt = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, weight_decay=5e-4)
    if a.infer:
        net.eval()

    def forward():
        with torch.autocast(a.device, torch.bfloat16, enabled=a.bf16):
            return net(x)

    def step():
        if a.infer:
            with torch.no_grad():
                forward()[0, 0].item()
            return
        opt.zero_grad(set_to_none=True)
        loss = F.cross_entropy(forward().float(), y)
        loss.backward()
        opt.step()
        loss.item()  # a GPU is waited for

    times = []
    for _ in range(a.warm + a.steps):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times[a.warm:])


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--model", default="resnet32")
    p.add_argument("--width", type=int, default=0)
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--size", type=int, default=32)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--steps", type=int, default=7)
    p.add_argument("--warm", type=int, default=2)
    p.add_argument("--infer", action="store_true")
    p.add_argument("--bf16", action="store_true")
    p.add_argument("--layout", default="best", choices=["best", "nchw", "nhwc"])
    p.add_argument("--device", default="cpu")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    s, layout = min((median_step(a, l), l) for l in (["nchw", "nhwc"] if a.layout == "best" else [a.layout]))
    print(json.dumps({"peer": "PyTorch " + torch.__version__, "layout": layout, "step_ms": s * 1e3, "images_per_second": a.batch / s}))


main()
