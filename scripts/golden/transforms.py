#!/usr/bin/env python3
"""The results of torchvision's transforms on small Pillow images, for given parameters.

    KIND/source                 the picture, KIND: rgb, gray
    KIND/OPERATION/PARAMETERS   torchvision.transforms.functional.OPERATION of it
    KIND/auto/NAME/MAGNITUDE    an operation of RandAugment and TrivialAugment
    space/POLICY/NAME           its magnitudes for an image of 23 x 31, f64
"""
import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torchvision.transforms import InterpolationMode, autoaugment
from torchvision.transforms import functional as F

import golden

tensors = {}
NEAREST, BILINEAR = InterpolationMode.NEAREST, InterpolationMode.BILINEAR
HEIGHT, WIDTH = 23, 31


def picture(channels):
    """Smooth waves of all hues with noise, and a corner of black and white."""
    rng = np.random.default_rng(channels)
    y, x, c = np.meshgrid(np.arange(HEIGHT), np.arange(WIDTH), np.arange(channels), indexing="ij")
    wave = 120 + 80 * np.sin(y / 4.0 + 2 * c) * np.cos(x / 5.0 - c) + rng.normal(0, 15, y.shape)
    wave[:5, :6] = rng.integers(0, 2, (5, 6, 1)) * 255
    array = np.clip(wave, 0, 255).astype(np.uint8)
    return Image.fromarray(array[:, :, 0] if channels == 1 else array)


def add(name, image):
    array = np.ascontiguousarray(np.asarray(image), dtype=np.uint8)
    tensors[name] = array[:, :, None] if array.ndim == 2 else array


for kind, image in {"rgb": picture(3), "gray": picture(1)}.items():
    add(f"{kind}/source", image)
    for name, filter in {"nearest": NEAREST, "bilinear": BILINEAR}.items():
        for angle in [30, -77, 90, 180]:
            add(f"{kind}/rotate/{angle}/{name}", F.rotate(image, angle, filter))
        add(f"{kind}/affine/plain/{name}", F.affine(image, 25, [3, -2], 1.3, [0, 0], filter))
        add(f"{kind}/affine/shear/{name}", F.affine(image, -15, [-4, 1], 0.7, [20, -10], filter))
        corners = [[0, 0], [WIDTH - 1, 0], [WIDTH - 1, HEIGHT - 1], [0, HEIGHT - 1]]
        add(f"{kind}/perspective/{name}", F.perspective(image, corners, [[4, 2], [28, 5], [29, 19], [1, 20]], filter))
    add(f"{kind}/resized_crop", F.resized_crop(image, 5, 3, 11, 20, [16, 16], BILINEAR))
    for mode in ["constant", "reflect", "edge"]:
        add(f"{kind}/pad/{mode}", F.pad(image, 4, padding_mode=mode).crop((1, 7, 1 + WIDTH, 7 + HEIGHT)))
    add(f"{kind}/center_crop/15", F.center_crop(image, 15))
    add(f"{kind}/center_crop/28", F.center_crop(image, 28))
    add(f"{kind}/hflip", F.hflip(image))
    add(f"{kind}/vflip", F.vflip(image))
    for factor in [0, 0.35, 1.7]:
        add(f"{kind}/adjust_brightness/{factor}", F.adjust_brightness(image, factor))
        add(f"{kind}/adjust_contrast/{factor}", F.adjust_contrast(image, factor))
        add(f"{kind}/adjust_saturation/{factor}", F.adjust_saturation(image, factor))
        add(f"{kind}/adjust_sharpness/{factor}", F.adjust_sharpness(image, factor))
    for shift in [-0.5, -0.17, 0.3]:
        add(f"{kind}/adjust_hue/{shift}", F.adjust_hue(image, shift))
    add(f"{kind}/grayscale", F.rgb_to_grayscale(image, len(image.getbands())))
    add(f"{kind}/posterize/3", F.posterize(image, 3))
    add(f"{kind}/solarize/100", F.solarize(image, 100))
    add(f"{kind}/autocontrast", F.autocontrast(F.adjust_contrast(image, 0.4)))
    add(f"{kind}/equalize", F.equalize(image))
    add(f"{kind}/invert", F.invert(image))
    for size, sigma in [(3, 0.5), (9, 2.5)]:
        add(f"{kind}/gaussian_blur/{size}/{sigma}", F.gaussian_blur(image, size, sigma))

spaces = {
    "randaugment": autoaugment.RandAugment()._augmentation_space(31, (HEIGHT, WIDTH)),
    "trivialaugment": autoaugment.TrivialAugmentWide()._augmentation_space(31),
}
for policy, space in spaces.items():
    for name, (magnitudes, signed) in space.items():
        values = magnitudes.double().numpy() if magnitudes.ndim else np.zeros(0)
        tensors[f"space/{policy}/{name}"] = values
        assert signed == (name in ["ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast", "Sharpness"])
for name, (magnitudes, signed) in spaces["randaugment"].items():
    for magnitude in [magnitudes[11].item(), -magnitudes[23].item()] if signed else [magnitudes[20].item() if magnitudes.ndim else 0.0]:
        add(f"rgb/auto/{name}/{magnitude}", autoaugment._apply_op(picture(3), name, magnitude, NEAREST, None))

golden.write("transforms", tensors, made_by="scripts/golden/transforms.py", torch=torch.__version__, torchvision=torchvision.__version__, pillow=PIL.__version__, numpy=np.__version__)
