#!/usr/bin/env python3
"""Fovea against PyTorch, ONNX Runtime, OpenVINO and ncnn on the same work: writes a table in Markdown.

    bench/peers/compare.py [--fovea build/release/fovea] [--rounds 3] [--output docs/results/performance.md] [ROW...]

Each round runs every program once, in a process of its own, on the same cores; a cell is the median of the rounds, with
the smallest and largest. All programs have the same weights and the same batch. For inference their results are compared
first: a difference of more than 1e-3 of the largest output (they use Winograd, too) ends the comparison; for steps the first
losses are, to 1e-3, 0.02 in bf16, or 0.1 for nets with dropout, which each program draws for itself; for epochs the mean losses
of the last one are, to 0.1, since orders differ. Peers that are not installed are left out, and the table says so:

    pip install torch torchvision onnxruntime openvino ncnn pnnx onnx onnxscript

ROW: step:NET:BATCH, infer:NET:BATCH or epoch:NET:BATCH (of Fashion-MNIST, with loading); with :avx2 or :avx512 at its end the
CPU is limited to that instruction set (only PyTorch can be limited likewise), with :bf16 training has values of 16 bits
(PyTorch's autocast). By default all of DEFAULT_ROWS.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import numpy as np

import epoch

HERE = Path(__file__).resolve().parent
DEFAULT_ROWS = ["step:resnet18_cifar:128", "step:resnet50:16", "step:mobilenet_v2:16",
                "step:efficientnet_b0:16", "step:convnext_tiny:16"] + [
    f"infer:{net}:{batch}" for batch in (1, 32)
    for net in ("resnet18", "resnet50", "mobilenet_v2", "efficientnet_b0", "convnext_tiny")] + [
    "step:unet:8", "step:deeplabv3_mobilenet_v3_large:8", "step:fcos_resnet18_fpn:8", "step:m5:16",
    "step:inception_time:64", "step:r3d_18:2", "step:resnet18_cifar:64:avx2", "infer:resnet50:1:avx2",
    "infer:resnet50:32:avx2", "step:resnet18_cifar:128:bf16", "epoch:small_cnn:128"]
STEP_PEERS = ["torch-nhwc", "torch-nchw", "torch-compile"]
INFER_PEERS = ["torch-nhwc", "onnxruntime", "openvino", "ncnn"]
TASKS = {"step": "training step", "infer": "inference", "epoch": "epoch of training, all images"}
ISAS = {"avx2": "AVX2", "avx512": "AVX512_CORE"}  # with oneDNN's names
PRECISIONS = ["bf16"]  # values in memory; PyTorch's autocast


class Row:
    def __init__(self, text):
        parts = text.split(":")
        self.text, self.task, self.net, self.batch = text, parts[0], parts[1], int(parts[2])
        self.peers = list(INFER_PEERS if self.task == "infer" else STEP_PEERS)
        if self.batch != 1 and "ncnn" in self.peers:
            self.peers.remove("ncnn")  # it has no batches
        self.warmup, self.samples = (20, 100) if self.task == "infer" and self.batch == 1 else (5, 15)
        variant = parts[3] if len(parts) > 3 else None
        self.precision = variant if variant in PRECISIONS else None
        self.isa, self.environment = variant if variant in ISAS else None, dict(os.environ)
        if variant and not self.precision and not self.isa:
            sys.exit(f"{text}: {variant} is none of {', '.join([*ISAS, *PRECISIONS])}")
        if self.isa:
            self.peers = [peer for peer in self.peers if peer.startswith("torch")]
            onednn = ISAS[self.isa]
            self.environment |= {"FOVEA_ISA": self.isa, "ATEN_CPU_CAPABILITY": self.isa, "ONEDNN_MAX_CPU_ISA": onednn,
                                 "MKL_ENABLE_INSTRUCTIONS": self.isa.upper()}


    def title(self):
        title = f"{self.net}, {TASKS[self.task]}, batch {self.batch}"
        return f"{title}, {self.isa.upper()} only" if self.isa else f"{title}, {self.precision}" if self.precision else title


def last_json(text):
    return json.loads(text[text.index("{"):] if text.lstrip().startswith("{\n") else text.strip().splitlines()[-1])


def run(command, row):
    done = subprocess.run(command, capture_output=True, text=True, env=row.environment)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "failed")
    return done.stdout


class Files:
    """The weights and the batch that every program is given."""

    def __init__(self, row, folder):
        import torch
        from work import batch_of, net_of, random_is_used

        self.weights, self.inputs, self.targets = folder / "net.pth", folder / "x.npy", folder / "y.npy"
        net = net_of(row.net)
        torch.save(net.state_dict(), self.weights)
        self.tolerance = 0.1 if row.task == "epoch" or random_is_used(net) else 0.02 if row.precision else 1e-3
        if row.task == "step":
            inputs, targets = batch_of(row.net, net, row.batch)
            np.save(self.inputs, inputs)
            np.save(self.targets, targets)

    def flags(self, row):
        flags = ["--weights", str(self.weights)]
        return flags + ["--inputs", str(self.inputs), "--targets", str(self.targets)] if row.task == "step" else flags


def fovea_command(args, row, files):
    from work import input_of, task_of

    command = args.pin + [args.fovea, "bench", row.task, "--model", row.net, "--input",
                          "x".join(map(str, input_of(row.net))), "--batch", str(row.batch), "--threads", str(args.threads),
                          "--warmup", str(row.warmup), "--samples", str(row.samples), "--profile", "--json"] + files.flags(row)
    command += ["--precision", row.precision] if row.precision else []
    return command + ["--task", task_of(row.net)] if row.task == "step" else command


def peer_command(args, row, files, engine):
    return args.pin + [sys.executable, str(HERE / "peer.py"), engine, "--net", row.net, "--batch", str(row.batch),
                       "--task", row.task, "--threads", str(args.threads),
                       "--warmup", str(row.warmup), "--samples", str(row.samples),
                       "--precision", row.precision or "f32"] + files.flags(row)


def check_results(args, row, files, folder):
    """One input through every program; returns the peers that work and gave the same output."""
    from peer import fixed_input
    from work import input_of

    given, output = folder / "given.npy", folder / "ours.npy"
    np.save(given, fixed_input(row.batch, input_of(row.net)[1]))
    run([args.fovea, "predict", "--model", row.net, "--weights", str(files.weights), "--input", str(given), "--output",
         str(output), "--quiet"], row)
    ours, works = np.load(output), []
    for engine in row.peers:
        theirs = folder / f"{engine}.npy"
        try:
            run(peer_command(args, row, files, engine) + ["--output", str(theirs), "--warmup", "0", "--samples", "1"], row)
        except RuntimeError as error:
            print(f"{row.text}: {engine} is left out: {error}", file=sys.stderr)
            continue
        difference = np.abs(np.load(theirs) - ours).max() / np.abs(ours).max()
        if not difference < 1e-3:
            sys.exit(f"{row.text}: {engine} differs from Fovea by {difference:.2g} of the largest output")
        works.append(engine)
    return works


def check_losses(row, files, results):
    ours = results["fovea"][0]["loss"]
    for engine, runs in results.items():
        difference = abs(runs[0]["loss"] - ours) / abs(ours)
        if not difference < files.tolerance:
            sys.exit(f"{row.text}: the loss of {engine} is {runs[0]['loss']:.6f}, Fovea's is {ours:.6f}")


def measured(args, row, files, engine):
    """One run."""
    if engine != "fovea":
        return last_json(run(peer_command(args, row, files, engine), row))
    if row.task == "epoch":
        return epoch.with_fovea(args, row, files.weights)
    return last_json(run(fovea_command(args, row, files), row))


def measure(args, row):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = Files(row, folder)
        peers = check_results(args, row, files, folder) if row.task == "infer" else list(row.peers)
        results = {engine: [] for engine in ["fovea"] + peers}
        for number in range(args.rounds):
            for engine in list(results):
                try:
                    results[engine].append(measured(args, row, files, engine))
                except RuntimeError as error:
                    print(f"{row.text}: {engine} is left out: {error}", file=sys.stderr)
                    del results[engine]
                    continue
                print(f"{row.text} round {number + 1} {engine}: {results[engine][-1]['median_ms']:.2f} ms",
                      file=sys.stderr)
        if row.task != "infer" and "fovea" in results:
            check_losses(row, files, results)
    return results


def cell(runs):
    times = sorted(one["median_ms"] for one in runs)
    return f"{statistics.median(times):.1f} ({times[0]:.1f} to {times[-1]:.1f})"


def table_row(row, results):
    ours = statistics.median(one["median_ms"] for one in results["fovea"])
    peers = {engine: statistics.median(one["median_ms"] for one in runs) for engine, runs in results.items()
             if engine != "fovea"}
    best = min(peers, key=peers.get)
    memory = max(one["peak_memory_bytes"] for one in results["fovea"]) / max(
        one["peak_memory_bytes"] for one in results[best])
    shares = [one["gflops"] / one["profile"]["peak"]["gflops"] for one in results["fovea"] if "profile" in one]
    share = f"{statistics.median(shares):.0%}" if shares else "-"
    others = "; ".join(f"{engine} {cell(runs)}" for engine, runs in results.items() if engine not in ("fovea", best))
    return (f"| {row.title()} | {cell(results['fovea'])} | {share} | {best} {cell(results[best])} | "
            f"**{peers[best] / ours:.2f}x** | {memory:.2f} | {others} |")


def rows_of(path, header):
    """The rows of a table that was made with this header, by their titles: those measured anew take their places."""
    if not path or not path.exists():
        return {}
    if not path.read_text().startswith(header):
        sys.exit(f"{path}: made on another machine or with other versions; its rows would be lost: move it away first")
    rows = (line for line in path.read_text()[len(header):].splitlines() if line.startswith("| "))
    return {row.split(" | ")[0][2:]: row for row in rows}


def versions():
    for package in ("torch", "onnxruntime", "openvino", "ncnn"):
        try:
            yield f"{package} {metadata.version(package)}"
        except metadata.PackageNotFoundError:
            yield f"{package} not installed"


def header_of(args):
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    return "\n".join([
        "# Speed beside other programs", "",
        f"{cpu}, {args.threads} threads, {platform.freedesktop_os_release()['PRETTY_NAME']}; {', '.join(versions())}.", "",
        "ms, medians of two or more interleaved rounds (smallest to largest); each run is the median of 15 steps, 100 at batch 1,",
        "in a process of its own.",
        "`of peak`: Fovea's floating-point operations per second against what the machine reached on registers in the same run;",
        "Winograd's count as those of a direct convolution, and products by AMX's tiles as those of f32. `memory`: Fovea's peak",
        "over the best peer's, whole processes.",
        f"`bench/peers/compare.py --output {args.output or 'docs/results/performance.md'} ROW...` adds these rows or measures them anew;",
        "without ROW, it measures all of its default rows, of which this table may have some.", "",
        "| work | Fovea | of peak | best peer | speed | memory | others |", "|---|---|---|---|---|---|---|", ""])


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("rows", nargs="*", default=DEFAULT_ROWS)
    parser.add_argument("--fovea", default="build/release/fovea")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    if args.rounds < 2:
        parser.error("--rounds: a median needs at least 2")
    args.pin = ["taskset", "-c", f"0-{args.threads - 1}"]
    header = header_of(args)
    order = [Row(text).title() for text in DEFAULT_ROWS]
    lines = rows_of(args.output, header)
    text = header
    for name in args.rows:
        row = Row(name)
        results = measure(args, row)
        if "fovea" not in results or len(results) == 1:
            continue
        lines[row.title()] = table_row(row, results)
        ordered = sorted(lines, key=lambda title: order.index(title) if title in order else len(order))
        text = header + "".join(lines[title] + "\n" for title in ordered)
        if args.output:  # after each row, so that an interruption loses one
            args.output.parent.mkdir(parents=True, exist_ok=True)
            args.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
