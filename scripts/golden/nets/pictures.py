"""Nets of blocks for pictures, where torchvision has none or others."""
import math

from torch import nn
from torch.nn.functional import conv2d, pad, relu, relu6

from nets.small import norm_block


class SqueezeExcite(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        one, two = nn.Linear(channels, channels // reduction, bias=False), nn.Linear(channels // reduction, channels, bias=False)
        self.excitation = nn.Sequential(one, nn.ReLU(), two, nn.Sigmoid())

    def forward(self, x):
        return x * self.excitation(x.mean((2, 3)))[:, :, None, None]


class Residual(nn.Module):
    """Convolutions of these (channels, kernel, stride), a norm after each, and the skip connection."""

    def __init__(self, fan_in, plan, squeeze=False):
        super().__init__()
        self.depth, channels, total = len(plan), fan_in, 1
        for i, (width, kernel, stride) in enumerate(plan, 1):
            setattr(self, f"conv{i}", nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False))
            setattr(self, f"bn{i}", nn.BatchNorm2d(width))
            channels, total = width, total * stride
        self.downsample = nn.Sequential()
        if channels != fan_in or total != 1:
            self.downsample = nn.Sequential(nn.Conv2d(fan_in, channels, 1, total, bias=False), nn.BatchNorm2d(channels))
        self.se = SqueezeExcite(channels) if squeeze else nn.Identity()

    def forward(self, x):
        y = x
        for i in range(1, self.depth + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = relu(y if i < self.depth else self.se(y) + self.downsample(x))
        return y


class ResNetCifar(nn.Module):
    def __init__(self, depths, bottleneck=False, squeeze=False, classes=10):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64)
        channels = 64
        for i, depth in enumerate(depths):
            width, blocks = 64 << i, []
            for k in range(depth):
                stride = 2 if i and not k else 1
                plan = [(width, 1, 1), (width, 3, stride), (4 * width, 1, 1)] if bottleneck else [(width, 3, stride), (width, 3, 1)]
                blocks.append(Residual(channels, plan, squeeze))
                channels = plan[-1][0]
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        x = relu(self.bn1(self.conv1(x)))
        for i in range(1, 5):
            x = getattr(self, f"layer{i}")(x)
        return self.fc(x.mean((2, 3)))


class Separable(nn.Module):
    def __init__(self, fan_in, fan_out, stride):
        super().__init__()
        self.depthwise, self.bn1 = nn.Conv2d(fan_in, fan_in, 3, stride, 1, groups=fan_in, bias=False), nn.BatchNorm2d(fan_in)
        self.pointwise, self.bn2 = nn.Conv2d(fan_in, fan_out, 1, bias=False), nn.BatchNorm2d(fan_out)

    def forward(self, x):
        return relu(self.bn2(self.pointwise(relu(self.bn1(self.depthwise(x))))))


class MobileNetV1(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        widths = [32, 64, 128, 128, 256, 256] + [512] * 6 + [1024, 1024]
        blocks = [Separable(a, b, 2 if i in (1, 3, 5, 11) else 1) for i, (a, b) in enumerate(zip(widths, widths[1:]))]
        self.features, self.classifier = nn.Sequential(norm_block(3, 32, 2), *blocks), nn.Linear(1024, classes)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


class SameConv(nn.Conv2d):
    """TensorFlow's "same" padding: if it is odd, the larger half is at the end."""

    def __init__(self, fan_in, fan_out, kernel, stride=1, groups=1):
        super().__init__(fan_in, fan_out, kernel, stride, groups=groups, bias=False)

    def forward(self, x):
        sides = []
        for size in x.shape[:1:-1]:
            total = max((math.ceil(size / self.stride[0]) - 1) * self.stride[0] + self.kernel_size[0] - size, 0)
            sides += [total // 2, total - total // 2]
        return conv2d(pad(x, sides), self.weight, None, self.stride, groups=self.groups)


def lite_norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class LiteBlock(nn.Module):
    def __init__(self, fan_in, fan_out, expansion, kernel, stride):
        super().__init__()
        hidden, self.skip = fan_in * expansion, stride == 1 and fan_in == fan_out
        self.expands = expansion > 1
        if self.expands:
            self._expand_conv, self._bn0 = SameConv(fan_in, hidden, 1), lite_norm(hidden)
        self._depthwise_conv, self._bn1 = SameConv(hidden, hidden, kernel, stride, hidden), lite_norm(hidden)
        self._project_conv, self._bn2 = SameConv(hidden, fan_out, 1), lite_norm(fan_out)

    def forward(self, x):
        y = relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = self._bn2(self._project_conv(relu6(self._bn1(self._depthwise_conv(y)))))
        return x + y if self.skip else y


class EfficientNetLite0(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self._conv_stem, self._bn0 = SameConv(3, 32, 3, 2), lite_norm(32)
        blocks, channels = [], 32
        for expansion, kernel, stride, width, count in [(1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3),
                                                        (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)]:
            for i in range(count):
                blocks.append(LiteBlock(channels, width, expansion, kernel, 1 if i else stride))
                channels = width
        self._blocks = nn.Sequential(*blocks)
        self._conv_head, self._bn1, self._fc = SameConv(320, 1280, 1), lite_norm(1280), nn.Linear(1280, classes)

    def forward(self, x):
        x = self._blocks(relu6(self._bn0(self._conv_stem(x))))
        return self._fc(relu6(self._bn1(self._conv_head(x))).mean((2, 3)))


class AirbenchGroup(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.pool = nn.MaxPool2d(2)
        self.norm1 = nn.BatchNorm2d(outputs, eps=1e-12, momentum=0.4)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs, eps=1e-12, momentum=0.4)
        self.activ = nn.GELU()

    def forward(self, x):
        x = self.activ(self.norm1(self.pool(self.conv1(x))))
        return self.activ(self.norm2(self.conv2(x)))


class Airbench94(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.layers = nn.Sequential(
            nn.GELU(), AirbenchGroup(24, 64), AirbenchGroup(64, 256), AirbenchGroup(256, 256), nn.MaxPool2d(3))
        self.head = nn.Linear(256, classes, bias=False)

    def forward(self, x):
        return self.head(self.layers(self.whiten(x)).flatten(1)) / 256
