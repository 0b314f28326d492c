"""Each op of fovea/ops.h with its options, in PyTorch: the same names, arguments and defaults.

OPS maps an op's name to a function of tensors, by name, and options as JSON has them; it returns one tensor or
several. If PyTorch has no such op, its formula is here, from the paper or the header that defines it.
"""
import torch
from torch.nn import functional as F

OPS = {}


def op(name):
    def keep(function):
        OPS[name] = function
        return function

    return keep


def by_axes(name, x):
    """conv2d for an image, conv1d for a row, and so on."""
    return getattr(F, f"{name}{x.dim() - 2}d")


def each(value, axes):
    """One number per axis."""
    return list(value) if isinstance(value, list) else [value] * axes


# ---- padding and convolution


def same_sides(size, kernel, stride, dilation):
    """Keras's rule, also for even kernels: ceil(size / stride) windows, the extra element of an odd padding at the
    end (bottom, right)."""
    total = max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return [total // 2, total - total // 2]


def sides(padding, sizes, kernels, strides, dilations):
    """[before, after] for each axis."""
    windows = list(zip(sizes, kernels, strides, dilations))
    if padding == "valid":
        return [[0, 0] for _ in windows]
    if padding == "same":
        return [same_sides(*window) for window in windows]
    if padding == "full":
        return [[d * (k - 1)] * 2 for _, k, _, d in windows]
    return [p if isinstance(p, list) else [p, p] for p in each(padding, len(windows))]


@op("pad")
def pad(x, padding, mode="constant", value=0):
    axes = x.dim() - 2
    pairs = sides(padding, x.shape[2:], [1] * axes, [1] * axes, [1] * axes)
    flat = [side for pair in reversed(pairs) for side in pair]  # PyTorch begins at the last axis
    return F.pad(x, flat, mode, value) if mode == "constant" else F.pad(x, flat, mode)


@op("conv")
def conv(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1, padding_mode="constant", padding_value=0):
    axes = x.dim() - 2
    windows = (x.shape[2:], weight.shape[2:], each(stride, axes), each(dilation, axes))
    padded = pad(x, sides(padding, *windows), padding_mode, padding_value)
    y = by_axes("conv", x)(padded, weight, bias, stride=stride, dilation=dilation, groups=groups)
    if padding == "same" and (stride, padding_mode, padding_value) == (1, "constant", 0):  # all that PyTorch's name can do
        assert torch.equal(y, by_axes("conv", x)(x, weight, bias, padding="same", dilation=dilation, groups=groups))
    return y


@op("conv_transpose")
def conv_transpose(x, weight, bias=None, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    transposed = by_axes("conv_transpose", x)
    return transposed(x, weight, bias, stride, padding, output_padding, groups, dilation)


# ---- pooling


@op("max_pool_with_indices")
def max_pool_with_indices(x, kernel, stride=None, padding=0, dilation=1, ceil_mode=False):
    return by_axes("max_pool", x)(x, kernel, stride or kernel, padding, dilation, ceil_mode, return_indices=True)


@op("max_pool")
def max_pool(x, **options):
    return max_pool_with_indices(x, **options)[0]


@op("max_unpool")
def max_unpool(x, kernel, stride=None, padding=0):
    """Inverts max_pool_with_indices, back to x's shape."""
    pooled, indices = max_pool_with_indices(x, kernel, stride, padding)
    return by_axes("max_unpool", x)(pooled, indices, kernel, stride or kernel, padding, output_size=x.shape[2:])


@op("avg_pool")
def avg_pool(x, kernel, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    return by_axes("avg_pool", x)(x, kernel, stride or kernel, padding, ceil_mode, count_include_pad)


@op("adaptive_avg_pool")
def adaptive_avg_pool(x, output):
    return by_axes("adaptive_avg_pool", x)(x, output)


@op("adaptive_max_pool")
def adaptive_max_pool(x, output):
    return by_axes("adaptive_max_pool", x)(x, output)


@op("global_avg_pool")
def global_avg_pool(x):
    return x.mean(tuple(range(2, x.dim())), keepdim=True)


@op("global_max_pool")
def global_max_pool(x):
    return x.amax(tuple(range(2, x.dim())), keepdim=True)


# ---- norms and other ops with one number per channel


def per_channel(vector, x):
    return vector.reshape([-1] + [1] * (x.dim() - 2))


@op("batch_norm")
def batch_norm(x, running_mean, running_var, gamma=None, beta=None, training=True, eps=1e-5, momentum=0.1):
    mean, var = running_mean.clone(), running_var.clone()
    y = F.batch_norm(x, mean, var, gamma, beta, training, momentum, eps)
    return (y, mean, var) if training else y


@op("batch_norm_eval")
def batch_norm_eval(x, mean, var, gamma=None, beta=None, eps=1e-5):
    return F.batch_norm(x, mean, var, gamma, beta, False, 0, eps)


@op("layer_norm")
def layer_norm(x, gamma=None, beta=None, axes=1, eps=1e-5):
    return F.layer_norm(x, x.shape[x.dim() - axes :], gamma, beta, eps)


@op("layer_norm_channels")
def layer_norm_channels(x, gamma=None, beta=None, eps=1e-6):
    return F.layer_norm(x.movedim(1, -1), x.shape[1:2], gamma, beta, eps).movedim(-1, 1)


@op("group_norm")
def group_norm(x, groups, gamma=None, beta=None, eps=1e-5):
    return F.group_norm(x, groups, gamma, beta, eps)


@op("instance_norm")
def instance_norm(x, gamma=None, beta=None, eps=1e-5):
    return F.instance_norm(x, weight=gamma, bias=beta, eps=eps)


@op("global_response_norm")
def global_response_norm(x, gamma, beta, eps=1e-6):
    """Woo et al. 2023, with channels at axis 1."""
    response = x.flatten(2).norm(dim=2)
    share = response / (response.mean(1, keepdim=True) + eps)
    share = share.reshape(list(share.shape) + [1] * (x.dim() - 2))
    return per_channel(gamma, x) * (x * share) + per_channel(beta, x) + x


@op("layer_scale")
def layer_scale(x, gamma):
    return x * per_channel(gamma, x)


@op("prelu")
def prelu(x, slope):
    return F.prelu(x, slope)


# ---- activations

for function in F.relu, F.relu6, F.silu, F.mish, F.hardswish, F.gelu, torch.sigmoid, torch.tanh, torch.exp, torch.log:
    OPS[function.__name__] = lambda x, function=function: function(x)
OPS["gelu_tanh"] = lambda x: F.gelu(x, approximate="tanh")
OPS["hardsigmoid"] = lambda x: F.relu6(x + 3) / 6  # F.hardsigmoid rounds its slope, 1/6, to f32
OPS["leaky_relu"] = lambda x, slope=0.01: F.leaky_relu(x, slope)
OPS["elu"] = lambda x, alpha=1: F.elu(x, alpha)
OPS["softmax"] = lambda x, axis=1: F.softmax(x, axis)
OPS["log_softmax"] = lambda x, axis=1: F.log_softmax(x, axis)


# ---- shapes

OPS["reshape"] = lambda x, shape: x.reshape(shape)
OPS["flatten"] = lambda x, start=1: x.flatten(start)
OPS["permute"] = lambda x, axes: x.permute(axes)
OPS["concat"] = lambda axis, **tensors: torch.cat(list(tensors.values()), axis)
OPS["slice"] = lambda x, axis, begin, end: x.narrow(axis, begin, end - begin)
OPS["split"] = lambda x, sizes, axis: torch.split(x, sizes, axis)
OPS["cast"] = lambda x, dtype: x.to({"f32": torch.float32, "f64": torch.float64, "i64": torch.int64}[dtype])
OPS["pixel_shuffle"] = lambda x, r: F.pixel_shuffle(x, r)
OPS["pixel_unshuffle"] = lambda x, r: F.pixel_unshuffle(x, r)
OPS["channel_shuffle"] = lambda x, groups: torch.channel_shuffle(x, groups)


def interpolate(x, linear, align_corners, **size):
    if not linear:
        return F.interpolate(x, mode="nearest", **size)
    mode = ["linear", "bilinear", "trilinear"][x.dim() - 3]
    return F.interpolate(x, mode=mode, align_corners=align_corners, **size)


@op("upsample")
def upsample(x, scale, linear=False, align_corners=False, recompute_scale_factor=None):
    scales = tuple(float(s) for s in each(scale, x.dim() - 2))
    return interpolate(x, linear, align_corners, scale_factor=scales, recompute_scale_factor=recompute_scale_factor)


@op("upsample_to")
def upsample_to(x, size, linear=False, align_corners=False):
    return interpolate(x, linear, align_corners, size=size)


@op("normalize_images")
def normalize_images(x, mean, std):
    mean, std = (torch.tensor(v, dtype=torch.float32).double() for v in (mean, std))
    return ((x.double() / 255 - mean) / std).permute(0, 3, 1, 2)


# ---- arithmetic

OPS["add"] = lambda a, b: a + b
OPS["sub"] = lambda a, b: a - b
OPS["mul"] = lambda a, b: a * b
OPS["div"] = lambda a, b: a / b
OPS["with_numbers"] = lambda x, c: (x + c, c + x, x - c, c - x, x * c, c * x, x / c, -x)
OPS["sum_to"] = lambda x, shape: x.sum_to_size(shape)
OPS["broadcast_to"] = lambda x, shape: x.expand(shape)
OPS["linear"] = F.linear
OPS["matmul"] = lambda a, b: torch.matmul(a, b)


@op("sum")
def sum_over(x, axes=None, keep_axes=False):
    return x.sum() if axes is None else x.sum(tuple(axes), keepdim=keep_axes)


@op("mean")
def mean_over(x, axes=None, keep_axes=False):
    return x.mean() if axes is None else x.mean(tuple(axes), keepdim=keep_axes)


@op("max")
def max_over(x, axes, keep_axes=False):
    return x.amax(tuple(axes), keepdim=keep_axes)


# ---- losses


@op("cross_entropy")
def cross_entropy(logits, targets, class_weights=None, label_smoothing=0.0, ignore_index=-100):
    return F.cross_entropy(logits, targets, class_weights, ignore_index=ignore_index, label_smoothing=label_smoothing)


@op("binary_cross_entropy_with_logits")
def binary_cross_entropy_with_logits(x, targets, reduction="mean"):
    return F.binary_cross_entropy_with_logits(x, targets, reduction=reduction)


@op("focal_loss")
def focal_loss(x, targets, alpha=0.25, gamma=2, reduction="mean"):
    """Lin et al. 2017, as in torchvision.ops.sigmoid_focal_loss."""
    p = torch.sigmoid(x)
    losses = F.binary_cross_entropy_with_logits(x, targets, reduction="none")
    right = p * targets + (1 - p) * (1 - targets)
    losses = (alpha * targets + (1 - alpha) * (1 - targets)) * losses * (1 - right) ** gamma
    return {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]


@op("dice_loss")
def dice_loss(x, targets, smooth=1):
    x, targets = (v.reshape(*v.shape[:2], -1) for v in (x, targets))
    both, either = (x * targets).sum(2), x.sum(2) + targets.sum(2)
    return (1 - (2 * both + smooth) / (either + smooth)).mean()


@op("mse_loss")
def mse_loss(x, target, reduction="mean"):
    return F.mse_loss(x, target, reduction=reduction)


@op("smooth_l1_loss")
def smooth_l1_loss(x, target, beta=1.0, reduction="mean"):
    return F.smooth_l1_loss(x, target, beta=beta, reduction=reduction)


@op("kl_div")
def kl_div(log_p, log_q):
    return F.kl_div(log_p, log_q, reduction="batchmean", log_target=True)
