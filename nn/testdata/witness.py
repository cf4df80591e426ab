"""PyTorch's word on the models of this package: run it to make names_*.txt and
witness.json anew (needs torch, torchvision, pillow).

Weights and images are not stored: both sides draw them from numbers(key, n).
"""
import json
import pathlib

import numpy as np
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

here = pathlib.Path(__file__).parent
torch.set_default_dtype(torch.float64)
torch.manual_seed(0)


def numbers(key, n):
    """n numbers in [0,1): SplitMix64 of key·2³²+i."""
    z = (np.uint64(key) << np.uint64(32)) + np.arange(n, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def tensor(key, *shape):
    """Centred numbers of deviation 1."""
    return torch.from_numpy((numbers(key, int(np.prod(shape))) - 0.5) * 12**0.5).reshape(shape)


def fill(model):
    """The j-th float tensor of the state, by name, from numbers(j)."""
    state = model.state_dict()
    for j, name in enumerate(sorted(k for k, v in state.items() if v.is_floating_point())):
        v, t = state[name], tensor(j, *state[name].shape)
        if v.dim() > 1:
            t *= (2 / v[0].numel()) ** 0.5
        elif name.endswith(("running_var", "bn1.weight", "bn2.weight", "bn3.weight", "downsample.1.weight")):
            t = 1 + 0.2 * t
        else:
            t *= 0.2
        v.copy_(t)
    return model


def projections(model):
    """One number for each float tensor of the state: its product with noise."""
    state = model.state_dict()
    names = sorted(k for k, v in state.items() if v.is_floating_point())
    return {n: (state[n] * tensor(1000 + j, *state[n].shape)).sum().item() for j, n in enumerate(names)}


class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        self.more, self.stride = o - i, stride

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        lo = self.more // 2
        return F.relu(y + F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, lo, self.more - lo)))


class CIFARResNet(nn.Module):
    def __init__(self, depth, width, channels, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        n = (depth - 2) // 6

        def layer(i, o, stride):
            return nn.Sequential(*[Block(i if j == 0 else o, o, stride if j == 0 else 1) for j in range(n)])

        self.layer1 = layer(width, width, 1)
        self.layer2 = layer(width, 2 * width, 2)
        self.layer3 = layer(2 * width, 4 * width, 2)
        self.linear = nn.Linear(4 * width, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def resnet50(width, classes, small):
    model = torchvision.models.ResNet(torchvision.models.resnet.Bottleneck, [3, 4, 6, 3], num_classes=classes)
    if width != 64:  # torchvision cannot vary the first stage: scale every layer
        def narrow(c):
            return c * width // 64 if c not in (3, classes) else c
        for name, m in list(model.named_modules()):
            parent = model.get_submodule(name.rpartition(".")[0]) if name else None
            key = name.rpartition(".")[2]
            if isinstance(m, nn.Conv2d):
                setattr(parent, key, nn.Conv2d(narrow(m.in_channels), narrow(m.out_channels), m.kernel_size, m.stride, m.padding, bias=False))
            elif isinstance(m, nn.BatchNorm2d):
                setattr(parent, key, nn.BatchNorm2d(narrow(m.num_features)))
            elif isinstance(m, nn.Linear):
                setattr(parent, key, nn.Linear(narrow(m.in_features), classes))
    if small:
        model.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        model.maxpool = nn.Identity()
    return model


def names(file, model):
    with open(here / file, "w") as f:
        for name, v in model.state_dict().items():
            print(name, *v.shape, file=f)


def outputs(model, *shape):
    """Logits in evaluation, then in training."""
    x, y = tensor(500, *shape), []
    for train in (False, True):
        model.train(train)
        y.append(model(x).flatten().tolist())
    return {"eval": y[0], "train": y[1], "state": projections(model)}


def ten_steps(kind):
    """Ten steps of ResNet-8 on ten batches; the learning rate warms up for 4. Of
    kind "blocks" it is SGD's of ResNet-20, which has blocks that follow one another."""
    model = fill(CIFARResNet(20 if kind == "blocks" else 8, 4, 3, 5)).train()
    if kind == "adamw":
        opt = torch.optim.AdamW(model.parameters(), lr=0.003, weight_decay=0.05)
    else:
        opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=kind == "nesterov")
    losses = []
    for t in range(10):
        for g in opt.param_groups:
            g["lr"] = (0.003 if kind == "adamw" else 0.1) * min(1, (t + 1) / 4)
        x, y = tensor(600 + t, 8, 3, 16, 16), torch.from_numpy((numbers(700 + t, 8) * 5).astype(np.int64))

        def loss():
            opt.zero_grad()
            l = F.cross_entropy(model(x), y)
            l.backward()
            return l.item()

        losses.append(loss())
        if kind == "sam":
            ps = list(model.parameters())
            norm = torch.sqrt(sum((p.grad**2).sum() for p in ps))
            home = [p.detach().clone() for p in ps]
            with torch.no_grad():
                for p in ps:
                    p += 0.05 / (norm + 1e-12) * p.grad
            norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
            for m in norms:
                m.track_running_stats = False
            loss()
            for m in norms:
                m.track_running_stats = True
            with torch.no_grad():
                for p, h in zip(ps, home):
                    p.copy_(h)
        opt.step()
    return {"losses": losses, "state": projections(model)}


def size(model):
    return sum(p.numel() for p in model.parameters())


def mul_adds(model, *shape):
    """Multiplications of one image's convolutions and linear maps."""
    count = 0

    def hook(m, _, y):
        nonlocal count
        count += y.numel() * m.weight[0].numel()

    for m in model.modules():
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            m.register_forward_hook(hook)
    model.to("meta").eval()(torch.empty(1, *shape, device="meta"))
    return count


names("names_resnet32.txt", CIFARResNet(32, 16, 3, 100))
names("names_resnet50.txt", resnet50(64, 1000, False))
witness = {
    "sizes": {
        "resnet32 16 10": size(CIFARResNet(32, 16, 3, 10)),
        "resnet32 16 100": size(CIFARResNet(32, 16, 3, 100)),
        "resnet32 64 10": size(CIFARResNet(32, 64, 3, 10)),
        "resnet32 64 100": size(CIFARResNet(32, 64, 3, 100)),
        "resnet110 16 10": size(CIFARResNet(110, 16, 3, 10)),
        "resnet50 64 1000": size(resnet50(64, 1000, False)),
    },
    "mul_adds": {
        "resnet32 16 32": mul_adds(CIFARResNet(32, 16, 3, 10), 3, 32, 32),
        "resnet50 64 224": mul_adds(resnet50(64, 10, False), 3, 224, 224),
        "resnet50 16 64": mul_adds(resnet50(16, 10, True), 3, 64, 64),
    },
    "outputs": {
        "resnet20": outputs(fill(CIFARResNet(20, 5, 1, 7)), 3, 1, 9, 9),
        "resnet50": outputs(fill(resnet50(4, 6, False)), 2, 3, 128, 128),
        "resnet50 small": outputs(fill(resnet50(4, 6, True)), 2, 3, 32, 32),
    },
    "steps": {kind: ten_steps(kind) for kind in ("sgd", "nesterov", "adamw", "sam", "blocks")},
}
(here / "witness.json").write_text(json.dumps(witness, indent=1) + "\n")
