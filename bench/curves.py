#!/usr/bin/env python3
"""Whether Winograd's algorithm and 16-bit values change how a net learns: writes a table in Markdown.

    bench/curves.py DIR [--fovea build/release/fovea] [--runs runs/curves] [--output docs/results/winograd.md]

DIR contains cifar-10-batches-bin. Each variant of VARIANTS trains resnet18_cifar on the same 5,000 images for 8 epochs with
seeds 1, 2 and 3. Runs that are complete are read, those that were interrupted go on.
"""
import argparse
import json
import platform
import statistics
import subprocess
import sys
from pathlib import Path

VARIANTS = {"Winograd": [], "direct": ["--no-winograd"], "bf16, Winograd": ["--precision", "bf16"],
            "bf16, direct": ["--precision", "bf16", "--no-winograd"]}
SEEDS = (1, 2, 3)
TRAINING = ["--model", "resnet18_cifar", "--limit", "5000", "--epochs", "8", "--batch", "128", "--optimizer", "sgd:0.9", "--lr",
            "0.1", "--augment", "crop:4,flip"]


def run(args, name, flags, seed):
    folder = args.runs / f"{name.replace(', ', '-')}-{seed}"
    record = folder / "record.json"
    complete = record.exists() and json.loads(record.read_text())["status"] == "complete"
    if not complete:
        command = ["--resume", str(folder)] if record.exists() else [
            "--data", f"cifar10:{args.folder}", *TRAINING, *flags, "--seed", str(seed), "--out", str(folder)]
        print(f"{name}, seed {seed}", file=sys.stderr)
        subprocess.run([args.fovea, "train", "--quiet", *command], check=True, stdout=subprocess.DEVNULL)
    epochs = json.loads((folder / "history.json").read_text())["epochs"]
    return epochs, json.loads(record.read_text())["test"]["accuracy"]


def cell(values):
    return f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fovea", default="build/release/fovea")
    parser.add_argument("--runs", type=Path, default="runs/curves")
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    results = {name: [] for name in VARIANTS}
    for seed in SEEDS:  # so that an interruption leaves as many of each
        for name, flags in VARIANTS.items():
            results[name].append(run(args, name, flags, seed))
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    lines = ["# Learning with and without Winograd's algorithm, in f32 and bf16", "",
             f"`fovea train --data cifar10:DIR {' '.join(TRAINING)} --seed N`, with `--no-winograd` and `--precision bf16` as the heads of",
             f"the columns say ({cpu}, {platform.freedesktop_os_release()['PRETTY_NAME']}; `bench/curves.py` makes these tables).",
             f"Means of seeds {', '.join(map(str, SEEDS))}, in brackets the smallest and the largest.", ""]
    for title, values in (("training loss", lambda epochs: [e["train_loss"] for e in epochs]),
                          ("validation accuracy", lambda epochs: [e["val_accuracy"] for e in epochs]),
                          ("seconds", lambda epochs: [e["seconds"] for e in epochs])):
        lines += [f"| epoch: {title} | " + " | ".join(VARIANTS) + " |", "|---" * (len(VARIANTS) + 1) + "|"]
        curves = {name: [values(epochs) for epochs, _ in runs] for name, runs in results.items()}
        for epoch in range(len(next(iter(curves.values()))[0])):
            lines.append(f"| {epoch + 1} | " + " | ".join(cell([curve[epoch] for curve in curves[name]]) for name in VARIANTS) + " |")
        lines.append("")
    lines += ["| | " + " | ".join(VARIANTS) + " |", "|---" * (len(VARIANTS) + 1) + "|",
              "| test accuracy | " + " | ".join(cell([test for _, test in results[name]]) for name in VARIANTS) + " |"]
    text = "\n".join(lines) + "\n"
    if args.output:
        args.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
