"""Small nets for pictures, without blocks."""
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, relu


def conv_norm(fan_in, fan_out, stride=1, bias=False):
    """Convolution, norm, relu, as part of a longer Sequential."""
    return [nn.Conv2d(fan_in, fan_out, 3, stride, 1, bias=bias), nn.BatchNorm2d(fan_out), nn.ReLU()]


def norm_block(fan_in, fan_out, stride=1, bias=False):
    return nn.Sequential(*conv_norm(fan_in, fan_out, stride, bias))


class SmallCnn(nn.Module):
    def __init__(self, side=32, classes=10, channels=3):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, 32, 3, padding=1), nn.BatchNorm2d(32)
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
