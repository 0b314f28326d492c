"""Writes tests/golden/models_FAMILY.safetensors: PyTorch's results for the registry's nets.

    models.py [FAMILY...]      all of them by default

In float64, with 10 classes, without dropout, filled as in golden.py.
    MODEL/draw       the images are called "images DRAW": see steps.draw_of
    MODEL/lift       added to the biases of all norms for the step: deep nets have so many relus that no
                     images would do, but few of their inputs are near 0 when they are 2 higher
    MODEL/side       of the images, along each axis
    MODEL/logits     for the first two images, in eval mode; of maps every 15th row and column (and slice)
    MODEL/loss       for four and their "labels" (of maps one for each pixel), in train mode: the mean cross-entropy,
                     and 0.3 times that of each auxiliary head of models with " aux" after their name
    MODEL/gradients  the norm of its gradient for each parameter, in their order
"""
import sys

import numpy as np
import torch
import torchvision
from torch.nn.functional import cross_entropy

import golden
import steps

LIFTED = {"resnet34_cifar", "resnet50_cifar", "resnet50", "resnext50_32x4d", "vgg11_bn", "googlenet", "googlenet aux",
          "inception_v3", "inception_v3 aux", "densenet121", "mobilenet_v1", "mobilenet_v2", "shufflenet_v2_x0_5",
          "efficientnet_lite0", "regnet_y_400mf", "unet", "fcn_resnet50", "fcn_resnet50 aux", "deeplabv3_resnet50",
          "deeplabv3_mobilenet_v3_large aux", "lraspp_mobilenet_v3_large", "m5", "m5_small", "r3d_18",
          "mc3_18", "r2plus1d_18", "unet_3d",
          "resnet_1d", "resnet_1d multivariate", "inception_time", "inception_time multivariate"}

# Spatial axes and channels of the inputs of nets that do not take colour pictures.
INPUTS = {"lenet5": (2, 1), "unet_paper": (2, 1), "m5": (1, 1), "m5_small": (1, 1), "wavenet": (1, 1),
          "unet_3d": (3, 1), "r3d_18": (3, 3), "mc3_18": (3, 3), "r2plus1d_18": (3, 3), "fcn_1d": (1, 1), "resnet_1d": (1, 1),
          "resnet_1d multivariate": (1, 3), "inception_time": (1, 1), "inception_time multivariate": (1, 3)}

# A model, the side of its images, and whether it is also trained.
FAMILIES = {
    "small": [
        ("small_cnn", 32, True),
        ("deeper_cnn", 32, True),
        ("keras_cnn", 32, True),
        ("simple_cnn_224", 64, True),
        ("simple_cnn_gap", 32, True),
        ("simple_cnn_deep", 32, True),
        ("lenet_cnn", 32, True),
        ("vgg_style_cnn", 32, True),
        ("lenet5", 32, True),
    ],
    "airbench": [("airbench94", 32, True)],
    "series": [
        ("fcn_1d", 50, True),
        ("resnet_1d", 50, True),
        ("resnet_1d multivariate", 40, True),
        ("inception_time", 50, True),
        ("inception_time multivariate", 24, True),
    ],
    "resnet_cifar": [
        ("resnet18_cifar", 32, True),
        ("resnet34_cifar", 32, True),
        ("resnet50_cifar", 32, True),
        ("se_resnet18_cifar", 32, True),
    ],
    "resnet": [
        ("resnet18", 64, True),
        ("resnet50", 64, True),
        ("resnext50_32x4d", 64, True),
        ("wide_resnet50_2", 64, False),
        ("mini_resnet", 64, False),
    ],
    "alexnet": [("alexnet", 96, True)],
    "vgg": [("vgg11", 64, False), ("vgg11_bn", 64, True)],
    "googlenet": [("googlenet", 64, True), ("googlenet aux", 64, True)],
    "inception_v3": [("inception_v3", 96, True), ("inception_v3 aux", 299, True)],
    "densenet": [("densenet121", 64, True)],
    "squeezenet": [("squeezenet1_0", 64, False), ("squeezenet1_1", 64, True)],
    "mobilenet": [
        ("mobilenet_v1", 64, True),
        ("mobilenet_v2", 64, True),
        ("mobilenet_v3_small", 64, True),
        ("mobilenet_v3_large", 64, False),
    ],
    "shufflenet_v2": [("shufflenet_v2_x0_5", 64, True), ("shufflenet_v2_x1_0", 64, False)],
    "efficientnet": [("efficientnet_b0", 64, True), ("efficientnet_b5", 64, False)],
    "efficientnet_lite": [("efficientnet_lite0", 64, True)],
    "regnet": [("regnet_y_400mf", 64, True)],
    "convnext": [("convnext_tiny", 64, True)],
    "sound": [("m5", 4096, True), ("m5_small", 8000, True), ("wavenet", 600, True)],
    "unet": [("unet", 64, True), ("unet_paper", 188, True)],
    "segmentation": [
        ("fcn_resnet50", 64, True),
        ("fcn_resnet50 aux", 64, True),
        ("fcn_resnet101", 64, False),
        ("deeplabv3_resnet50", 64, True),
        ("deeplabv3_resnet101", 64, False),
        ("deeplabv3_mobilenet_v3_large aux", 64, True),
        ("lraspp_mobilenet_v3_large", 64, True),
    ],
    "video_resnet": [("r3d_18", 16, True), ("mc3_18", 16, True), ("r2plus1d_18", 16, True)],
    "unet_3d": [("unet_3d", 16, True)],
    # Members only used for inference. With images of 64 pixels B7's values grow until float32 is 4 % off.
    "larger": [(name, 40 if name == "efficientnet_b7" else 64, False) for name in (
        "resnet101_cifar resnet152_cifar resnet34 resnet101 resnet152 resnext101_32x8d wide_resnet101_2 vgg13 vgg13_bn vgg16 "
        "vgg16_bn vgg19 vgg19_bn densenet161 densenet169 densenet201 shufflenet_v2_x1_5 shufflenet_v2_x2_0 efficientnet_b1 "
        "efficientnet_b2 efficientnet_b3 efficientnet_b4 efficientnet_b6 efficientnet_b7 convnext_small convnext_base "
        "convnext_large").split()],
}


def labels_for(logits):
    shape = logits.shape[:1] + logits.shape[2:]
    return torch.from_numpy(golden.labels("labels", shape.numel(), 10)).reshape(shape)


def loss_of(net, images):
    outputs = net(images)
    logits, *heads = [outputs] if torch.is_tensor(outputs) else outputs.values() if isinstance(outputs, dict) else outputs
    labels = labels_for(logits)
    return cross_entropy(logits, labels) + 0.3 * sum(cross_entropy(head, labels) for head in heads)


def family(rows):
    tensors = {}
    for model, side, trained in rows:
        name, aux = model.removesuffix(" aux"), model.endswith(" aux")
        net = steps.filled(name, aux=aux)
        axes, channels = INPUTS.get(name, (2, 3))
        by = 2.0 if model in LIFTED else 0.0
        if trained:
            steps.lift(net, by)
            draw, images, loss, norms = steps.draw_of(net, lambda text: steps.images(text, 4, side, channels, axes), loss_of)
            steps.lift(net, -by)
            tensors[f"{model}/loss"], tensors[f"{model}/gradients"] = np.array([loss]), norms
            tensors[f"{model}/lift"] = np.array([by])
        else:
            draw, images = 0, steps.images("images 0", 2, side, channels, axes)
        with torch.no_grad():
            logits = net.eval()(images[:2])
            logits = (logits["out"] if isinstance(logits, dict) else logits).numpy()
            logits = np.ascontiguousarray(logits[(slice(None), slice(None)) + (slice(None, None, 15),) * (logits.ndim - 2)])
        tensors |= {f"{model}/draw": np.array([draw]), f"{model}/side": np.array([side]), f"{model}/logits": logits}
        print(model, np.abs(logits).max(), *([loss, norms.min(), norms.max()] if trained else []), flush=True)
    return tensors


for chosen in sys.argv[1:] or FAMILIES:
    versions = {"pytorch": torch.__version__, "torchvision": torchvision.__version__}
    golden.write(f"models_{chosen}", family(FAMILIES[chosen]), made_by="scripts/golden/models.py", **versions)
