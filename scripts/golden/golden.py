"""Shared by every script here: the writer of golden files, and the rule that fills tensors.

Weights, images and labels are never shipped: the rule below is computed here and in
tests/golden_fill.h. Element i of the tensor called `name` is drawn from splitmix64, seeded with the
FNV-1a hash of the name and advanced i + 1 times.
"""
import json
import pathlib
import struct

import numpy as np

KINDS = {"float64": "F64", "float32": "F32", "int64": "I64", "uint8": "U8"}


def write(name, tensors, **metadata):
    """Writes tests/golden/NAME.safetensors; metadata records what generated it."""
    header = {"__metadata__": dict(sorted(metadata.items()))}
    offset = 0
    for key in sorted(tensors):
        size = tensors[key].nbytes
        header[key] = {"dtype": KINDS[str(tensors[key].dtype)], "shape": list(tensors[key].shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path = pathlib.Path(__file__).parents[2] / f"tests/golden/{name}.safetensors"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(tensors[key].tobytes() for key in sorted(tensors)))
    print(path, path.stat().st_size, "bytes,", len(tensors), "tensors")


def fnv(text):
    """The 64-bit FNV-1a hash."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def bits(name, count):
    """`count` 64-bit words."""
    seed = fnv(name)
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def uniform(name, shape):
    """Uniform in [-1, 1), the 53 upper bits of each word."""
    return ((bits(name, int(np.prod(shape))) >> np.uint64(11)) * 2.0**-52 - 1).reshape(shape)


def labels(name, count, classes):
    return (bits(name, count) % np.uint64(classes)).astype(np.int64)


def value(name, shape):
    """A parameter or buffer of a net, scaled according to its name and shape."""
    kind = name.rsplit(".", 1)[-1]
    if kind == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    u = uniform(name, shape)
    if len(shape) > 1:  # variance 2 / fan_in
        return u * np.sqrt(6 / np.prod(shape[1:]))
    if kind == "weight":
        return 1 + u / 4
    if kind == "running_var":
        return 1 + u / 2
    return u / 10
