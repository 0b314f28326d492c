#!/usr/bin/env python3
"""Trains Fovea's recipe `cifar10-speed` in PyTorch, to compare time and accuracy. Prints one JSON document.

    bench/peers/cifar10_speed.py DIR [--seed 1] [--epochs 9] [--threads 2]

DIR contains cifar-10-batches-bin. The net, the data's preparation, the optimisers and their rates, and the six test views are
those of the recipe; random numbers are PyTorch's own. Images stay in memory, prepared by a few tensor ops per batch.
"""
import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "golden"))

BATCH, SMOOTHING, PADDING = 2000, 0.2, 2
BIAS_LR, BIAS_DECAY = 106, 3.774e-5
HEAD_LR, HEAD_DECAY = 1340, 2.985e-6
MUON_LR, MUON_MOMENTUM, MUON_STEPS = 0.24, 0.6, 3
WHITEN_EPOCHS = 3


def cifar10(folder, names):
    rows = np.concatenate([np.fromfile(folder / "cifar-10-batches-bin" / name, np.uint8).reshape(-1, 3073) for name in names])
    return torch.from_numpy(rows[:, 1:].reshape(-1, 3, 32, 32).copy()), torch.from_numpy(rows[:, 0].astype(np.int64))


class Muon(torch.optim.Optimizer):
    """Momentum whose matrices are brought close to orthogonal ones by Newton and Schulz's iteration (Jordan 2024)."""

    def __init__(self, parameters, lr):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                b = self.state[p].setdefault("momentum", torch.zeros_like(p))
                b.lerp_(p.grad, 1 - MUON_MOMENTUM)
                g = p.grad.lerp(b, MUON_MOMENTUM).flatten(1)
                tall = g.shape[0] > g.shape[1]
                x = (g.T if tall else g) / g.norm().clamp_min(1e-7)
                for _ in range(MUON_STEPS):
                    gram = x @ x.T
                    x = 3.4445 * x + (-4.775 * gram + 2.0315 * gram @ gram) @ x
                p.mul_(len(p) ** 0.5 / p.norm().clamp_min(1e-7))
                p.sub_((x.T if tall else x).reshape(p.shape), alpha=group["lr"] * max(1, g.shape[0] / g.shape[1]) ** 0.5)


def make_net(images):
    """`images`: normalised, from which the first layer learns to whiten 2x2 patches."""
    import nets

    net = nets.NETS["airbench94"](classes=10)
    patches = images.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    filters = (vectors / (values + 5e-4).sqrt()).T.flip(0).reshape(12, 3, 2, 2)
    with torch.no_grad():
        net.whiten.weight.copy_(torch.cat([filters, -filters]))
        net.whiten.bias.zero_()
        net.head.weight.div_(net.head.weight.std())
    for name, p in net.named_parameters():
        if p.ndim == 4 and name != "whiten.weight":
            torch.nn.init.dirac_(p[:p.shape[1]])
    net.whiten.weight.requires_grad = False
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.requires_grad = False
    return net.to(memory_format=torch.channels_last)


def cropped(padded, size=32):
    """A random crop of each padded image."""
    n, span = len(padded), 2 * PADDING + 1
    out = torch.empty(n, 3, size, size)
    tops, lefts = torch.randint(span, (n,)), torch.randint(span, (n,))
    for top in range(span):
        for left in range(span):
            chosen = (tops == top) & (lefts == left)
            out[chosen] = padded[chosen, :, top:top + size, left:left + size]
    return out


def accuracy(net, images, labels):
    """With flipped and shifted views; the shifted ones together count as much as the others."""
    net.eval()
    right = 0
    with torch.no_grad():
        for x, y in zip(images.split(BATCH), labels.split(BATCH)):
            padded = F.pad(x, [1] * 4, "reflect")

            def both(view):
                view = view.contiguous(memory_format=torch.channels_last)
                return net(view) + net(view.flip(3))

            shifted = both(padded[:, :, :32, :32]) + both(padded[:, :, 2:, 2:])
            right += ((both(x) + shifted / 2).argmax(1) == y).sum().item()
    return right / len(labels)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)

    images, labels = cifar10(args.folder, [f"data_batch_{i}.bin" for i in range(1, 6)])
    test, test_labels = cifar10(args.folder, ["test_batch.bin"])
    images, test = images.float() / 255, test.float() / 255
    std, mean = torch.std_mean(images, (0, 2, 3), keepdim=True)
    images, test = (images - mean) / std, (test - mean) / std

    start = time.perf_counter()
    net = make_net(images[:5000])
    filters = [p for p in net.parameters() if p.ndim == 4 and p.requires_grad]
    biases = [p for p in net.parameters() if p.ndim == 1 and p.requires_grad and p is not net.whiten.bias]
    sgd = torch.optim.SGD([{"params": [net.whiten.bias], "lr": BIAS_LR, "weight_decay": BIAS_DECAY},
                           {"params": biases, "lr": BIAS_LR, "weight_decay": BIAS_DECAY},
                           {"params": [net.head.weight], "lr": HEAD_LR, "weight_decay": HEAD_DECAY}],
                          momentum=0.85, nesterov=True)
    optimizers = [sgd, Muon(filters, MUON_LR)]
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    steps = len(images) // BATCH
    spans = [WHITEN_EPOCHS * steps] + [args.epochs * steps] * (len(groups) - 1)
    rates = [group["lr"] for group in groups]
    flipped = torch.rand(len(images)) < 0.5
    padded = F.pad(images, [PADDING] * 4, "reflect")
    losses = []
    for epoch in range(args.epochs):
        net.train()
        net.whiten.bias.requires_grad = epoch < WHITEN_EPOCHS
        order = torch.randperm(len(images))
        for step in range(steps):
            chosen = order[step * BATCH:(step + 1) * BATCH]
            x = cropped(padded[chosen])
            mirrored = (flipped[chosen] ^ (epoch % 2 == 1)).nonzero()[:, 0]
            x[mirrored] = x[mirrored].flip(3)
            for group, rate, span in zip(groups, rates, spans):
                group["lr"] = rate * max(0, 1 - (epoch * steps + step) / span)
            loss = F.cross_entropy(net(x.contiguous(memory_format=torch.channels_last)), labels[chosen],
                                   label_smoothing=SMOOTHING)
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}/{args.epochs}: loss {np.mean(losses[-steps:]):.4f}, {time.perf_counter() - start:.0f} s",
              file=sys.stderr)
    seconds = time.perf_counter() - start
    print(json.dumps({"torch": torch.__version__, "threads": args.threads, "seed": args.seed, "epochs": args.epochs,
                      "seconds": seconds, "test_accuracy": accuracy(net, test, test_labels)}))


if __name__ == "__main__":
    main()
