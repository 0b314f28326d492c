"""What the comparison computes: nets in PyTorch, torchvision's and the papers', and one batch for each."""
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "golden"))

# The shape of one input where it is not an image of 3x224x224, and what the net learns where it is not the class.
INPUTS = {"resnet18_cifar": (3, 32, 32), "small_cnn": (1, 28, 28), "unet": (3, 128, 128), "fcos_resnet18_fpn": (3, 256, 256), "m5": (1, 8000),
          "inception_time": (1, 512), "r3d_18": (3, 16, 112, 112)}
TASKS = {"unet": "segment", "deeplabv3_mobilenet_v3_large": "segment", "fcos_resnet18_fpn": "detect"}


def input_of(name):
    return INPUTS.get(name, (3, 224, 224))


def task_of(name):
    return TASKS.get(name, "classify")


def net_of(name):
    """With seeded random weights."""
    import torchvision

    import nets

    torch.manual_seed(1)
    if task_of(name) == "detect":
        net = nets.make(name, 91)
        nets.as_is(net, list(input_of(name)[1:]))
        return net
    if name in nets.NETS:
        size = {"side": 28, "channels": 1} if name == "small_cnn" else {}
        return nets.NETS[name](classes=2 if name == "unet" else 10, **size)
    if task_of(name) == "segment":
        return torchvision.models.get_model(name, weights=None, weights_backbone=None, aux_loss=False)
    return torchvision.models.get_model(name, weights=None)


def classes_of(name, net):
    """How many classes targets have; of detectors without the background."""
    if task_of(name) == "detect":
        return 90
    with torch.no_grad():
        output = net.eval()(torch.zeros(1, *input_of(name)))
    return (output["out"] if isinstance(output, dict) else output).shape[1]


def random_is_used(net):
    """Whether two steps from the same weights differ: then losses are only nearly those of the other program."""
    import torchvision

    return any(isinstance(m, (torch.nn.Dropout, torchvision.ops.StochasticDepth)) and m.p > 0 for m in net.modules())


def boxes(draw, count, height, width, classes):
    """[count, 6, 5]: x1, y1, x2, y2 and the class, counted from 1; the last rows of some images are absent: class 0."""
    rows = np.zeros((count, 6, 5), np.float32)
    for image in rows:
        for row in image[:draw.integers(2, 7)]:
            w, h = draw.uniform(0.1, 0.5) * width, draw.uniform(0.1, 0.5) * height
            x, y = draw.uniform(0, width - w), draw.uniform(0, height - h)
            row[:] = x, y, x + w, y + h, draw.integers(1, classes + 1)
    return rows


def batch_of(name, net, count):
    """Inputs and targets as Fovea's data sets have them: images u8 [N, H, W, C], others float32 [N, C, ...]; int64 labels, u8
    masks [N, H, W, 1] of 1 + class, or float32 boxes."""
    draw, shape, classes = np.random.default_rng(7), input_of(name), classes_of(name, net)
    if len(shape) == 3:
        c, h, w = shape
        inputs = draw.integers(0, 256, (count, h, w, c), dtype=np.uint8)
    else:
        inputs = draw.standard_normal((count, *shape), dtype=np.float32)
    if task_of(name) == "segment":
        return inputs, draw.integers(1, classes + 1, (count, *shape[1:], 1), dtype=np.uint8)
    if task_of(name) == "detect":
        return inputs, boxes(draw, count, *shape[1:], classes)
    return inputs, draw.integers(0, classes, count)


MEAN, STD = 0.5, 0.25  # of images as values from 0 to 1


class Normalised(torch.nn.Module):
    """A net that takes images as floats from 0 to 1."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        return self.net((images - MEAN) / STD)


def prepared(inputs, form):
    """What the net takes: images are normalised."""
    if inputs.dtype == torch.uint8:
        inputs = inputs.permute(0, 3, 1, 2).float().div_(255).sub_(MEAN).div_(STD)
    return inputs.contiguous(memory_format=form) if form is not None else inputs


def loss_of(name, net, inputs, targets):
    if task_of(name) == "detect":
        wanted = []
        for rows in targets:
            present = rows[rows[:, 4] > 0]
            wanted.append({"boxes": present[:, :4], "labels": present[:, 4].long()})
        return sum(net(list(inputs), wanted).values())
    output = net(inputs)
    if task_of(name) == "segment":
        output = output["out"] if isinstance(output, dict) else output
        return F.cross_entropy(output, targets[..., 0].long() - 1, ignore_index=-1)
    return F.cross_entropy(output, targets)
