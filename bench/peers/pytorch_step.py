#!/usr/bin/env python3
"""Times one training step of resnet18_cifar in PyTorch, eager mode, on the CPU, for comparison with `fovea bench step`.

The same work as Fovea's step: u8 images normalised, forward in train mode, mean cross-entropy, backward, SGD with momentum
0.9 and weight decay 5e-4. Prints one JSON document. Needs PyTorch (`pip install torch`, no torchvision).

Usage: pytorch_step.py [--batch 64] [--threads 2] [--format nchw|nhwc] [--warmup 10] [--samples 30]
"""
import argparse
import json
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
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


def resnet18_cifar(classes=10):
    layers = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
    before = 64
    for stage, channels in enumerate([64, 128, 256, 512]):
        for block in range(2):
            layers.append(Block(before, channels, 2 if stage > 0 and block == 0 else 1))
            before = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--format", choices=["nchw", "nhwc"], default="nhwc")
    parser.add_argument("--warmup", type=int, default=10)
    parser.add_argument("--samples", type=int, default=30)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.set_num_interop_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(1)
    memory_format = torch.channels_last if args.format == "nhwc" else torch.contiguous_format

    model = resnet18_cifar().to(memory_format=memory_format).train()
    assert sum(p.numel() for p in model.parameters()) == 11173962
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    images = torch.randint(0, 256, (args.batch, 32, 32, 3), dtype=torch.uint8)
    labels = torch.randint(0, 10, (args.batch,))
    mean, std = torch.full((3, 1, 1), 0.5), torch.full((3, 1, 1), 0.25)

    def step():
        x = images.permute(0, 3, 1, 2).float().div_(255).sub_(mean).div_(std)
        loss = F.cross_entropy(model(x.contiguous(memory_format=memory_format)), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    seconds = []
    for i in range(args.warmup + args.samples):
        start = time.perf_counter()
        step()
        if i >= args.warmup:
            seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds)
    print(json.dumps({"torch": torch.__version__, "format": args.format, "threads": args.threads, "batch": args.batch,
                      "median_ms": median * 1e3, "best_ms": min(seconds) * 1e3, "images_per_second": args.batch / median}))


if __name__ == "__main__":
    main()
