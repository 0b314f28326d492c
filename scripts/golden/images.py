"""Writes tests/golden/images.safetensors: pictures as files, and what Pillow makes of them.

Run with a Python that has Pillow and NumPy; which versions made the file is in its metadata.
    FILE/png, FILE/jpeg      the bytes of a file
    FILE/pixels              decoded by Pillow, turned upright, H,W,C
    resize/KIND/FILTER/HxW   Image.resize of the picture resize/KIND/source
"""
import io

import numpy as np
import PIL
from PIL import Image, ImageOps

import golden

tensors = {}


def add(name, array):
    array = np.ascontiguousarray(array, dtype=np.uint8)
    tensors[name] = array[:, :, None] if array.ndim == 2 else array


def picture(height, width, channels):
    """Smooth waves with noise on top, so that both JPEG and every filter have work to do."""
    rng = np.random.default_rng(height * 1000 + width * 10 + channels)
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    wave = 127 + 90 * np.sin(y / 3.0 + c) * np.cos(x / 4.0 - c) + rng.normal(0, 25, y.shape)
    wave[: height // 4, : width // 4] = rng.integers(0, 2, wave[: height // 4, : width // 4].shape) * 255
    array = np.clip(wave, 0, 255).astype(np.uint8)
    return Image.fromarray(array[:, :, 0] if channels == 1 else array)


def file(name, kind, image, mode, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    tensors[f"{name}/{kind.lower()}"] = np.frombuffer(stream.getvalue(), np.uint8)
    add(f"{name}/pixels", np.asarray(ImageOps.exif_transpose(Image.open(stream)).convert(mode)))


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


rgb, gray, rgba = picture(21, 34, 3), picture(19, 17, 1), picture(12, 15, 4)
file("rgb-png", "PNG", rgb, "RGB")
file("gray-png", "PNG", gray, "L")
file("rgba", "PNG", rgba, "RGBA")
file("palette", "PNG", rgb.quantize(16), "RGB")
file("palette-transparent", "PNG", rgb.quantize(16), "RGB", transparency=3)
file("one-bit", "PNG", gray.convert("1"), "L")
file("gray-alpha", "PNG", rgba.convert("LA"), "L")
file("rgb-jpeg", "JPEG", rgb, "RGB", quality=90)
file("gray-jpeg", "JPEG", gray, "L", quality=90)
file("cmyk", "JPEG", rgb.convert("CMYK"), "RGB", quality=90)
file("progressive", "JPEG", rgb, "RGB", quality=80, progressive=True)
for orientation in range(1, 9):
    file(f"orientation-{orientation}", "JPEG", rgb.crop((0, 0, 9, 13)), "RGB", exif=exif(orientation))
add("to-gray/pixels", np.asarray(rgb.convert("L")))

filters = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
sizes = [(7, 5), (21, 11), (9, 34), (1, 1), (64, 3), (40, 41)]
for kind, image in {"rgb": rgb, "gray": gray, "rgba": rgba, "row": picture(1, 40, 3), "two": picture(2, 2, 1)}.items():
    add(f"resize/{kind}/source", np.asarray(image))
    for name, method in filters.items():
        for height, width in sizes:
            add(f"resize/{kind}/{name}/{height}x{width}", np.asarray(image.resize((width, height), method)))

golden.write("images", tensors, made_by="scripts/golden/images.py", numpy=np.__version__, pillow=PIL.__version__)
