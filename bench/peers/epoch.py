"""Whole epochs of training on Fashion-MNIST, with loading, in Fovea and in PyTorch.

PyTorch is fed from memory by hand, which is faster than its DataLoader: all images lie prepared in one tensor, from which each
batch takes a random part. Neither side augments images; both learn by SGD with momentum 0.9 at a constant rate.
"""
import gzip
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

DATA = Path("/usr/share/datasets/fashion-mnist")  # Debian's package dataset-fashion-mnist
EPOCHS, RATE, MOMENTUM = 3, 0.05, 0.9  # the first epoch is not measured


def result(seconds, loss):
    """As `fovea bench --json` has them; the loss is the mean of the last epoch's steps."""
    return {"median_ms": statistics.median(seconds[1:]) * 1e3, "loss": loss}


def with_fovea(args, row, weights):
    run = Path(tempfile.mkdtemp(dir=weights.parent)) / "run"
    command = args.pin + [args.fovea, "train", "--data", f"fashion-mnist:{DATA}", "--model", row.net, "--weights", str(weights),
                          "--batch", str(row.batch), "--epochs", str(EPOCHS), "--optimizer", f"sgd:{MOMENTUM}", "--lr", str(RATE),
                          "--schedule", "constant", "--warmup", "0", "--weight-decay", "0", "--augment", "none", "--dropout", "0", "--val", "0",
                          "--drop-last", "--threads", str(args.threads), "--out", str(run), "--quiet"]
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors,
                                   env=row.environment | {"FOVEA_RUNS": str(run.with_name("runs.sqlite"))})
        _, status, usage = os.wait4(process.pid, 0)  # unlike communicate(), it knows this process's own peak of memory
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        if process.returncode != 0:
            raise RuntimeError(errors.read().strip())
    epochs = json.loads((run / "history.json").read_text())["epochs"]
    memory = {"peak_memory_bytes": usage.ru_maxrss * 1024}
    return result([epoch["seconds"] for epoch in epochs], epochs[-1]["train_loss"]) | memory


def with_torch(net, args, form, run_net):
    import torch
    from torch.nn import functional as F

    images, labels = (np.frombuffer(gzip.decompress((DATA / f"train-{name}-ubyte.gz").read_bytes()), np.uint8, offset=offset)
                      for name, offset in (("images-idx3", 16), ("labels-idx1", 8)))
    images = torch.from_numpy(images.reshape(-1, 1, 28, 28).copy()).float().div_(255)
    images = ((images - images.mean()) / images.std()).contiguous(memory_format=form or torch.contiguous_format)
    labels = torch.from_numpy(labels.astype(np.int64))
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM, fused=True)
    net.train()
    seconds = []
    for _ in range(EPOCHS):
        start, loss_sum = time.perf_counter(), torch.zeros(())
        order = torch.randperm(len(images))
        order = order[:len(order) // args.batch * args.batch]
        for chosen in order.split(args.batch):
            loss = F.cross_entropy(run_net(images[chosen]), labels[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach()
        loss_mean = loss_sum.item() / (len(order) // args.batch)
        seconds.append(time.perf_counter() - start)
    return result(seconds, loss_mean)
