#!/usr/bin/env python3
"""Makes volumes with three kinds of tissue: DIR/train and test with images/N.nii.gz and labels/N.nii.gz, and DIR/names.txt.

    make_volumes.py DIR

In each volume of 32x40x40 voxels lie an ellipsoid ("organ") and in it up to three small balls ("lesion"), as brightness with
noise and a field that differs from corner to corner, so that no threshold tells them apart. Needs Python and nothing else.
"""
import gzip
import pathlib
import random
import struct
import sys

SHAPE = (32, 40, 40)  # depth, height, width
COUNTS = {"train": 24, "test": 6}


def nifti(voxels, code):
    """A NIfTI-1 file of numbers in row-major order: code "h" for 16-bit integers, "B" for bytes."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *reversed(SHAPE), 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, {"h": 4, "B": 2}[code], 8 * struct.calcsize(code))
    struct.pack_into("<8f", header, 76, *[1.0] * 8)
    struct.pack_into("<f", header, 108, 352.0)
    header[344:348] = b"n+1\0"
    return bytes(header) + struct.pack(f"<{len(voxels)}{code}", *voxels)


def volume(chance):
    """Brightness and labels."""
    center = [side / 2 + chance.uniform(-3, 3) for side in SHAPE]
    radii = [chance.uniform(0.28, 0.4) * side for side in SHAPE]
    balls = []
    for _ in range(chance.randint(1, 3)):
        at = [c + chance.uniform(-0.5, 0.5) * r for c, r in zip(center, radii)]
        balls.append((at, chance.uniform(2.5, 4.5)))
    slope = [chance.uniform(-4, 4) for _ in SHAPE]
    image, labels = [], []
    for z in range(SHAPE[0]):
        for y in range(SHAPE[1]):
            for x in range(SHAPE[2]):
                place = (z, y, x)
                inside = sum(((p - c) / r) ** 2 for p, c, r in zip(place, center, radii)) < 1
                ill = inside and any(sum((p - a) ** 2 for p, a in zip(place, at)) < r * r for at, r in balls)
                label = 2 if ill else 1 if inside else 0
                field = sum(s * p for s, p in zip(slope, place))
                image.append(int(300 + (0, 250, 420)[label] + field + chance.gauss(0, 60)))
                labels.append(label)
    return image, labels


def main():
    folder = pathlib.Path(sys.argv[1])
    chance = random.Random(1)
    for split, count in COUNTS.items():
        for kind in "images", "labels":
            (folder / split / kind).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            image, labels = volume(chance)
            (folder / split / f"images/{i}.nii.gz").write_bytes(gzip.compress(nifti(image, "h"), mtime=0))
            (folder / split / f"labels/{i}.nii.gz").write_bytes(gzip.compress(nifti(labels, "B"), mtime=0))
    (folder / "names.txt").write_text("background\norgan\nlesion\n")


main()
