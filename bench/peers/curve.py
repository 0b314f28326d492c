#!/usr/bin/env python3
"""The learning curves of a net with Fovea and with PyTorch from the same weights and the same recorded batches.

    bench/peers/curve.py DIR [--build build/release] [--net resnet18_cifar] [--steps 200] [--lr 0.1] [--output docs/results/curve.md]

DIR contains cifar-10-batches-bin. The batches, random crops and flips included, and the rates of a cosine schedule are
recorded once; each program trains on them. PyTorch runs twice, in both of its memory formats: what these two differ by is
rounding, which training at a large rate amplifies, and the measure of what Fovea may differ by. With --output FILE.md the
curves are drawn in FILE.svg.
"""
import argparse
import math
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from cifar10_speed import cifar10

HERE = Path(__file__).resolve().parent
BATCH, MOMENTUM, WEIGHT_DECAY, ALL_STEPS = 128, 0.9, 5e-4, 20 * 391


def record(folder, steps, lr):
    """Normalised batches with crops of 4 and flips, their labels, and the rate of each step."""
    images, labels = cifar10(folder, [f"data_batch_{i}.bin" for i in range(1, 6)])
    images = images.float() / 255
    std, mean = torch.std_mean(images, (0, 2, 3), keepdim=True)
    draw = np.random.default_rng(1)
    order = np.concatenate([draw.permutation(len(images)) for _ in range(-(-steps * BATCH // len(images)))])[:steps * BATCH]
    inputs = torch.empty(len(order), 3, 32, 32)
    for i, index in enumerate(order):
        top, left = draw.integers(9, size=2)
        image = F.pad((images[index] - mean[0]) / std[0], [4] * 4)[:, top:top + 32, left:left + 32]
        inputs[i] = image.flip(2) if draw.random() < 0.5 else image
    rates = [lr * (1 + math.cos(math.pi * step / ALL_STEPS)) / 2 for step in range(steps)]
    return inputs, labels[order], np.array(rates)


def with_torch(net, memory_format, inputs, targets, rates):
    net = net.to(memory_format=memory_format).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=rates[0], momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    losses = []
    for x, y, rate in zip(inputs.split(BATCH), targets.split(BATCH), rates):
        optimizer.param_groups[0]["lr"] = rate
        loss = F.cross_entropy(net(x.contiguous(memory_format=memory_format)), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses)


def with_fovea(args, work):
    build = work / "build"
    for command in (["cmake", "--install", args.build, "--prefix", work / "prefix"],
                    ["cmake", "-S", HERE / "recorded_steps", "-B", build, "-DCMAKE_BUILD_TYPE=Release",
                     f"-DCMAKE_PREFIX_PATH={work / 'prefix'}"],
                    ["cmake", "--build", build]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run([build / "recorded_steps", args.net, work / "net.pth", work / "x.npy", work / "y.npy", str(BATCH),
                           work / "rates.npy", str(MOMENTUM), str(WEIGHT_DECAY)], check=True, capture_output=True, text=True)
    return np.array([float(line) for line in done.stdout.split()])


def drawn(curves):
    """The curves as an SVG: each program's loss of each step."""
    width, height, left, bottom = 760, 360, 48, 40
    steps, highest = len(next(iter(curves.values()))), max(curve.max() for curve in curves.values())
    lowest = min(curve.min() for curve in curves.values())

    def x(step):
        return left + (width - left - 10) * step / max(1, steps - 1)

    def y(loss):
        return 10 + (height - bottom - 10) * (highest - loss) / (highest - lowest)

    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
             f'<rect width="{width}" height="{height}" fill="white"/>']
    for loss in np.linspace(lowest, highest, 5):
        lines.append(f'<path d="M{left} {y(loss):.1f}H{width - 10}" stroke="#ddd"/>'
                     f'<text x="{left - 6}" y="{y(loss) + 4:.1f}" text-anchor="end">{loss:.2f}</text>')
    for step in np.linspace(1, steps, 5).round():
        lines.append(f'<text x="{x(step - 1):.1f}" y="{height - bottom + 16}" text-anchor="middle">{step:.0f}</text>')
    lines.append(f'<text x="{(left + width) / 2}" y="{height - 6}" text-anchor="middle">training step</text>')
    # PyTorch's first and wide, so that what lies on it does not hide it.
    for i, (title, colour, stroke) in enumerate(zip(list(curves)[1:] + list(curves)[:1], ("#f2b38a", "#8fb8de", "#222"), (5, 3, 1))):
        points = " ".join(f"{x(step):.1f},{y(loss):.1f}" for step, loss in enumerate(curves[title]))
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{stroke}"/>'
                     f'<path d="M{width - 210} {24 + 18 * i}h24" stroke="{colour}" stroke-width="{stroke}"/>'
                     f'<text x="{width - 180}" y="{28 + 18 * i}">{title}</text>')
    return "\n".join(lines) + "\n</svg>\n"


def main():
    from work import net_of

    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--net", default="resnet18_cifar")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--lr", type=float, default=0.1, help="at the first step; smaller ones amplify rounding less")
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    torch.set_flush_denormal(True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        inputs, targets, rates = record(args.folder, args.steps, args.lr)
        np.save(work / "x.npy", inputs.numpy())
        np.save(work / "y.npy", targets.numpy())
        np.save(work / "rates.npy", rates)
        torch.save(net_of(args.net).state_dict(), work / "net.pth")
        curves = {"Fovea": with_fovea(args, work)}
        for title, form in ("PyTorch", torch.contiguous_format), ("PyTorch, channels-last", torch.channels_last):
            print(f"{list(curves)[-1]} is done", file=sys.stderr)
            net = net_of(args.net)
            net.load_state_dict(torch.load(work / "net.pth", weights_only=True))
            curves[title] = with_torch(net, form, inputs, targets, rates)
    reference = curves["PyTorch"]
    lines = [f"# Learning curves of {args.net}", "",
             f"The loss of {args.steps} training steps of {BATCH} images of CIFAR-10 from the same weights, on the same recorded batches",
             f"at a learning rate of {args.lr:g}",
             f"(PyTorch {torch.__version__}, {platform.freedesktop_os_release()['PRETTY_NAME']}; `bench/peers/curve.py` makes this table).",
             "Means over the steps; the last columns: the largest difference from PyTorch's loss at one step.", "",
             "| steps | " + " | ".join(curves) + " | Fovea differs by | channels-last differs by |", "|---|---|---|---|---|---|"]
    width = max(1, args.steps // 10)
    for first in range(0, args.steps, width):
        part = slice(first, min(first + width, args.steps))
        worst = [np.abs(curve - reference)[part].max() for title, curve in curves.items() if title != "PyTorch"]
        lines.append(f"| {part.start + 1} to {part.stop} | " + " | ".join(f"{curve[part].mean():.4f}" for curve in curves.values())
                     + " | " + " | ".join(f"{w:.2g}" for w in worst) + " |")
    if args.output:
        lines += ["", f"![Curves]({args.output.stem}.svg)"]
        args.output.with_suffix(".svg").write_text(drawn(curves))
    text = "\n".join(lines) + "\n"
    if args.output:
        args.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
