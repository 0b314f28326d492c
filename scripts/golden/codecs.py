#!/usr/bin/env python3
"""Writes tests/golden/codecs.safetensors: WebP files and a JPEG, and the pixels that Pillow decodes from them, also at a
half, a quarter and an eighth of the JPEG's size (Image.draft).

Needs numpy, Pillow (its features must have webp) and safetensors. Usage: codecs.py [OUT]
"""
import io
import sys

import numpy
from PIL import Image, ImageOps
from safetensors.numpy import save_file

random = numpy.random.default_rng(3)
smooth = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=numpy.uint8)).resize((37, 23), Image.BICUBIC)
alpha = Image.fromarray(random.integers(0, 256, (4, 5, 4), dtype=numpy.uint8)).resize((21, 17), Image.BICUBIC)


def encoded(image, **options):
    file = io.BytesIO()
    image.save(file, "WEBP", **options)
    return file.getvalue()


exif = Image.Exif()
exif[0x0112] = 6
files = {
    "lossy": encoded(smooth, quality=80),
    "lossless": encoded(smooth, lossless=True),
    "lossy-alpha": encoded(alpha, quality=70),
    "lossless-alpha": encoded(alpha, lossless=True, exact=True),
    "orientation-6": encoded(smooth, lossless=True, exif=exif),
}
tensors = {}
for name, data in files.items():
    tensors[name + "/webp"] = numpy.frombuffer(data, numpy.uint8)
    tensors[name + "/pixels"] = numpy.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
tensors["animated/webp"] = numpy.frombuffer(
    encoded(smooth, save_all=True, append_images=[smooth.transpose(Image.FLIP_TOP_BOTTOM)]), numpy.uint8)
photo = io.BytesIO()
Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=numpy.uint8)).resize((101, 75), Image.BICUBIC).save(
    photo, "JPEG", quality=90, exif=exif)
tensors["photo/jpeg"] = numpy.frombuffer(photo.getvalue(), numpy.uint8)
for divisor in (1, 2, 4, 8):
    image = Image.open(io.BytesIO(photo.getvalue()))
    image.draft("RGB", (image.width // divisor, image.height // divisor))
    tensors[f"photo/{divisor}"] = numpy.asarray(ImageOps.exif_transpose(image))
tensors = {name: numpy.ascontiguousarray(array) for name, array in tensors.items()}
save_file(tensors, sys.argv[1] if len(sys.argv) > 1 else "tests/golden/codecs.safetensors",
          {"made by": f"scripts/golden/codecs.py, Pillow {Image.__version__}"})
