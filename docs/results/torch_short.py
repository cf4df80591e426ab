"""The short schedule of cifar100-lt-200.md in PyTorch: the outside witness for a whole training.

usage: torch_short.py DATA MANIFEST --gamma-pos 1 --gamma-neg 4 --smooth 0.1 [--seed 1] [--threads 2] [--features OUT]

DATA is the folder that holds cifar-100-binary, MANIFEST what `phase data export --data cifar100 --imbalance 200` wrote:
the same images. ResNet-32, batch 128, 20 epochs of SGD (lr .1, two epochs of warm-up, a tenth after 14 and 18, momentum .9,
weight decay 5e-4), random crop and flip. Prints one JSON line with the test accuracies of the last epoch. All zeros for the
three loss parameters is cross-entropy. --features writes OUT-x.npy, OUT-y.npy for `phase weights`.
"""
import argparse
import json
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

p = argparse.ArgumentParser()
p.add_argument("data")
p.add_argument("manifest")
p.add_argument("--gamma-pos", type=float, default=0)
p.add_argument("--gamma-neg", type=float, default=0)
p.add_argument("--smooth", type=float, default=0)
p.add_argument("--seed", type=int, default=1)
p.add_argument("--threads", type=int, default=2)
p.add_argument("--epochs", type=int, default=20)
p.add_argument("--features")
a = p.parse_args()
torch.set_num_threads(a.threads)
torch.manual_seed(a.seed)


def read(path):
    raw = np.fromfile(path, np.uint8).reshape(-1, 3074)
    return torch.from_numpy(raw[:, 2:].reshape(-1, 3, 32, 32).copy()), torch.from_numpy(raw[:, 1].astype(np.int64))


manifest = json.load(open(a.manifest))
images, labels = read(f"{a.data}/cifar-100-binary/train.bin")
images, labels = images[manifest["indices"]], labels[manifest["indices"]]
test_images, test_labels = read(f"{a.data}/cifar-100-binary/test.bin")
counts = np.bincount(labels.numpy(), minlength=100)
mean, std = torch.tensor([.4914, .4822, .4465]).view(1, 3, 1, 1), torch.tensor([.2023, .1994, .2010]).view(1, 3, 1, 1)


def prepare(x):
    return ((x.float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


def augment(x):
    n = len(x)
    x = F.pad(x, (4, 4, 4, 4))
    top, left, flip = torch.randint(0, 9, (n,)), torch.randint(0, 9, (n,)), torch.rand(n) < .5
    return torch.stack([v[:, t:t + 32, l:l + 32].flip(2) if f else v[:, t:t + 32, l:l + 32] for v, t, l, f in zip(x, top, left, flip)])


class Block(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False), nn.BatchNorm2d(cout)
        self.conv2, self.bn2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False), nn.BatchNorm2d(cout)
        self.grow, self.stride = cout - cin, stride

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.grow:
            x = F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.grow // 2, self.grow - self.grow // 2))
        return F.relu(x + y)


class ResNet32(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        blocks, cin = [], 16
        for cout, stride in ((16, 1), (32, 2), (64, 2)):
            for i in range(5):
                blocks.append(Block(cin, cout, stride if i == 0 else 1))
                cin = cout
        self.blocks, self.fc = nn.Sequential(*blocks), nn.Linear(64, 100)
        for m in self.modules():
            if isinstance(m, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(m.weight)

    def features(self, x):
        return self.blocks(F.relu(self.bn1(self.conv1(x)))).mean((2, 3))

    def forward(self, x):
        return self.fc(self.features(x))


def loss_of(z, y):
    """Eq 6 of the PHASE paper with Eq 2's modulation, the gradient flowing through it."""
    logp = F.log_softmax(z, 1)
    t = F.one_hot(y, 100).to(z.dtype)
    prob = logp.exp()
    base = (1 - prob) * t + prob * (1 - t)
    modulation = base ** (a.gamma_pos * t + a.gamma_neg * (1 - t)) if a.gamma_pos or a.gamma_neg else 1
    return -(((1 - a.smooth) * t + a.smooth / 100) * modulation * logp).sum(1).mean()


@torch.no_grad()
def collect(f, x):
    return torch.cat([f(prepare(b)) for b in x.split(500)])


model = ResNet32().to(memory_format=torch.channels_last)
opt = torch.optim.SGD(model.parameters(), .1, momentum=.9, weight_decay=5e-4)
for epoch in range(a.epochs):
    lr = .1 * min(1, (epoch + 1) / 2) * (.1 if epoch >= .7 * a.epochs else 1) * (.1 if epoch >= .9 * a.epochs else 1)
    for g in opt.param_groups:
        g["lr"] = lr
    model.train()
    for index in torch.randperm(len(images)).split(128):
        opt.zero_grad(set_to_none=True)
        loss_of(model(prepare(augment(images[index]))), labels[index]).backward()
        opt.step()
    print(json.dumps({"epoch": epoch + 1, "lr": lr}), flush=True)
model.eval()
right = (collect(model, test_images).argmax(1) == test_labels).numpy()
per_class = np.array([right[test_labels.numpy() == c].mean() for c in range(100)])
print(json.dumps({"torch": torch.__version__, "seed": a.seed, "overall": round(float(right.mean()), 4), "many": round(float(per_class[counts > 100].mean()), 4),
                  "medium": round(float(per_class[(counts >= 20) & (counts <= 100)].mean()), 4), "few": round(float(per_class[counts < 20].mean()), 4)}))
if a.features:
    np.save(a.features + "-x.npy", collect(model.features, images).numpy())
    np.save(a.features + "-y.npy", labels.numpy())
