"""Writes tests/golden/ops_FAMILY.safetensors: PyTorch's results for each op, and its gradients.

Usage: ops.py [FAMILY...], named after the functions below; all of them by default. Another machine or PyTorch differs in the
last digits: write only the family that has a new case.

In float64. Each file describes its contents in its metadata "cases" (JSON); tests read nothing else:
    name, op     the case, and the op of fovea/ops.h, as in formulas.py
    options      by name; others have their defaults
    inputs       in order, each with a name, a shape, and how it is filled (see golden.py), under the
                 name CASE/INPUT: shift + scale * uniform, rounded to f32, or, with "classes", integers below that, in
                 "dtype" (the graph's when not given)
    loss         the results that count in the loss: the sum over these of y * g, with g filled under
                 the name CASE/g and the result's number
The tensors are CASE/y and the result's number, and CASE/grad:INPUT, the loss's gradient for an input that
is not "frozen".
"""
import json
import sys

import numpy as np
import torch

import golden
from formulas import OPS


def u(*shape, **spec):
    """Numbers from -1 to 1, unless scale and shift are given."""
    return {"shape": shape, **spec}


def integers(*shape, classes, **spec):
    """Integers from 0 to classes - 1."""
    return {"shape": shape, "classes": classes, "frozen": True, **spec}


def fill(name, spec):
    shape = spec["shape"]
    if "classes" in spec:
        dtype = {"i64": np.int64, "u8": np.uint8, None: np.float64}[spec.get("dtype")]
        return torch.from_numpy(golden.labels(name, int(np.prod(shape)), spec["classes"]).reshape(shape).astype(dtype))
    values = spec.get("shift", 0) + spec.get("scale", 1) * golden.uniform(name, shape)
    return torch.from_numpy(np.asarray(values, np.float32).astype(np.float64)).requires_grad_(not spec.get("frozen", False))


class Family:
    """The cases of one file."""

    def __init__(self, name):
        self.name, self.cases, self.tensors, self.count = name, [], {}, {}

    def case(self, op, inputs, **options):
        number = self.count[op] = self.count.get(op, -1) + 1
        name = f"{op}/{number}"
        tensors = {key: fill(f"{name}/{key}", spec) for key, spec in inputs.items()}
        results = OPS[op](**tensors, **options)
        results = results if isinstance(results, tuple) else (results,)
        loss = [i for i, y in enumerate(results) if y.requires_grad]
        if loss:
            parts = (results[i] * torch.from_numpy(golden.uniform(f"{name}/g{i}", tuple(results[i].shape))) for i in loss)
            sum(part.sum() for part in parts).backward()
        for i, y in enumerate(results):
            self.keep(f"{name}/y{i}", y.detach())
        for key, x in tensors.items():
            if x.grad is not None:
                self.keep(f"{name}/grad:{key}", x.grad)
        specs = [{"name": key, **spec} for key, spec in inputs.items()]
        self.cases.append({"name": name, "op": op, "options": options, "inputs": specs, "loss": loss})

    def keep(self, name, tensor):
        array = np.ascontiguousarray(tensor.numpy()).reshape(tuple(tensor.shape))
        self.tensors[name] = array.astype(np.float64) if array.dtype == np.float32 else array

    def write(self):
        cases = json.dumps(self.cases, separators=(",", ":"))
        golden.write(f"ops_{self.name}", self.tensors, cases=cases, made_by="scripts/golden/ops.py", pytorch=torch.__version__)


def convolutions():
    family = Family("conv")

    def conv(x, weight, bias=True, **options):
        inputs = {"x": u(*x), "weight": u(*weight)} | ({"bias": u(weight[0])} if bias else {})
        family.case("conv", inputs, **options)

    row, image, volume = (2, 3, 9), (2, 4, 7, 6), (1, 4, 5, 4, 4)
    conv(row, (4, 3, 3))
    conv(row, (4, 3, 3), bias=False, stride=2, padding=[[1, 2]], dilation=2)
    conv(row, (4, 3, 4), padding="same")
    conv(row, (4, 3, 4), padding="same", stride=3, dilation=2)
    conv(row, (6, 1, 3), groups=3, padding=[[3, 1]], padding_mode="circular")
    conv(image, (3, 4, 3, 3), padding=1)
    conv(image, (5, 4, 1, 1), bias=False)
    conv(image, (3, 4, 3, 2), stride=[2, 1], padding=[1, 2])
    conv(image, (6, 2, 2, 3), stride=[1, 3], dilation=[3, 2], padding=1, groups=2)
    conv(image, (8, 1, 3, 3), bias=False, padding=1, groups=4)
    conv(image, (4, 1, 5, 3), padding=[2, 1], stride=2, groups=4)
    conv(image, (3, 4, 3, 3), padding=[[0, 2], [1, 0]])
    conv(image, (3, 4, 2, 4), padding="same")
    conv(image, (3, 4, 2, 4), padding="same", stride=2)
    conv(image, (3, 4, 2, 4), padding="same", stride=[3, 2], dilation=[2, 1])
    conv(image, (2, 4, 3, 2), bias=False, padding="full")
    conv(image, (2, 4, 3, 2), bias=False, padding="full", stride=2, dilation=2)
    conv(image, (2, 4, 3, 2), padding="valid")
    conv(image, (2, 4, 3, 3), padding=2, padding_mode="reflect")
    conv(image, (2, 4, 3, 3), padding=[[1, 2], [0, 3]], padding_mode="replicate", stride=2)
    conv(image, (2, 4, 3, 3), padding=[1, 2], padding_mode="circular")
    conv(image, (2, 4, 3, 3), padding=1, padding_value=-1.5)
    conv(image, (2, 4, 3, 4), padding="same", padding_mode="reflect")
    conv(volume, (4, 2, 3, 2, 2), stride=[1, 2, 1], padding=[1, 0, 1], groups=2)
    conv(volume, (2, 4, 2, 3, 2), dilation=[2, 1, 3], padding=1, bias=False)
    conv(volume, (2, 4, 2, 3, 2), padding="same", stride=[2, 1, 1])
    conv(volume, (2, 4, 2, 2, 2), padding=[[1, 0], [0, 1], [2, 1]], padding_mode="circular")
    family.write()


def transposed_convolutions():
    family = Family("conv_transpose")

    def conv(x, weight, bias=0, **options):
        inputs = {"x": u(*x), "weight": u(*weight)} | ({"bias": u(bias)} if bias else {})
        family.case("conv_transpose", inputs, **options)

    row, image, volume = (2, 4, 5), (2, 4, 4, 3), (1, 4, 3, 2, 3)
    conv(row, (4, 3, 3), 3)
    conv(row, (4, 3, 3), stride=3, padding=1, output_padding=2)
    conv(row, (4, 1, 4), 2, dilation=2, groups=2)
    conv(image, (4, 3, 3, 3), 3, stride=2, padding=1, output_padding=1)
    conv(image, (4, 3, 2, 2), 3, stride=2)
    conv(image, (4, 3, 4, 4), stride=2, padding=1)
    conv(image, (4, 2, 3, 2), 4, stride=[3, 2], padding=[1, 0], output_padding=[2, 0], groups=2)
    conv(image, (4, 1, 3, 3), 4, stride=[1, 2], padding=1, dilation=[2, 1], output_padding=[0, 1], groups=4)
    conv(volume, (4, 2, 2, 3, 2), 2, stride=[2, 1, 2], padding=[0, 1, 1], output_padding=[1, 0, 0])
    conv(volume, (4, 1, 2, 2, 2), dilation=[1, 2, 1], groups=2)
    conv(row, (4, 3, 3), 3, dilation=3, output_padding=2)
    conv(row, (4, 3, 2), 3, stride=2, padding=1, dilation=4, output_padding=3)
    conv(row, (4, 3, 3), 3, padding=3, dilation=3, output_padding=2)
    conv(image, (4, 3, 3, 2), 3, stride=[1, 2], padding=[1, 0], dilation=[2, 3], output_padding=[1, 2])
    conv(image, (4, 2, 1, 1), dilation=2, padding=[0, 1], output_padding=1, groups=2)
    conv(volume, (4, 2, 2, 1, 2), 2, dilation=[2, 3, 1], padding=[0, 1, 1], output_padding=[1, 2, 0])
    family.write()


def pools():
    family = Family("pool")
    row, image, volume = u(2, 3, 11), u(2, 3, 7, 8), u(1, 2, 5, 6, 4)
    equal = integers(2, 2, 6, 6, classes=3, frozen=False)

    def all_of(ops, x, **options):
        for op in ops:
            family.case(op, {"x": x}, **options)

    both, largest = ["max_pool_with_indices", "avg_pool"], ["max_pool_with_indices"]
    all_of(["max_pool", *both], image, kernel=2)
    all_of(["max_pool", *both], row, kernel=3, stride=2, padding=1)
    all_of(both, row, kernel=4, ceil_mode=True)
    all_of(both, image, kernel=[3, 2], stride=[1, 3], padding=[1, 0])
    all_of(both, image, kernel=3, stride=2, ceil_mode=True)
    all_of(both, image, kernel=3, stride=[2, 3], padding=1, ceil_mode=True)
    all_of(both, volume, kernel=2, ceil_mode=True)
    all_of(both, volume, kernel=[3, 2, 2], stride=[2, 1, 2], padding=[1, 1, 0])
    all_of(largest, row, kernel=3, dilation=3, stride=2)
    all_of(largest, image, kernel=3, dilation=[2, 1], padding=1, stride=1)
    all_of(largest, image, kernel=2, dilation=2, stride=3, padding=1, ceil_mode=True)
    all_of(largest, volume, kernel=2, dilation=[3, 2, 1], stride=1)
    all_of(["max_pool_with_indices"], equal, kernel=3, stride=2, padding=1)
    for options in {"padding": 1}, {"padding": 1, "ceil_mode": True, "stride": 2}:
        all_of(["avg_pool"], image, kernel=3, count_include_pad=False, **options)
        all_of(["avg_pool"], row, kernel=3, count_include_pad=False, **options)
        all_of(["avg_pool"], volume, kernel=3, count_include_pad=False, **options)
    all_of(["max_unpool"], image, kernel=2)
    all_of(["max_unpool"], row, kernel=2, stride=3)
    all_of(["max_unpool"], volume, kernel=2, padding=1)
    adaptive = ["adaptive_avg_pool", "adaptive_max_pool"]
    all_of(adaptive, row, output=4)
    all_of(adaptive, image, output=[3, 5])
    all_of(adaptive, image, output=[9, 1])
    all_of(adaptive, volume, output=[2, 4, 3])
    all_of(["adaptive_max_pool"], equal, output=4)
    for x in row, image, volume:
        all_of(["global_avg_pool", "global_max_pool"], x)
    family.write()


def norms():
    family = Family("norm")

    def statistics(channels):
        return {"mean": u(channels, frozen=True), "var": u(channels, scale=0.5, shift=1, frozen=True)}

    for shape in (6, 3), (3, 4, 5), (2, 3, 4, 5), (2, 3, 2, 2, 3):
        x, c = u(*shape), shape[1]
        both = {"gamma": u(c), "beta": u(c)}
        running = {f"running_{name}": spec for name, spec in statistics(c).items()}
        family.case("batch_norm", {"x": x, **both, **running})
        family.case("batch_norm", {"x": x, **both, **running}, eps=0.01, momentum=0.3)
        family.case("batch_norm", {"x": x, **both, **running}, training=False, eps=0.01)
        family.case("batch_norm_eval", {"x": x, **both, **statistics(c)}, eps=1e-3)
        family.case("layer_scale", {"x": x, "gamma": u(c)})
        family.case("prelu", {"x": x, "slope": u(c)})
        family.case("prelu", {"x": x, "slope": u(1)})
        if len(shape) > 2:
            family.case("layer_norm_channels", {"x": x, **both})
            family.case("global_response_norm", {"x": x, **both})
            family.case("instance_norm", {"x": x, **both}, eps=1e-3)
    for axes in 1, 2, 3:
        shape = (3, 4, 5)
        row = u(*shape[3 - axes :])
        family.case("layer_norm", {"x": u(*shape), "gamma": row, "beta": row}, axes=axes)
    family.case("layer_norm", {"x": u(7, scale=3, shift=5), "gamma": u(7), "beta": u(7)}, eps=0.1)
    family.case("layer_norm_channels", {"x": u(2, 5, 3, 3), "gamma": u(5), "beta": u(5)}, eps=0.1)
    family.case("global_response_norm", {"x": u(2, 5, 3, 3), "gamma": u(5), "beta": u(5)}, eps=0.1)
    for groups in 1, 2, 6:
        family.case("group_norm", {"x": u(2, 6, 3, 4), "gamma": u(6), "beta": u(6)}, groups=groups)
    family.case("group_norm", {"x": u(2, 6, 5)}, groups=3, eps=0.1)
    family.case("group_norm", {"x": u(3, 4), "gamma": u(4), "beta": u(4)}, groups=2)
    family.case("group_norm", {"x": u(1, 4, 2, 3, 2), "gamma": u(4), "beta": u(4)}, groups=2)
    family.case("instance_norm", {"x": u(2, 3, 4, 4)})
    x, running = u(3, 4, 5, 2), {"running_mean": u(4, frozen=True), "running_var": u(4, shift=2, frozen=True)}
    family.case("batch_norm", {"x": x, **running})
    family.case("batch_norm", {"x": x, **running}, training=False)
    family.case("batch_norm_eval", {"x": x, **statistics(4)})
    family.case("layer_norm", {"x": x}, axes=2)
    family.case("layer_norm", {"x": x, "gamma": u(5, 2)}, axes=2)
    family.case("layer_norm_channels", {"x": x})
    family.case("layer_norm_channels", {"x": x, "gamma": u(4)})
    family.write()


def activations():
    family = Family("activation")
    x = u(3, 4, 5, scale=8)
    for op in "relu", "relu6", "leaky_relu", "elu", "gelu", "gelu_tanh", "silu", "mish", "sigmoid", "tanh", "hardsigmoid", "hardswish":
        family.case(op, {"x": x})
    family.case("leaky_relu", {"x": x}, slope=0.3)
    family.case("elu", {"x": x}, alpha=0.7)
    family.case("exp", {"x": x})
    family.case("log", {"x": u(3, 4, 5, scale=2, shift=2.1)})
    for op in "softmax", "log_softmax":
        family.case(op, {"x": x})
        for axis in 0, 2, -1, -3:
            family.case(op, {"x": x}, axis=axis)
        family.case(op, {"x": u(6)}, axis=0)
        family.case(op, {"x": u(2, 3, 2, 2, 3)})
    family.write()


def shapes():
    family = Family("shape")
    x, row, image, volume = u(2, 3, 4), u(2, 3, 5), u(2, 3, 4, 5), u(1, 2, 3, 4, 3)
    family.case("reshape", {"x": x}, shape=[4, 6])
    family.case("flatten", {"x": image})
    family.case("flatten", {"x": image}, start=-2)
    family.case("permute", {"x": image}, axes=[2, 0, 3, 1])
    family.case("concat", {"a": u(2, 3), "b": u(2, 1), "c": u(2, 4)}, axis=1)
    family.case("concat", {"a": image, "b": u(2, 3, 2, 5)}, axis=-2)
    family.case("slice", {"x": image}, axis=1, begin=1, end=3)
    family.case("slice", {"x": image}, axis=-1, begin=0, end=4)
    family.case("split", {"x": image}, sizes=[1, 0, 2], axis=1)
    family.case("split", {"x": image}, sizes=[3, 2], axis=-1)
    family.case("cast", {"x": u(3, 4, scale=5)}, dtype="f32")
    family.case("cast", {"x": u(3, 4, scale=5)}, dtype="f64")
    family.case("cast", {"x": u(3, 4, scale=5)}, dtype="i64")
    family.case("pad", {"x": row}, padding=[[1, 2]], value=0.5)
    family.case("pad", {"x": image}, padding=[1, 0])
    for mode in "constant", "reflect", "replicate", "circular":
        family.case("pad", {"x": row}, padding=[[3, 2]], mode=mode)
        family.case("pad", {"x": image}, padding=[[0, 3], [2, 1]], mode=mode)
        family.case("pad", {"x": volume}, padding=[[2, 1], [0, 3], [1, 1]], mode=mode)
    for x in row, image, volume:
        family.case("upsample", {"x": x}, scale=2)
        family.case("upsample", {"x": x}, scale=3, linear=True)
        family.case("upsample", {"x": x}, scale=2, linear=True, align_corners=True)
    for size in [7, 3], [2, 9]:
        family.case("upsample_to", {"x": image}, size=size)
        family.case("upsample_to", {"x": image}, size=size, linear=True)
        family.case("upsample_to", {"x": image}, size=size, linear=True, align_corners=True)
    family.case("upsample_to", {"x": image}, size=[1, 1], linear=True, align_corners=True)
    family.case("upsample", {"x": image}, scale=[1, 3], linear=True)
    image = u(2, 3, 5, 7)
    for scale in 1.5, 0.6, 2.3, [1.5, 2], [0.4, 1.7]:
        for recompute in {}, {"recompute_scale_factor": True}:
            family.case("upsample", {"x": image}, scale=scale, **recompute)
            family.case("upsample", {"x": image}, scale=scale, linear=True, **recompute)
            family.case("upsample", {"x": image}, scale=scale, linear=True, align_corners=True, **recompute)
    small = u(1, 2, 3, 2)  # axes that keep their size, or double it
    for scale in [1.3, 2.2], [2.2, 1.3]:
        family.case("upsample", {"x": small}, scale=scale)
        family.case("upsample", {"x": small}, scale=scale, linear=True)
    family.case("upsample", {"x": u(1, 1, 31)}, scale=1.3)  # where the step's rounding to f32 is seen
    family.case("upsample", {"x": row}, scale=1.3, linear=True)
    family.case("upsample", {"x": volume}, scale=[1.3, 1, 1.8], linear=True)
    family.case("pixel_shuffle", {"x": u(2, 18, 2, 3)}, r=3)
    family.case("pixel_unshuffle", {"x": u(2, 2, 4, 6)}, r=2)
    family.case("channel_shuffle", {"x": u(2, 6, 3, 2)}, groups=3)
    family.case("channel_shuffle", {"x": u(2, 6, 3, 2)}, groups=2)
    pictures = integers(2, 3, 4, 3, classes=256, dtype="u8")
    family.case("normalize_images", {"x": pictures}, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    family.write()


def arithmetic():
    family = Family("arithmetic")
    shapes = [((2, 3), (2, 3)), ((2, 3, 4), (4,)), ((2, 1, 4), (3, 1)), ((3, 2), ()), ((1,), (2, 3))]
    for op in "add", "sub", "mul", "div":
        for a, b in shapes:
            family.case(op, {"a": u(*a), "b": u(*b, shift=2)})
    family.case("with_numbers", {"x": u(2, 3)}, c=2.5)
    x = u(2, 3, 4)
    for shape in [], [4], [3, 1], [1, 3, 4]:
        family.case("sum_to", {"x": x}, shape=shape)
        family.case("broadcast_to", {"x": u(*shape)}, shape=[2, 3, 4])
    for op in "sum", "mean":
        family.case(op, {"x": x})
    for op in "sum", "mean", "max":
        family.case(op, {"x": x}, axes=[1])
        family.case(op, {"x": x}, axes=[0, -1], keep_axes=True)
        family.case(op, {"x": x}, axes=[2, 0, 1])
    for a, b in ((3, 4), (4, 2)), ((2, 3, 4), (2, 4, 5)), ((2, 2, 1, 3), (2, 2, 3, 2)):
        family.case("matmul", {"a": u(*a), "b": u(*b)})
    for shape in (3, 4), (4,), (2, 3, 4), (2, 1, 3, 4):
        family.case("linear", {"input": u(*shape), "weight": u(5, 4), "bias": u(5)})
    family.case("linear", {"input": u(3, 4), "weight": u(5, 4)})
    family.write()


def losses():
    family = Family("loss")

    def cross_entropy(logits, targets, weights=False, **options):
        weight = {"class_weights": u(logits[1], shift=1.5, frozen=True)} if weights else {}
        family.case("cross_entropy", {"logits": u(*logits, scale=3), "targets": targets, **weight}, **options)

    for logits in (4, 5), (2, 3, 6), (2, 4, 3, 2), (1, 3, 2, 3, 2):
        k, pixels = logits[1], (logits[0], *logits[2:])
        some = integers(*pixels, classes=k, dtype="i64")
        more = integers(*pixels, classes=k + 1, dtype="i64")  # K is not a class: it is ignored
        soft = u(*logits, scale=0.5, shift=0.5, frozen=True)
        for smoothing in {}, {"label_smoothing": 0.2}:
            cross_entropy(logits, some, **smoothing)
            cross_entropy(logits, soft, **smoothing)
            cross_entropy(logits, some, weights=True, **smoothing)
            cross_entropy(logits, soft, weights=True, **smoothing)
            cross_entropy(logits, more, ignore_index=k, **smoothing)
            cross_entropy(logits, some, weights=True, ignore_index=1, **smoothing)
    x, target = u(2, 3, 4, scale=3), u(2, 3, 4, scale=2)
    share, bits = u(2, 3, 4, scale=0.5, shift=0.5), integers(2, 3, 4, classes=2)
    for reduction in "mean", "sum", "none":
        family.case("binary_cross_entropy_with_logits", {"x": x, "targets": share}, reduction=reduction)
        family.case("focal_loss", {"x": x, "targets": bits}, reduction=reduction)
        family.case("mse_loss", {"x": x, "target": target}, reduction=reduction)
        for beta in 0, 0.5, 2:
            family.case("smooth_l1_loss", {"x": x, "target": target}, beta=beta, reduction=reduction)
    family.case("binary_cross_entropy_with_logits", {"x": u(2, 3, scale=40), "targets": integers(2, 3, classes=2)})
    for gamma in 0, 1, 3.5:
        family.case("focal_loss", {"x": x, "targets": bits}, alpha=0.6, gamma=gamma)
    for shape in (2, 3, 4), (2, 1, 3, 4), (4, 3):
        probabilities, masks = u(*shape, scale=0.5, shift=0.5), integers(*shape, classes=2)
        family.case("dice_loss", {"x": probabilities, "targets": masks})
        family.case("dice_loss", {"x": probabilities, "targets": masks}, smooth=0.1)
        family.case("kl_div", {"log_p": u(*shape, shift=-2), "log_q": u(*shape, shift=-2)})
    family.case("mse_loss", {"x": x, "target": target})
    family.case("smooth_l1_loss", {"x": x, "target": target})
    family.write()


FAMILIES = {make.__name__: make for make in (convolutions, transposed_convolutions, pools, norms, activations, shapes,
                                             arithmetic, losses)}
for chosen in sys.argv[1:] or FAMILIES:
    FAMILIES[chosen]()
