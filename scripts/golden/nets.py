"""The registry's models in PyTorch, with the registry's names, and their values by golden.value."""
import torch
from torch import nn
from torch.nn.functional import relu

import golden


def norm_block(fan_in, fan_out, stride=1, bias=False):
    return nn.Sequential(nn.Conv2d(fan_in, fan_out, 3, stride, 1, bias=bias), nn.BatchNorm2d(fan_out), nn.ReLU())


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


class Residual(nn.Module):
    """Convolutions of these (channels, kernel, stride), a norm behind each, and the skip."""

    def __init__(self, fan_in, plan):
        super().__init__()
        self.depth, channels, total = len(plan), fan_in, 1
        for i, (width, kernel, stride) in enumerate(plan, 1):
            setattr(self, f"conv{i}", nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False))
            setattr(self, f"bn{i}", nn.BatchNorm2d(width))
            channels, total = width, total * stride
        self.downsample = nn.Sequential()
        if channels != fan_in or total != 1:
            self.downsample = nn.Sequential(nn.Conv2d(fan_in, channels, 1, total, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        y = x
        for i in range(1, self.depth + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = relu(y if i < self.depth else y + self.downsample(x))
        return y


class ResNetCifar(nn.Module):
    def __init__(self, depths, bottleneck=False, classes=10):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64)
        channels = 64
        for i, depth in enumerate(depths):
            width, blocks = 64 << i, []
            for k in range(depth):
                stride = 2 if i and not k else 1
                plan = [(width, 1, 1), (width, 3, stride), (4 * width, 1, 1)] if bottleneck else [(width, 3, stride), (width, 3, 1)]
                blocks.append(Residual(channels, plan))
                channels = plan[-1][0]
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        x = relu(self.bn1(self.conv1(x)))
        for i in range(1, 5):
            x = getattr(self, f"layer{i}")(x)
        return self.fc(x.mean((2, 3)))


# A maker and the side of its images.
NETS = {
    "small_cnn": (SmallCnn, 32),
    "deeper_cnn": (DeeperCnn, 32),
    "lenet_cnn": (LenetCnn, 32),
    "vgg_style_cnn": (VggStyleCnn, 32),
    "resnet18_cifar": (lambda: ResNetCifar([2, 2, 2, 2]), 32),
    "resnet34_cifar": (lambda: ResNetCifar([3, 4, 6, 3]), 32),
    "resnet50_cifar": (lambda: ResNetCifar([3, 4, 6, 3], bottleneck=True), 32),
    "simple_cnn_224": (SimpleCnn224, 64),
}


def make(name):
    """The net in float64, every parameter and buffer filled by golden.value."""
    net = NETS[name][0]().double()
    net.load_state_dict({k: torch.from_numpy(golden.value(k, tuple(v.shape))) for k, v in net.state_dict().items()})
    return net


def images(name, count, side):
    return torch.from_numpy(golden.uniform(name, (count, 3, side, side)))
