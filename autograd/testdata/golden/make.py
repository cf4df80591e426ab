"""Golden values: every op of package autograd as PyTorch computes it, in float64.

    python make.py        # writes one .npz an op beside this file

An array is called CASE.inI (input), CASE.up (upstream gradient), CASE.out
(value) or CASE.gradI (gradient of input I). The cases are named alike in
golden_test.go, which holds the call that each stands for. What PyTorch has no
function for (the softmax loss with its modulation, the dropout mask) is
written here from its definition, and differentiated by PyTorch.

Zip entries carry a fixed date, so the same numbers give the same bytes.
"""

import io
import pathlib
import zipfile

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
HERE = pathlib.Path(__file__).parent
rng = np.random.default_rng(20251)
ops = {}


def normal(*shape):
    """Normal numbers, none nearer than 0.01 to zero."""
    v = rng.standard_normal(shape)
    return np.where(np.abs(v) < 0.01, 0.01, v)


def positive(*shape):
    return 0.5 + normal(*shape) ** 2


def labels(n, classes):
    return rng.integers(0, classes, n)


def case(op, name, f, *inputs, held=()):
    """Runs f on the inputs, plays a random upstream gradient back, keeps all."""
    arrays = ops.setdefault(op, {})
    assert f"{name}.out" not in arrays, (op, name)
    ts = []
    for i, v in enumerate(inputs):
        t = torch.from_numpy(np.array(v))
        if t.is_floating_point() and i not in held:
            t.requires_grad_()
        ts.append(t)
        arrays[f"{name}.in{i}"] = np.asarray(v)
    y = f(*ts)
    arrays[f"{name}.out"] = np.array(y.detach().numpy(), order="C")
    if not y.requires_grad:
        return
    up = rng.standard_normal(tuple(y.shape))
    arrays[f"{name}.up"] = up
    y.backward(torch.from_numpy(np.array(up)))
    for i, t in enumerate(ts):
        if t.requires_grad:
            arrays[f"{name}.grad{i}"] = np.array(t.grad.numpy(), order="C")


# Elementwise.
for op, f, draw in [
    ("relu", torch.relu, normal), ("exp", torch.exp, normal), ("log", torch.log, positive),
    ("tanh", torch.tanh, normal), ("sigmoid", torch.sigmoid, normal), ("gelu", F.gelu, normal),
    ("sqrt", torch.sqrt, positive), ("rsqrt", torch.rsqrt, positive),
    ("square", torch.square, normal), ("abs", torch.abs, normal),
]:
    case(op, "matrix", f, draw(3, 5))
    case(op, "images", f, draw(2, 3, 4, 3))
    case(op, "scalar", f, draw())
    if draw is normal and op != "exp":
        case(op, "far", f, np.array([-30.0, -8.0, -3.0, 3.0, 8.0, 30.0]))
case("relu", "at_zero", torch.relu, np.array([-1.0, 0.0, 1.0]))
case("abs", "at_zero", torch.abs, np.array([-1.0, 0.0, 1.0]))

for op, f, second in [("add", torch.add, normal), ("sub", torch.sub, normal), ("mul", torch.mul, normal), ("div", torch.div, positive)]:
    case(op, "alike", f, normal(3, 4), second(3, 4))
    case(op, "channels", f, normal(2, 3, 2, 2), second(3, 1, 1))
    case(op, "outer", f, normal(3, 1), second(1, 4))
    case(op, "scalar", f, normal(), second(2, 2))
    case(op, "row", f, normal(2, 3), second(3))
    case(op, "middle", f, normal(2, 1, 3), second(4, 1))
case("affine", "both", lambda x: -2.5 * x + 1, normal(3, 2))
case("affine", "scale", lambda x: 0.5 * x, normal(2, 3, 2, 2))

# Matrices.
case("matmul", "plain", torch.matmul, normal(3, 4), normal(4, 2))
case("matmul", "wide", torch.matmul, normal(1, 7), normal(7, 5))
case("linear", "plain", F.linear, normal(3, 4), normal(2, 4), normal(2))
case("linear", "one", F.linear, normal(1, 3), normal(5, 3), normal(5))

# Shapes.
case("reshape", "fixed", lambda x: x.reshape(3, 4), normal(2, 6))
case("reshape", "free", lambda x: x.reshape(2, -1), normal(2, 3, 2, 2))
case("permute", "matrix", lambda x: x.permute(1, 0), normal(2, 3))
case("permute", "cube", lambda x: x.permute(2, 0, 1), normal(2, 3, 4))
case("permute", "images", lambda x: x.permute(0, 2, 3, 1), normal(2, 3, 2, 2))
case("slice", "rows", lambda x: x[1:3], normal(4, 3))
case("slice", "steps", lambda x: x[:, :, 0:5:2], normal(2, 3, 5, 2))
case("expand", "axis", lambda x: x.expand(3, 4), normal(3, 1))
case("expand", "lead", lambda x: x.expand(2, 3, 2, 2), normal(3, 1, 1))
case("pad", "matrix", lambda x: F.pad(x, (1, 2)), normal(2, 3))
case("pad", "channels", lambda x: F.pad(x, (0, 0, 0, 0, 2, 2)), normal(2, 4, 3, 2))
case("concat", "rows", lambda *x: torch.cat(x, 0), normal(2, 3), normal(1, 3), normal(4, 3))
case("concat", "channels", lambda *x: torch.cat(x, 1), normal(2, 3, 2, 2), normal(2, 1, 2, 2))
for op in ["channels_last", "row_major"]:
    case(op, "images", lambda x: x.clone(), normal(2, 3, 4, 5))
    case(op, "thin", lambda x: x.clone(), normal(3, 1, 2, 2))

# Reductions.
for op, f in [("sum", torch.sum), ("mean", torch.mean)]:
    case(op, "all", lambda x: f(x), normal(2, 3))
    case(op, "rows", lambda x: f(x, 0), normal(4, 3))
    case(op, "keep", lambda x: f(x, 1, keepdim=True), normal(2, 5))
    case(op, "channels", lambda x: f(x, (0, 2, 3)), normal(2, 3, 2, 4))
    case(op, "middle_keep", lambda x: f(x, (1, 2), keepdim=True), normal(2, 3, 2, 4))

# Convolutions. No filter is symmetric, so a mirrored one shows.
case("conv2d", "plain", F.conv2d, normal(2, 2, 4, 5), normal(3, 2, 3, 3))
case("conv2d", "pad", lambda x, w: F.conv2d(x, w, padding=1), normal(1, 3, 4, 4), normal(2, 3, 3, 3))
case("conv2d", "stride_pad", lambda x, w: F.conv2d(x, w, stride=2, padding=1), normal(1, 2, 5, 5), normal(2, 2, 3, 3))
case("conv2d", "stride_even", lambda x, w: F.conv2d(x, w, stride=2, padding=1), normal(2, 2, 6, 4), normal(3, 2, 3, 3))
case("conv2d", "stride_one", lambda x, w: F.conv2d(x, w, stride=2), normal(2, 3, 5, 4), normal(4, 3, 1, 1))
case("conv2d", "dilation", lambda x, w: F.conv2d(x, w, padding=2, dilation=2), normal(1, 2, 5, 6), normal(2, 2, 3, 2))
case("conv2d", "groups", lambda x, w: F.conv2d(x, w, padding=1, groups=2), normal(1, 4, 4, 3), normal(6, 2, 3, 3))
case("conv2d", "depthwise", lambda x, w: F.conv2d(x, w, groups=3), normal(2, 3, 3, 3), normal(3, 1, 2, 2))
case("conv2d", "all", lambda x, w: F.conv2d(x, w, stride=2, padding=2, dilation=2, groups=2), normal(2, 4, 7, 6), normal(4, 2, 3, 3))
case("conv2d", "stem", lambda x, w: F.conv2d(x, w, stride=2, padding=3), normal(1, 3, 9, 9), normal(2, 3, 7, 7))
case("conv2d", "wide", lambda x, w: F.conv2d(x, w, padding=1), normal(1, 16, 5, 5), normal(17, 16, 3, 3))

# Pools.
for op, f in [("max_pool", F.max_pool2d), ("avg_pool", F.avg_pool2d)]:
    case(op, "two", lambda x: f(x, 2), normal(2, 3, 4, 5))
    case(op, "overlap", lambda x: f(x, 3, stride=2, padding=1), normal(1, 2, 5, 6))
    case(op, "dense", lambda x: f(x, 3, stride=1), normal(1, 1, 4, 4))
case("max_pool", "negative", lambda x: F.max_pool2d(x, 2, stride=1, padding=1), -positive(1, 2, 3, 3))
case("max_pool", "ties", lambda x: F.max_pool2d(x, 3, stride=2, padding=1), rng.integers(-1, 2, (2, 2, 6, 5)).astype(float))
case("global_avg_pool", "plain", lambda x: x.mean((2, 3)), normal(2, 3, 4, 5))


# Batch norm: F.batch_norm with training=True normalises by the biased variance.
def bn(x, g, b):
    return F.batch_norm(x, None, None, g, b, training=True, eps=1e-5)


def bn_eval(x, g, b, m, v):
    return F.batch_norm(x, m, v, g, b, training=False, eps=1e-5)


for name, shape in [("images", (3, 2, 2, 3)), ("rows", (5, 3)), ("wide", (2, 17, 3, 2))]:
    c = shape[1]
    xgb = lambda: (normal(*shape), normal(c), normal(c))
    case("batch_norm", name, bn, *xgb())
    case("batch_norm_relu", name, lambda *a: torch.relu(bn(*a)), *xgb())
    case("batch_norm_add_relu", name, lambda x, g, b, r: torch.relu(bn(x, g, b) + r), *xgb(), normal(*shape))
    mv = lambda: (normal(c), positive(c))
    case("batch_norm_eval", name, bn_eval, *xgb(), *mv(), held=(3, 4))
    case("batch_norm_eval_relu", name, lambda *a: torch.relu(bn_eval(*a)), *xgb(), *mv(), held=(3, 4))
    case("batch_norm_eval_add_relu", name, lambda x, g, b, m, v, r: torch.relu(bn_eval(x, g, b, m, v) + r),
         *xgb(), *mv(), normal(*shape), held=(3, 4))


# Dropout by its definition: SplitMix64's finaliser of (seed, position).
def kept(n, rate, seed):
    mask, m = [], (1 << 64) - 1
    for i in range(n):
        z = (seed + (i + 1) * 0x9E3779B97F4A7C15) & m
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & m
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & m
        z ^= z >> 31
        mask.append(float((z >> 11) / 2**53 >= rate))
    return torch.tensor(mask)


case("dropout", "some", lambda x: x * kept(30, 0.4, 7).reshape(6, 5) / 0.6, normal(6, 5))
case("dropout", "none", lambda x: x * 1, normal(2, 2))

# Indices.
case("gather", "rows", lambda x, i: x[i], normal(3, 4), np.array([2, 0, 2, 1, 2]))
case("gather", "numbers", lambda x, i: x[i], normal(4), labels(6, 4))
case("one_hot", "plain", lambda l: F.one_hot(l, 4).to(torch.float64), labels(5, 4))

# Softmax.
case("log_softmax", "matrix", lambda x: F.log_softmax(x, -1), normal(3, 4))
case("log_softmax", "cube", lambda x: F.log_softmax(x, -1), normal(2, 3, 5))
case("log_softmax", "far", lambda x: F.log_softmax(x, -1), 300 * normal(3, 4))


def softmax_loss(gp=0.0, gn=0.0, eps=0.0, form="asl", detach=False):
    """The loss of each row, from the paper's equations and ASLSingleLabel's
    order of steps: modulate the log-probabilities by the hard label's exponents
    (Eqs 2 to 4), then weigh them by the smoothed label (Eqs 5 and 6)."""

    def f(z, label, w):
        c = z.shape[1]
        logp = F.log_softmax(z, 1)
        p = logp.exp()
        t = F.one_hot(label, c).to(z.dtype)
        gamma = gp * t + gn * (1 - t)
        if form == "eq1":
            a = torch.where(t > 0, 1 - p, p) ** gamma
            a = a.detach() if detach else a
            return -w * (a * torch.where(t > 0, logp, torch.log1p(-p))).sum(1)
        base = 1 - p if form == "eq3" else torch.where(t > 0, 1 - p, p)
        a = base**gamma
        a = a.detach() if detach else a
        s = (1 - eps) * t + eps / c
        return -w * (s * a * logp).sum(1)

    return f


# The definition against numbers worked out apart from it, for one row.
row = torch.tensor([[2.0, -1.0, 0.5, 0.0]]), torch.tensor([2]), torch.ones(1)
for want, kw in [(1.8423495824, {}), (1.7063546332, dict(gn=4, eps=0.1)), (1.4363373796, dict(gp=1, gn=4, eps=0.1)),
                 (1.5456612353, dict(gp=1, gn=4, eps=0.1, form="eq3")), (1.8652771383, dict(gp=1, gn=4, form="eq1"))]:
    assert abs(softmax_loss(**kw)(*row).item() - want) < 1e-9, (want, kw)

logits, label, weight = 1.5 * normal(6, 5), np.array([0, 4, 2, 2, 1, 3]), positive(6)
for name, kw in {
    "ce": {}, "smooth": dict(eps=0.1), "focal": dict(gp=2.0), "root": dict(gp=0.5),
    "daw": dict(gp=1.0, gn=4.0, eps=0.1), "asl_reference": dict(gn=4.0, eps=0.1), "dead": dict(gn=4.0),
    "even": dict(gp=2.0, gn=2.0, eps=0.2), "detach": dict(gp=1.0, gn=4.0, eps=0.1, detach=True),
    "eq3": dict(gp=1.0, gn=4.0, eps=0.1, form="eq3"), "eq3_detach": dict(gp=2.0, gn=1.0, eps=0.1, form="eq3", detach=True),
    "eq1": dict(gp=1.0, gn=4.0, form="eq1"), "eq1_plain": dict(form="eq1"), "eq1_detach": dict(gp=1.0, gn=2.0, form="eq1", detach=True),
}.items():
    case("softmax_loss", name, softmax_loss(**kw), logits, label, weight, held=(2,))
# PyTorch's own functions where it has them, so that the definition above is
# not its own witness.
ce = lambda eps: lambda z, l, w: w * F.cross_entropy(z, l, reduction="none", label_smoothing=eps)
case("softmax_loss", "torch_ce", ce(0.0), logits, label, weight, held=(2,))
case("softmax_loss", "torch_smooth", ce(0.1), logits, label, weight, held=(2,))
case("softmax_loss", "torch_far", ce(0.1), 40 * logits, label, weight, held=(2,))

# What is composed of ops and has a name of its own.
case("functions", "normalize", F.normalize, normal(4, 5))
case("functions", "cosine_logits", lambda x, w: 16 * F.linear(F.normalize(x), F.normalize(w)), normal(4, 5), normal(3, 5))
case("functions", "cross_entropy", F.cross_entropy, normal(6, 4), labels(6, 4))

# Residual branches: convolutions, norms and the join, from PyTorch's own.
def branch(convs, norm, relu, shortcut, each):
    def f(x, *rest):
        s, rest = (rest[0], rest[1:]) if shortcut else (None, rest)
        for i, kw in enumerate(convs):
            w, *vectors = rest[each * i:each * (i + 1)]
            x = norm(F.conv2d(x, w, **kw), *vectors)
            if i < len(convs) - 1:
                x = torch.relu(x)
        x = x if s is None else x + s
        return torch.relu(x) if relu else x
    return f


for op, norm, vectors, shortcut in [
    ("branch", bn, lambda c: (normal(c), normal(c)), False),
    ("residual", bn, lambda c: (normal(c), normal(c)), True),
    ("branch_eval", bn_eval, lambda c: (normal(c), normal(c), normal(c), positive(c)), False),
    ("residual_eval", bn_eval, lambda c: (normal(c), normal(c), normal(c), positive(c)), True),
]:
    for name, relu, convs, x, out, filters in [
        ("one", True, [dict(padding=1)], (2, 3, 4, 3), (2, 4, 4, 3), [(4, 3, 3, 3)]),
        ("linear", False, [dict(stride=2)], (2, 3, 5, 4), (2, 5, 3, 2), [(5, 3, 1, 1)]),
        ("basic", True, [dict(stride=2, padding=1), dict(padding=1)], (2, 2, 6, 5), (2, 3, 3, 3), [(3, 2, 3, 3), (3, 3, 3, 3)]),
        ("bottleneck", True, [{}, dict(padding=1), {}], (3, 4, 3, 3), (3, 4, 3, 3), [(2, 4, 1, 1), (2, 2, 3, 3), (4, 2, 1, 1)]),
    ]:
        units = [v for w in filters for v in (normal(*w), *vectors(w[0]))]
        each, first = len(units) // len(filters), 2 if shortcut else 1
        held = [first + each * i + k for i in range(len(filters)) for k in (3, 4)] if each == 5 else ()
        case(op, name, branch(convs, norm, relu, shortcut, each), normal(*x), *([normal(*out)] if shortcut else []), *units, held=held)

case("subsample", "grow", lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 2)), normal(2, 3, 5, 4))
case("subsample", "thin", lambda x: x[:, :, ::3, ::3], normal(1, 2, 4, 7))

# PyTorch's own bfloat16, there and back: values and gradients are rounded.
narrow = lambda x: x.to(torch.float32).to(torch.bfloat16).to(torch.float64)
case("cast", "bf16", narrow, normal(3, 2, 4, 5))
case("cast", "ties", narrow, np.array([0, 1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, -1 - 2**-8]))
case("cast", "f32", lambda x: x.to(torch.float32).to(torch.float64), normal(4, 5))

for op, arrays in ops.items():
    with zipfile.ZipFile(HERE / f"{op}.npz", "w", zipfile.ZIP_DEFLATED) as z:
        for name in sorted(arrays):
            body = io.BytesIO()
            np.save(body, arrays[name])
            z.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), body.getvalue(), zipfile.ZIP_DEFLATED)
print(len(ops), "ops,", sum(len([k for k in a if k.endswith(".out")]) for a in ops.values()), "cases,", "torch", torch.__version__)
