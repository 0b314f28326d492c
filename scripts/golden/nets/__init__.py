"""The registry's models in PyTorch, with the registry's names.

torchvision's own where it has them; the others are written here.
"""
import torchvision
from torch import nn

from nets.maps import UNet, UNet3d, fcos_resnet18_fpn
from nets.pictures import Airbench94, EfficientNetLite0, MobileNetV1, ResNetCifar
from nets.series import Fcn1d, InceptionTime, M5, ResNet1d, WaveNet
from nets.small import (DeeperCnn, KerasCnn, Lenet5, LenetCnn, SimpleCnn224, SimpleCnnDeep, SimpleCnnGap, SmallCnn,
                        VggStyleCnn)

NETS = {
    "fcos_resnet18_fpn": fcos_resnet18_fpn,
    "m5": lambda classes: M5([128, 128, 256, 512], 4, True, classes=classes),
    "m5_small": lambda classes: M5([32, 32, 64, 64], 16, False, classes=classes),
    "wavenet": lambda classes: WaveNet(classes=classes),
    "unet_3d": UNet3d,
    "unet": lambda classes: UNet(3, True, classes=classes),
    "unet_paper": lambda classes: UNet(1, False, classes=classes),
    "small_cnn": SmallCnn,
    "deeper_cnn": DeeperCnn,
    "keras_cnn": KerasCnn,
    "simple_cnn_224": SimpleCnn224,
    "simple_cnn_gap": SimpleCnnGap,
    "simple_cnn_deep": SimpleCnnDeep,
    "lenet_cnn": LenetCnn,
    "vgg_style_cnn": VggStyleCnn,
    "airbench94": Airbench94,
    "lenet5": Lenet5,
    "fcn_1d": Fcn1d,
    "resnet_1d": ResNet1d,
    "resnet_1d multivariate": lambda classes: ResNet1d(3, classes),
    "inception_time": InceptionTime,
    "inception_time multivariate": lambda classes: InceptionTime(3, classes),
    "resnet18_cifar": lambda classes: ResNetCifar([2, 2, 2, 2], classes=classes),
    "resnet34_cifar": lambda classes: ResNetCifar([3, 4, 6, 3], classes=classes),
    "resnet50_cifar": lambda classes: ResNetCifar([3, 4, 6, 3], bottleneck=True, classes=classes),
    "resnet101_cifar": lambda classes: ResNetCifar([3, 4, 23, 3], bottleneck=True, classes=classes),
    "resnet152_cifar": lambda classes: ResNetCifar([3, 8, 36, 3], bottleneck=True, classes=classes),
    "se_resnet18_cifar": lambda classes: ResNetCifar([2, 2, 2, 2], squeeze=True, classes=classes),
    "mini_resnet": lambda classes: torchvision.models.resnet18(num_classes=classes),
    "mobilenet_v1": MobileNetV1,
    "efficientnet_lite0": EfficientNetLite0,
}


def make(name, classes=10, aux=False):
    """The net as in PyTorch, without dropout."""
    if name in NETS:
        net = NETS[name](classes=classes)
    elif name in ("googlenet", "inception_v3"):
        net = torchvision.models.get_model(name, num_classes=classes, aux_logits=aux, init_weights=False)
    elif name.startswith(("fcos_", "retinanet_", "ssdlite320_")):
        net = torchvision.models.get_model(name, weights=None, weights_backbone=None, num_classes=classes)
    elif name.startswith(("fcn_", "deeplabv3_", "lraspp_")):
        heads = {} if name.startswith("lraspp_") else {"aux_loss": aux}
        net = torchvision.models.get_model(name, num_classes=classes, weights_backbone=None, **heads)
    else:
        net = torchvision.models.get_model(name, num_classes=classes)
    for module in net.modules():
        if isinstance(module, (nn.Dropout, torchvision.ops.StochasticDepth)):
            module.p = 0.0
    return net


def as_is(net, side):
    """Images go into the net as they are."""
    transform = net.transform
    transform.image_mean, transform.image_std = [0.0] * 3, [1.0] * 3
    transform.min_size, transform.max_size = (min(side),), max(side)
    if transform.fixed_size is not None:
        transform.fixed_size = (side[1], side[0])
