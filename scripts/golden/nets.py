"""The registry's models in PyTorch, with the registry's names, and their values by golden.value.

torchvision's own where it has them; the others are written here.
"""
import math

import torch
import torchvision
from torch import nn
from torch.nn.functional import avg_pool2d, conv2d, pad, relu, relu6
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

import golden


def conv_norm(fan_in, fan_out, stride=1, bias=False):
    """Convolution, norm, relu, as part of a longer Sequential."""
    return [nn.Conv2d(fan_in, fan_out, 3, stride, 1, bias=bias), nn.BatchNorm2d(fan_out), nn.ReLU()]


def norm_block(fan_in, fan_out, stride=1, bias=False):
    return nn.Sequential(*conv_norm(fan_in, fan_out, stride, bias))


class SmallCnn(nn.Module):
    def __init__(self, side=32, classes=10):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32)
        self.conv2, self.bn2 = nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64)
        self.pool = nn.MaxPool2d(2)
        hidden, out = nn.Linear(64 * (side // 4) ** 2, 128), nn.Linear(128, classes)
        self.head = nn.Sequential(nn.Flatten(), hidden, nn.ReLU(), nn.Identity(), out)

    def forward(self, x):
        for conv, norm in (self.conv1, self.bn1), (self.conv2, self.bn2):
            x = self.pool(relu(norm(conv(x))))
        return self.head(x)


class DeeperCnn(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.stem = norm_block(3, 64)
        for i, (a, b) in enumerate([(64, 64), (64, 128), (128, 256)], 1):
            setattr(self, f"stage{i}", nn.Sequential(norm_block(a, b), nn.MaxPool2d(2)))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, classes))

    def forward(self, x):
        return self.head(self.stage3(self.stage2(self.stage1(self.stem(x)))))


class KerasCnn(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32, eps=1e-3, momentum=0.01)
        self.conv2, self.bn2 = nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64, eps=1e-3, momentum=0.01)
        self.conv3, self.pool, self.fc = nn.Conv2d(64, 128, 3, padding=1), nn.MaxPool2d(2), nn.Linear(128, classes)

    def forward(self, x):
        x = self.pool(self.bn1(relu(self.conv1(x))))
        x = self.pool(self.bn2(relu(self.conv2(x))))
        return self.fc(relu(self.conv3(x)).mean((2, 3)))


class SimpleCnnGap(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        layers = [conv_norm(a, b, bias=True) + [nn.MaxPool2d(2)] for a, b in [(3, 64), (64, 128), (128, 256)]]
        self.features = nn.Sequential(*sum(layers, []))
        hidden, out = nn.Linear(256, 128), nn.Linear(128, classes)
        self.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), hidden, nn.ReLU(), nn.Identity(), out)

    def forward(self, x):
        return self.classifier(self.features(x))


class SimpleCnnDeep(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        layers = []
        for a, b in [(3, 64), (64, 128), (128, 256)]:
            last = nn.AdaptiveAvgPool2d(1) if b == 256 else nn.MaxPool2d(2)
            layers += conv_norm(a, b, bias=True) + conv_norm(b, b, bias=True) + [last]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Flatten(), nn.Identity(), nn.Linear(256, classes))

    def forward(self, x):
        return self.classifier(self.features(x))


class Lenet5(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, classes)

    def forward(self, x):
        for conv in self.conv1, self.conv2:
            x = avg_pool2d(torch.tanh(conv(x)), 2)
        return self.fc3(torch.tanh(self.fc2(torch.tanh(self.fc1(x.flatten(1))))))


class LenetCnn(nn.Module):
    def __init__(self, side=32, classes=10):
        super().__init__()
        self.conv1, self.conv2, self.conv3 = (nn.Conv2d(a, b, 3, padding=1) for a, b in [(3, 32), (32, 64), (64, 128)])
        self.pool = nn.MaxPool2d(2)
        self.fc1, self.fc2 = nn.Linear(128 * (side // 8) ** 2, 256), nn.Linear(256, classes)

    def forward(self, x):
        for conv in self.conv1, self.conv2, self.conv3:
            x = self.pool(relu(conv(x)))
        return self.fc2(relu(self.fc1(x.flatten(1))))


class NamedBlock(nn.Module):
    def __init__(self, fan_in, fan_out):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(fan_in, fan_out, 3, padding=1), nn.BatchNorm2d(fan_out)

    def forward(self, x):
        return relu(self.bn(self.conv(x)))


class VggStyleCnn(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        for i, widths in enumerate([(3, 64, 64), (64, 128, 128), (128, 256, 256, 256)], 1):
            blocks = [NamedBlock(a, b) for a, b in zip(widths, widths[1:])]
            setattr(self, f"block{i}", nn.Sequential(*blocks, nn.MaxPool2d(2)))
        hidden, out = nn.Linear(256, 256), nn.Linear(256, classes)
        self.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), hidden, nn.ReLU(), nn.Identity(), out)

    def forward(self, x):
        return self.classifier(self.block3(self.block2(self.block1(x))))


class InnerBlock(nn.Module):
    def __init__(self, *args):
        super().__init__()
        self.block = norm_block(*args)

    def forward(self, x):
        return self.block(x)


class SimpleCnn224(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        widths = [3] + [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
        first = {0, 2, 4, 7, 10}
        blocks = [InnerBlock(a, b, 2 if i in first else 1) for i, (a, b) in enumerate(zip(widths, widths[1:]))]
        self.features = nn.Sequential(*blocks)
        self.classifier = nn.Linear(512, classes)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


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


# Nets that torchvision does not have.
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


class DoubleConv(nn.Module):
    def __init__(self, fan_in, fan_out, padded):
        super().__init__()
        layers = []
        for channels in fan_in, fan_out:
            layers += [nn.Conv2d(channels, fan_out, 3, padding=int(padded), bias=not padded)]
            layers += [nn.BatchNorm2d(fan_out)] * padded + [nn.ReLU()]
        self.double_conv = nn.Sequential(*layers)

    def forward(self, x):
        return self.double_conv(x)


class Down(nn.Module):
    def __init__(self, fan_in, fan_out, padded):
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(fan_in, fan_out, padded))

    def forward(self, x):
        return self.maxpool_conv(x)


def fitted(x, like):
    """The centre of x at the size of `like`, or x with zeros around it."""
    down, right = like.shape[2] - x.shape[2], like.shape[3] - x.shape[3]
    if down < 0:
        top, left = -down // 2, -right // 2
        return x[:, :, top:top + like.shape[2], left:left + like.shape[3]]
    return pad(x, [right // 2, right - right // 2, down // 2, down - down // 2])


class Up(nn.Module):
    def __init__(self, fan_in, fan_out, padded):
        super().__init__()
        self.padded = padded
        self.up, self.conv = nn.ConvTranspose2d(fan_in, fan_out, 2, 2), DoubleConv(fan_in, fan_out, padded)

    def forward(self, x, skip):
        x = self.up(x)
        return self.conv(torch.cat([skip, fitted(x, skip)] if self.padded else [fitted(skip, x), x], 1))


class OutConv(nn.Module):
    def __init__(self, fan_in, fan_out):
        super().__init__()
        self.conv = nn.Conv2d(fan_in, fan_out, 1)

    def forward(self, x):
        return self.conv(x)


class UNet(nn.Module):
    def __init__(self, channels, padded, classes=10):
        super().__init__()
        self.inc = DoubleConv(channels, 64, padded)
        for i in range(4):
            setattr(self, f"down{i + 1}", Down(64 << i, 128 << i, padded))
        for i in range(4):
            setattr(self, f"up{i + 1}", Up(1024 >> i, 512 >> i, padded))
        self.outc = OutConv(64, classes)

    def forward(self, x):
        maps = [self.inc(x)]
        for i in range(1, 5):
            maps.append(getattr(self, f"down{i}")(maps[-1]))
        x = maps.pop()
        for i in range(1, 5):
            x = getattr(self, f"up{i}")(x, maps.pop())
        return self.outc(x)


# Nets for raw waveforms.
class M5(nn.Module):
    """The paper's, padded, or that of PyTorch's tutorial on speech commands."""

    def __init__(self, widths, stride, padded, classes=10):
        super().__init__()
        self.stages = []
        for i, (fan_in, fan_out) in enumerate(zip([1, *widths], widths), 1):
            kernel, step = (80, stride) if i == 1 else (3, 1)
            conv = nn.Conv1d(fan_in, fan_out, kernel, step, padding=(kernel - step) // 2 if padded else 0)
            norm = nn.BatchNorm1d(fan_out)
            setattr(self, f"conv{i}", conv)
            setattr(self, f"bn{i}", norm)
            self.stages.append((conv, norm, nn.MaxPool1d(4, ceil_mode=padded)))
        self.fc1 = nn.Linear(widths[-1], classes)

    def forward(self, x):
        for i in range(1, 5):
            pool = self.stages[i - 1][2]
            x = pool(relu(getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(x))))
        return self.fc1(x.mean(2))


class GatedLayer(nn.Module):
    def __init__(self, channels, skip_channels, kernel, dilation, last):
        super().__init__()
        self.padding = (kernel - 1) * dilation
        self.filter = nn.Conv1d(channels, channels, kernel, dilation=dilation)
        self.gate = nn.Conv1d(channels, channels, kernel, dilation=dilation)
        self.skip = nn.Conv1d(channels, skip_channels, 1)
        if not last:
            self.residual = nn.Conv1d(channels, channels, 1)

    def forward(self, x):
        before = pad(x, [self.padding, 0])
        gated = torch.tanh(self.filter(before)) * torch.sigmoid(self.gate(before))
        return x + self.residual(gated) if hasattr(self, "residual") else x, self.skip(gated)


class WaveNet(nn.Module):
    def __init__(self, channels=32, skip_channels=64, kernel=2, layers=8, stacks=2, classes=10):
        super().__init__()
        self.kernel, self.count = kernel, layers * stacks
        self.input = nn.Conv1d(1, channels, kernel)
        for i in range(self.count):
            layer = GatedLayer(channels, skip_channels, kernel, 2 ** (i % layers), i == self.count - 1)
            setattr(self, f"layer{i}", layer)
        self.head = nn.Conv1d(skip_channels, skip_channels, 1)
        self.fc = nn.Linear(skip_channels, classes)

    def forward(self, x):
        x, total = self.input(pad(x, [self.kernel - 1, 0])), 0
        for i in range(self.count):
            x, skip = getattr(self, f"layer{i}")(x)
            total = total + skip
        return self.fc(relu(self.head(relu(total))).mean(2))


class UNet3d(nn.Module):
    """As unet, with channels that double before pooling (Cicek et al. 2016)."""

    def __init__(self, classes=10):
        super().__init__()
        self.inc = self.pair(1, 32, 64)
        for i in range(3):
            self.add_module(f"down{i + 1}", nn.Module())
            down = getattr(self, f"down{i + 1}")
            down.maxpool_conv = nn.Sequential(nn.MaxPool3d(2), self.pair(64 << i, 64 << i, 128 << i))
        for i in range(3):
            self.add_module(f"up{i + 1}", nn.Module())
            up, wide = getattr(self, f"up{i + 1}"), 512 >> i
            up.up = nn.ConvTranspose3d(wide, wide, 2, 2)
            up.conv = self.pair(wide + wide // 2, wide // 2, wide // 2)
        self.outc = nn.Module()
        self.outc.conv = nn.Conv3d(64, classes, 1)

    @staticmethod
    def pair(fan_in, between, fan_out):
        layers = []
        for a, b in (fan_in, between), (between, fan_out):
            layers += [nn.Conv3d(a, b, 3, padding=1, bias=False), nn.BatchNorm3d(b), nn.ReLU()]
        block = nn.Module()
        block.double_conv = nn.Sequential(*layers)
        block.forward = block.double_conv.forward
        return block

    def forward(self, x):
        maps = [self.inc(x)]
        for i in range(1, 4):
            maps.append(getattr(self, f"down{i}").maxpool_conv(maps[-1]))
        x = maps.pop()
        for i in range(1, 4):
            up = getattr(self, f"up{i}")
            x = up.conv(torch.cat([maps.pop(), up.up(x)], 1))
        return self.outc.conv(x)


class SeriesConvNorm(nn.Module):
    def __init__(self, fan_in, fan_out, kernel, bias=True):
        super().__init__()
        self.conv, self.bn = nn.Conv1d(fan_in, fan_out, kernel, padding="same", bias=bias), nn.BatchNorm1d(fan_out)

    def forward(self, x):
        return self.bn(self.conv(x))


class Fcn1d(nn.Module):
    """Wang et al. 2016, section II.B."""

    def __init__(self, channels=1, classes=10):
        super().__init__()
        self.block1, self.block2, self.block3 = SeriesConvNorm(channels, 128, 8), SeriesConvNorm(128, 256, 5), SeriesConvNorm(256, 128, 3)
        self.fc = nn.Linear(128, classes)

    def forward(self, x):
        for block in self.block1, self.block2, self.block3:
            x = relu(block(x))
        return self.fc(x.mean(2))


class SeriesShortcut(nn.Module):
    def __init__(self, fan_in, fan_out):
        super().__init__()
        if fan_in != fan_out:
            self.conv = nn.Conv1d(fan_in, fan_out, 1)
        self.bn = nn.BatchNorm1d(fan_out)

    def forward(self, x):
        return self.bn(self.conv(x) if hasattr(self, "conv") else x)


class SeriesBlock(nn.Module):
    def __init__(self, fan_in, fan_out):
        super().__init__()
        self.layer1, self.layer2, self.layer3 = (
            SeriesConvNorm(a, fan_out, k) for a, k in [(fan_in, 8), (fan_out, 5), (fan_out, 3)])
        self.shortcut = SeriesShortcut(fan_in, fan_out)

    def forward(self, x):
        return relu(self.layer3(relu(self.layer2(relu(self.layer1(x))))) + self.shortcut(x))


class ResNet1d(nn.Module):
    """Wang et al. 2016, section II.C."""

    def __init__(self, channels=1, classes=10):
        super().__init__()
        self.block1, self.block2, self.block3 = SeriesBlock(channels, 64), SeriesBlock(64, 128), SeriesBlock(128, 128)
        self.fc = nn.Linear(128, classes)

    def forward(self, x):
        return self.fc(self.block3(self.block2(self.block1(x))).mean(2))


class InceptionModule1d(nn.Module):
    def __init__(self, fan_in):
        super().__init__()
        narrow = fan_in
        if fan_in > 1:
            self.bottleneck, narrow = nn.Conv1d(fan_in, 32, 1, bias=False), 32
        self.conv1, self.conv2, self.conv3 = (nn.Conv1d(narrow, 32, k, padding="same", bias=False) for k in (40, 20, 10))
        self.pool, self.conv4, self.bn = nn.MaxPool1d(3, 1, 1), nn.Conv1d(fan_in, 32, 1, bias=False), nn.BatchNorm1d(128)

    def forward(self, x):
        narrow = self.bottleneck(x) if hasattr(self, "bottleneck") else x
        return self.bn(torch.cat([self.conv1(narrow), self.conv2(narrow), self.conv3(narrow), self.conv4(self.pool(x))], 1))


class InceptionTime(nn.Module):
    """Fawaz et al. 2019, section 3: six modules, a shortcut after every third."""

    def __init__(self, channels=1, classes=10):
        super().__init__()
        self.blocks = nn.ModuleList(InceptionModule1d(channels if i == 0 else 128) for i in range(6))
        self.shortcuts = nn.ModuleList(SeriesConvNorm(fan_in, 128, 1, bias=False) for fan_in in (channels, 128))
        self.fc = nn.Linear(128, classes)

    def forward(self, x):
        before = x
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i % 3 == 2:
                before = x = relu(x + self.shortcuts[i // 3](before))
            else:
                x = relu(x)
        return self.fc(x.mean(2))


def fcos_resnet18_fpn(classes):
    """torchvision's FCOS on ResNet-18."""
    body = _resnet_fpn_extractor(torchvision.models.resnet18(), 5, returned_layers=[2, 3, 4],
                                 extra_blocks=LastLevelP6P7(256, 256))
    return torchvision.models.detection.FCOS(body, classes)


NETS = {
    "fcos_resnet18_fpn": fcos_resnet18_fpn,
    "m5": lambda classes: M5([128, 128, 256, 512], 4, True, classes=classes),
    "m5_small": lambda classes: M5([32, 32, 64, 64], 16, False, classes=classes),
    "wavenet": lambda classes: WaveNet(classes=classes),
    "unet_3d": UNet3d,
    "unet": lambda classes: UNet(3, True, classes=classes),
    "unet_paper": lambda classes: UNet(1, False, classes=classes),
    "small_cnn": SmallCnn,
    "deeper_cnn": DeeperCnn,
    "keras_cnn": KerasCnn,
    "simple_cnn_224": SimpleCnn224,
    "simple_cnn_gap": SimpleCnnGap,
    "simple_cnn_deep": SimpleCnnDeep,
    "lenet_cnn": LenetCnn,
    "vgg_style_cnn": VggStyleCnn,
    "airbench94": Airbench94,
    "lenet5": Lenet5,
    "fcn_1d": Fcn1d,
    "resnet_1d": ResNet1d,
    "resnet_1d multivariate": lambda classes: ResNet1d(3, classes),
    "inception_time": InceptionTime,
    "inception_time multivariate": lambda classes: InceptionTime(3, classes),
    "resnet18_cifar": lambda classes: ResNetCifar([2, 2, 2, 2], classes=classes),
    "resnet34_cifar": lambda classes: ResNetCifar([3, 4, 6, 3], classes=classes),
    "resnet50_cifar": lambda classes: ResNetCifar([3, 4, 6, 3], bottleneck=True, classes=classes),
    "resnet101_cifar": lambda classes: ResNetCifar([3, 4, 23, 3], bottleneck=True, classes=classes),
    "resnet152_cifar": lambda classes: ResNetCifar([3, 8, 36, 3], bottleneck=True, classes=classes),
    "se_resnet18_cifar": lambda classes: ResNetCifar([2, 2, 2, 2], squeeze=True, classes=classes),
    "mini_resnet": lambda classes: torchvision.models.resnet18(num_classes=classes),
    "mobilenet_v1": MobileNetV1,
    "efficientnet_lite0": EfficientNetLite0,
}


def make(name, classes=10, aux=False):
    """The net as in PyTorch, without dropout."""
    if name in NETS:
        net = NETS[name](classes=classes)
    elif name in ("googlenet", "inception_v3"):
        net = torchvision.models.get_model(name, num_classes=classes, aux_logits=aux, init_weights=False)
    elif name.startswith(("fcos_", "retinanet_", "ssdlite320_")):
        net = torchvision.models.get_model(name, weights=None, weights_backbone=None, num_classes=classes)
    elif name.startswith(("fcn_", "deeplabv3_", "lraspp_")):
        heads = {} if name.startswith("lraspp_") else {"aux_loss": aux}
        net = torchvision.models.get_model(name, num_classes=classes, weights_backbone=None, **heads)
    else:
        net = torchvision.models.get_model(name, num_classes=classes)
    for module in net.modules():
        if isinstance(module, (nn.Dropout, torchvision.ops.StochasticDepth)):
            module.p = 0.0
    return net


def filled(name, classes=10, aux=False):
    """The same in float64, every parameter and buffer filled by golden.value."""
    net = make(name, classes, aux).double()
    net.load_state_dict({k: torch.from_numpy(golden.value(k, tuple(v.shape))) for k, v in net.state_dict().items()})
    return net


def as_is(net, side):
    """Images go into the net as they are."""
    transform = net.transform
    transform.image_mean, transform.image_std = [0.0] * 3, [1.0] * 3
    transform.min_size, transform.max_size = (min(side),), max(side)
    if transform.fixed_size is not None:
        transform.fixed_size = (side[1], side[0])


def images(name, count, side, channels=3, axes=2):
    return torch.from_numpy(golden.uniform(name, (count, channels, *[side] * axes)))
