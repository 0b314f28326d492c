"""Writes the files of tests/golden/pytorch/ with the PyTorch that runs this, and checks the one that Fovea writes.

Run it with each version of PyTorch whose files are to be read (2.15 and 1.13 so far). Then
`fovea convert tests/golden/pytorch/zip_2.15.pth tests/golden/pytorch/written.pth`, and run it again: it loads
written.pth as users would, with weights_only=True and strictly, and compares every tensor.
"""
import argparse
import collections
import pathlib
import sys

import torch

FOLDER = pathlib.Path(__file__).parents[2] / "tests/golden/pytorch"
VERSION = ".".join(torch.__version__.split(".")[:2])
INTEGERS = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8]
FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


def filled(*shape, dtype=torch.float32, first=0):
    """Element i is (7 (i + first) mod 11) - 3, not less than 0 in uint8; booleans are whether it is above 0."""
    i = torch.arange(first, first + torch.Size(shape).numel()).reshape(shape)
    values = i * 7 % 11 - 3
    return (values > 0) if dtype is torch.bool else values.clamp(min=0).to(dtype) if dtype is torch.uint8 else values.to(dtype)


def tensors():
    """Every dtype, and every way to lay out a tensor in its storage."""
    result = collections.OrderedDict()
    for dtype in [*FLOATS, *INTEGERS, torch.bool]:
        result["dtype." + str(dtype).split(".")[1]] = filled(2, 3, dtype=dtype)
    result["num_batches_tracked"] = torch.tensor(2**40 + 5)
    result["empty"] = torch.empty(0, 7)
    result["transposed"] = filled(3, 4).t().contiguous().t()
    slices = torch.zeros(6, 5)[1:5:2, 1:4]
    slices.copy_(filled(2, 3))
    result["slices"] = slices
    result["channels_last"] = filled(2, 3, 2, 2).to(memory_format=torch.channels_last)
    result["expanded"] = filled(1, 3).expand(4, 3)
    shared = filled(8)
    result["shared.a"], result["shared.b"] = shared[:5], shared[3:]
    result["parameter"] = torch.nn.Parameter(filled(3))
    result["\u00fcml\u00e4ut"] = filled(1)
    return result


def small_net():
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    for parameter in net.parameters():
        parameter.data = filled(*parameter.shape)
    return net


def checkpoint():
    """As saved by training scripts: DataParallel's weights, among other things."""
    import numpy as np

    net = small_net()
    optimizer = torch.optim.AdamW(net.parameters())
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
    net(torch.ones(4, 2)).sum().backward()
    optimizer.step()
    net.load_state_dict(small_net().state_dict())
    return {
        "epoch": 3,
        "arch": "small",
        "best": np.float64(0.5),
        "args": argparse.Namespace(lr=0.1, milestones=[3, 5], seen={1, 2}),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "model_state_dict": torch.nn.DataParallel(net).state_dict(),
        "dtype": torch.float32,
        "device": torch.device("cpu"),
        "size": torch.Size([2, 3]),
    }


def write(name, value, **options):
    path = FOLDER / f"{name}_{VERSION}.pth"
    torch.save(value, path, **options)
    print(path, path.stat().st_size, "bytes")


def check(path):
    loaded = torch.load(path, weights_only=True)
    expected = tensors()
    assert type(loaded) is collections.OrderedDict and list(loaded) == list(expected), list(loaded)
    for name, tensor in expected.items():
        found = loaded[name]
        assert found.dtype == tensor.dtype and found.shape == tensor.shape and found.is_contiguous(), name
        assert torch.equal(found, tensor), name
    if VERSION.startswith("2."):
        mapped = torch.load(path, weights_only=True, mmap=True)
        assert all(torch.equal(mapped[name], loaded[name]) for name in loaded)
        assert all(mapped[name].data_ptr() % 64 == 0 for name in mapped)
    print(path, "is loaded by PyTorch", torch.__version__)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    torch.manual_seed(0)
    if not (FOLDER / f"zip_{VERSION}.pth").exists() or "--again" in sys.argv:
        write("zip", tensors())
        write("legacy", tensors(), _use_new_zipfile_serialization=False)
        write("protocol4", {"w": filled(2, 3)}, pickle_protocol=4)
        write("checkpoint", checkpoint())
        write("legacy_checkpoint", checkpoint(), _use_new_zipfile_serialization=False)
        if VERSION.startswith("2."):
            write("legacy_protocol5", {"w": filled(2, 3)}, _use_new_zipfile_serialization=False, pickle_protocol=5)
            write("module", small_net())
            write("complex", {"w": filled(2), "z": torch.zeros(2, dtype=torch.complex64)})
            write("uint16", {"w": filled(2), "z": torch.zeros(2, dtype=torch.uint16)})
            write("quantized", {"q": torch.quantize_per_tensor(filled(2), 0.5, 0, torch.qint8)})
            write("sparse", {"s": filled(2).to_sparse()})
    if (FOLDER / "written.pth").exists():
        check(FOLDER / "written.pth")
