"""Writes tests/golden/images.safetensors: pictures as files, and Pillow's results for them.

Run with a Python that has Pillow 13 and NumPy, and with cjpeg (libjpeg-turbo-progs); the file's metadata has the
versions that generated it.
    FILE/png, FILE/jpeg      the bytes of a file
    FILE/pixels              decoded by Pillow, rotated upright, H,W,C
    resize/KIND/FILTER/HxW   Image.resize of the picture resize/KIND/source
"""
import io
import struct
import subprocess
import tempfile
import zlib

import numpy as np
import PIL
from PIL import Image, ImageOps, PngImagePlugin

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


def store(name, kind, data, mode):
    tensors[f"{name}/{kind}"] = np.frombuffer(data, np.uint8)
    add(f"{name}/pixels", np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert(mode)))


def saved(kind, image, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def file(name, kind, image, mode, **options):
    store(name, kind.lower(), saved(kind, image, **options), mode)


def cjpeg(image, *flags):
    """What Pillow does not encode: other samplings, arithmetic coding, one scan per component."""
    return subprocess.run(["cjpeg", *flags], input=saved("PPM", image), stdout=subprocess.PIPE, check=True).stdout


def before(data, marker, inserted):
    """The JPEG with bytes inserted before its first segment of that kind."""
    at = data.index(bytes([0xFF, marker]))
    return data[:at] + inserted + data[at:]


def patched(data, after, offset, value):
    """The file with bytes replaced at an offset from the first occurrence of `after`."""
    at = data.index(after) + offset
    return data[:at] + value + data[at + len(value) :]


def tiff(order, kind, value):
    """An EXIF block with an orientation of type SHORT (H) or LONG (I)."""
    entry = struct.pack(order + "HHI", 0x0112, {"H": 3, "I": 4}[kind], 1) + struct.pack(order + kind, value).ljust(4, b"\0")
    header = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HI", 42, 8)
    return header + struct.pack(order + "H", 1) + entry + struct.pack(order + "I", 0)


def app1(body):
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(array, interlaced, bits=8):
    """RGB with 8 or 16 bits per sample, rows unfiltered; interlaced by Adam7."""
    height, width = array.shape[:2]
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)] if interlaced else [(0, 0, 1, 1)]
    rows = [b"\0" + row.astype(f">u{bits // 8}").tobytes() for y, x, down, across in passes for row in array[y::down, x::across] if row.size]
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b"")


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

# What other encoders and old cameras write.
for sampling in ["1x4", "4x1", "3x1", "4x2", "2x2,2x1", "2x2,1x2", "1x1,2x2,2x2"]:
    store(f"sampling-{sampling}", "jpeg", cjpeg(rgb, "-sample", sampling), "RGB")
store("arithmetic", "jpeg", cjpeg(rgb, "-arithmetic"), "RGB")
store("arithmetic-progressive", "jpeg", cjpeg(rgb, "-arithmetic", "-progressive"), "RGB")
store("restarts", "jpeg", cjpeg(rgb, "-restart", "1B"), "RGB")
store("rgb-stored", "jpeg", cjpeg(rgb, "-rgb"), "RGB")
with tempfile.NamedTemporaryFile() as scans:
    scans.write(b"0;\n1;\n2;\n")
    scans.flush()
    store("scan-each", "jpeg", cjpeg(rgb, "-scans", scans.name), "RGB")
baseline, inks = saved("JPEG", rgb, quality=90), saved("JPEG", rgb.convert("CMYK"), quality=90)
store("jfif-0.00", "jpeg", patched(baseline, b"JFIF\0", 5, b"\0\0"), "RGB")
store("stray-bytes", "jpeg", before(baseline, 0xDB, b"\x12\x34\x56"), "RGB")
store("stray-end", "jpeg", baseline[:-2] + b"\x12\x34" + baseline[-2:], "RGB")
store("ycck", "jpeg", patched(inks, b"Adobe", 11, b"\2"), "RGB")
store("cmyk-plain", "jpeg", patched(inks, b"Adobe", 0, b"adobe"), "RGB")

# Orientations in unusual places.
small = saved("JPEG", rgb.crop((0, 0, 9, 13)))
for order in "<>":
    block = b"Exif\0\0" + tiff(order, "I", 6)
    store(f"orientation-long-{'little' if order == '<' else 'big'}", "jpeg", before(small, 0xDB, app1(block)), "RGB")
store("orientation-fill", "jpeg", before(small, 0xDB, b"\xff\xff\xff" + app1(b"Exif\0\0" + tiff(">", "H", 8))), "RGB")
plain = saved("PNG", rgb.crop((0, 0, 9, 13)))
for place in b"IDAT", b"IEND":
    at = plain.index(place) - 4
    store(f"orientation-before-{place.decode()}", "png", plain[:at] + chunk(b"eXIf", tiff(">", "H", 5)) + plain[at:], "RGB")

deep = np.asarray(rgb).astype(np.uint16) * 256 + 200
store("interlaced", "png", png(np.asarray(rgb), True), "RGB")
store("sixteen-bits", "png", png(deep, True, bits=16), "RGB")
file("gray-transparent", "PNG", gray, "L", transparency=100)
gamma = PngImagePlugin.PngInfo()
gamma.add(b"gAMA", struct.pack(">I", 220000))
file("gamma", "PNG", rgb, "RGB", pnginfo=gamma)

add("to-gray/pixels", np.asarray(rgb.convert("L")))

filters = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
sizes = [(7, 5), (21, 11), (9, 34), (1, 1), (64, 3), (40, 41)]
for kind, image in {"rgb": rgb, "gray": gray, "rgba": rgba, "row": picture(1, 40, 3), "two": picture(2, 2, 1)}.items():
    add(f"resize/{kind}/source", np.asarray(image))
    for name, method in filters.items():
        for height, width in sizes:
            add(f"resize/{kind}/{name}/{height}x{width}", np.asarray(image.resize((width, height), method)))
# Pillow 13 resizes tall pictures vertically first, if their height shrinks by more than twice what
# the width does, which is just not the case for 97x13 -> 85x7.
for kind, image in {"tall": picture(97, 13, 3), "tall-gray": picture(97, 13, 1), "tall-rgba": picture(97, 13, 4)}.items():
    add(f"resize/{kind}/source", np.asarray(image))
    for name, method in filters.items():
        for height, width in [(85, 7), (84, 7), (9, 11), (30, 13), (48, 26)]:
            add(f"resize/{kind}/{name}/{height}x{width}", np.asarray(image.resize((width, height), method)))

golden.write("images", tensors, made_by="scripts/golden/images.py", numpy=np.__version__, pillow=PIL.__version__)
