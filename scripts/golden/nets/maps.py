"""Nets that predict at places: U-Nets, and a detector."""
import torch
import torchvision
from torch import nn
from torch.nn.functional import pad
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.ops.feature_pyramid_network import LastLevelP6P7


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


def fcos_resnet18_fpn(classes):
    """torchvision's FCOS on ResNet-18."""
    body = _resnet_fpn_extractor(torchvision.models.resnet18(), 5, returned_layers=[2, 3, 4],
                                 extra_blocks=LastLevelP6P7(256, 256))
    return torchvision.models.detection.FCOS(body, classes)
