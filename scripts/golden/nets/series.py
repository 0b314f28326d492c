"""Nets for raw waveforms and for series."""
import torch
from torch import nn
from torch.nn.functional import pad, relu


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
