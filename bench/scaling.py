#!/usr/bin/env python3
"""What happens to the time per image as the work grows: writes tables in Markdown.

    bench/scaling.py [--fovea build/release/fovea] [--output docs/results/scaling.md] [TABLE...]

TABLE: batch, size, depth, threads; by default all. Each cell is the median of the runs of one `fovea bench`, which is given
in the table's heading; the machine should do nothing else.
"""
import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path


class Bench:
    def __init__(self, args):
        self.fovea, self.peaks = args.fovea, {}

    def share(self, result):
        """Of the machine's peak: the best of a few measurements, since other machines may take a part of a virtual one's time."""
        key = result["threads"], result["isa"]
        if key not in self.peaks:
            threads, isa = key
            self.peaks[key] = max(self("infer", "lenet5", threads, isa, batch=1)["profile"]["peak"]["gflops"] for _ in range(5))
        return f"{result['gflops'] / self.peaks[key]:.0%}"

    def __call__(self, what, model, threads=2, isa=None, **flags):
        command = ["taskset", "-c", f"0-{threads - 1}", self.fovea, "bench", what, "--model", model, "--threads", str(threads),
                   "--profile", "--json"]
        for name, value in ({"warmup": 2, "samples": 7} | flags).items():
            command += ["--" + name, str(value)]
        environment = dict(os.environ) | ({"FOVEA_ISA": isa} if isa else {})
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
        result = json.loads(done.stdout)
        print(" ".join(command[4:]), f"{result['median_ms']:.1f} ms", file=sys.stderr)
        return result | {"isa": isa}


def per_image(result):
    return result["median_ms"] / result["batch"]


def table(columns, rows):
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows] + [""]


def by_batch(bench):
    lines = ["## Batch", "", "`fovea bench step|infer --model resnet18_cifar --batch N`, images of 32x32.", ""]
    rows = []
    for batch in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512):
        step, infer = (bench(what, "resnet18_cifar", batch=batch) for what in ("step", "infer"))
        rows.append([batch, f"{per_image(step):.2f}", bench.share(step), f"{step['peak_memory_bytes'] / 1e6:.0f}",
                     f"{per_image(infer):.2f}", bench.share(infer)])
    return lines + table(["batch", "step, ms per image", "of peak", "memory, MB", "inference, ms per image", "of peak"], rows)


def by_size(bench):
    lines = ["## Size", "", "`fovea bench step|infer --model resnet18 --input 3xNxN --batch 8`.", ""]
    rows = []
    for size in (32, 64, 96, 128, 192, 224, 256, 384, 512):
        step, infer = (bench(what, "resnet18", batch=8, input=f"3x{size}x{size}") for what in ("step", "infer"))
        pixels = size * size / 1e6
        rows.append([size, f"{per_image(step):.2f}", f"{per_image(step) / pixels:.0f}", bench.share(step), f"{per_image(infer):.2f}",
                     f"{per_image(infer) / pixels:.0f}", bench.share(infer)])
    return lines + table(["size", "step, ms per image", "ms per megapixel", "of peak", "inference, ms per image",
                          "ms per megapixel", "of peak"], rows)


def by_depth(bench):
    lines = ["## Depth", "", "`fovea bench step|infer --model resnetN --batch 8`, images of 224x224.", ""]
    rows = []
    for depth in (18, 34, 50, 101, 152):
        step, infer = (bench(what, f"resnet{depth}", batch=8) for what in ("step", "infer"))
        rows.append([depth, f"{per_image(step):.1f}", bench.share(step), f"{step['peak_memory_bytes'] / 1e6:.0f}",
                     f"{per_image(infer):.1f}", bench.share(infer)])
    return lines + table(["layers", "step, ms per image", "of peak", "memory, MB", "inference, ms per image", "of peak"], rows)


def by_threads(bench):
    lines = ["## Threads and instruction sets", "",
             "`FOVEA_ISA=... fovea bench step --model NET --batch N --threads 1|2`: ms, the speed of the second thread, of peak.", ""]
    rows = []
    for model, batch in (("resnet18_cifar", 64), ("resnet50", 8), ("mobilenet_v2", 16), ("convnext_tiny", 8)):
        for isa in ("avx512", "avx2") if "avx512vl" in Path("/proc/cpuinfo").read_text() else ("avx2",):
            one, two = (bench("step", model, threads=n, isa=isa, batch=batch) for n in (1, 2))
            rows.append([f"{model}, batch {batch}", isa, f"{one['median_ms']:.0f}", f"{two['median_ms']:.0f}",
                         f"{one['median_ms'] / two['median_ms']:.2f}x", bench.share(one), bench.share(two)])
    return lines + table(["net", "instructions", "1 thread, ms", "2 threads, ms", "gain", "of peak, 1", "of peak, 2"], rows)


TABLES = {"batch": by_batch, "size": by_size, "depth": by_depth, "threads": by_threads}


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("tables", nargs="*", default=list(TABLES))
    parser.add_argument("--fovea", default="build/release/fovea")
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    version = subprocess.run([args.fovea, "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    lines = ["# As the work grows", "", f"{cpu}, {platform.freedesktop_os_release()['PRETTY_NAME']}, {version}; `bench/scaling.py`.", ""]
    for name in args.tables:
        lines += TABLES[name](Bench(args))
    text = "\n".join(lines)
    if args.output:
        args.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
