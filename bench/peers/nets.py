"""The nets of the comparison, in PyTorch: torchvision's, and resnet18_cifar."""
import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    """The basic block of He et al. 2015."""

    def __init__(self, channels_in, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or channels_in != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        skip = x if self.downsample is None else self.downsample(x)
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        y += skip
        return F.relu(y, inplace=True)


class ResNet18Cifar(nn.Module):
    """ResNet-18 with a 3x3 stem of stride 1 and without its pool; torchvision's names."""

    def __init__(self, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        before = 64
        for stage, channels in enumerate([64, 128, 256, 512]):
            blocks = []
            for block in range(2):
                blocks.append(Block(before, channels, 2 if stage > 0 and block == 0 else 1))
                before = channels
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(512, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


def make(name):
    """The net with seeded random weights, and the size of its images."""
    torch.manual_seed(1)
    if name == "resnet18_cifar":
        return ResNet18Cifar(), 32
    import torchvision

    return getattr(torchvision.models, name)(weights=None), 224
