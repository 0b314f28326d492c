"""Writes tests/golden/detection.safetensors: torchvision's results for its detection nets.

In float64, of 10 classes with the background, filled as in golden.py; images of the "side" [height, width], which
torchvision neither scales nor normalises here, but pads to multiples of 32 (ssdlite does not).
    NET/side, NET/draw   images are called "images DRAW": see steps.draw_of
    NET/lift             added to the biases of all norms for the step: see models.py
    NET/outputs          what the head says of the first image in eval mode, classes, boxes and, of fcos, centerness, at
                         every 7th anchor: [K + 4 (+ 1), ...]
    NET/loss             for the first two images and "targets" [2, M, 5] (x1, y1, x2, y2, class; a class of 0 is absent), in
                         train mode: the sum of torchvision's losses
    NET/gradients        the norm of its gradient for each parameter, in their order
    NET/shift            added to the biases of the class logits of classes 1 and more, and subtracted from that of the
                         background of ssdlite, so that few boxes are found:
    NET/boxes, NET/scores, NET/labels   in the first image, in eval mode
    NET/scale            what the last layers of both heads are multiplied by before that: RetinaNet's heads have no norms, and
                         say numbers of thousands when they are filled
    NET/names            the FNV-1a hash of names and shapes of the state_dict, of 91 classes: see model_names.py
"""
import copy

import numpy as np
import torch
import torchvision

import golden
import nets
import steps

# The size of the images.
NETS = {
    "fcos_resnet18_fpn": [72, 104],
    "fcos_resnet50_fpn": [64, 96],
    "retinanet_resnet50_fpn": [64, 72],
    "ssdlite320_mobilenet_v3_large": [160, 160],
}
STEP = 7


def filled(name, side):
    net = steps.filled(name)
    nets.as_is(net, side)
    return net


def raw_outputs(net, images):
    """What the head says: [N, K + 4 (+ 1), A]."""
    said = {}
    hook = net.head.register_forward_hook(lambda module, inputs, outputs: said.update(outputs))
    with torch.no_grad():
        net.eval()(list(images))
    hook.remove()
    parts = [said[key] for key in ("cls_logits", "bbox_regression", "bbox_ctrness") if key in said]
    return torch.cat(parts, 2).permute(0, 2, 1).contiguous()


def targets(side):
    """Boxes of all sizes in two images, [2, 4, 5]; the second image has three. No centre is near a multiple of 0.5, where
    points would be found or not by rounding; in large images none is small, since a box inside several anchors of one size overlaps
    all of them equally, and rounding decides which one takes it."""
    h, w = side
    rows = np.zeros((2, 4, 5), np.float32)
    rows[0] = [[3, 5, 30, 37, 1], [4 * w // 10, h // 10, 19 * w // 20, 9 * h // 10, 4], [10, 20, 22, 33, 9],
               [w // 2, 8, w // 2 + 30, 40, 2]]
    rows[1, :3] = [[2, 2, w - 3, h - 4, 7], [20, 11, 44, 29, 3], [w // 3, h // 3, w // 3 + 35, h // 3 + 24, 1]]
    if h > 128:
        rows[0, 2, :4], rows[1, 1, :4] = [10, 20, 62, 53], [20, 11, 74, 49]
    rows[:, :, :2] += np.float32(0.25) * (rows[:, :, 4:] > 0)
    rows[:, :, 2:4] += np.float32(0.5) * (rows[:, :, 4:] > 0)
    return rows


def loss_of(net, images, rows):
    wanted = []
    for image in rows:
        present = image[image[:, 4] > 0]
        wanted.append({"boxes": torch.from_numpy(present[:, :4]).to(images.dtype),
                       "labels": torch.from_numpy(present[:, 4]).to(torch.int64)})
    return sum(net(list(images), wanted).values())


def shift(net, by):
    head = net.head.classification_head
    last = [block[1] for block in head.module_list] if hasattr(head, "module_list") else [head.cls_logits]
    with torch.no_grad():
        for layer in last:
            bias = layer.bias.view(-1, 10)
            bias[:, 1:] += by
            if hasattr(head, "module_list"):
                bias[:, 0] -= by
            else:
                bias[:, 0] += by


def names(net):
    lines = "".join(f"{name}{list(value.shape)}\n" for name, value in net.state_dict().items())
    return np.array([golden.fnv(lines)], np.uint64).view(np.int64)


def scaled(net, image):
    """(scale, net): logits and box codes of 4 or less, where they would be more than 100."""
    raw = raw_outputs(net, image[None])[0].abs()
    largest = max(float(raw[:10].max()), float(raw[10:14].max()))
    if largest < 100:
        return 1.0, net
    net, by = copy.deepcopy(net), 4 / largest
    with torch.no_grad():
        for layer in (net.head.classification_head.cls_logits, net.head.regression_head.bbox_reg):
            layer.weight *= by
            layer.bias *= by
    return by, net


def found_in(net, image):
    """(shift, boxes): with the first shift that leaves 60 boxes or less."""
    logits = np.sort(raw_outputs(net, image[None])[0, :10].numpy().ravel())[::-1]
    most = [float(logits[k]) for k in (400, 200, 100, 50, 25, 12, 6, 0)] + [float(logits[0]) + more for more in np.arange(0.5, 8, 0.5)]
    for by in [-round(x, 1) for x in most]:
        shifted = copy.deepcopy(net)
        shift(shifted, float(by))
        with torch.no_grad():
            found = shifted.eval()([image])[0]
        if len(found["scores"]) <= 60:
            return float(by), found


tensors = {}
for name, side in NETS.items():
    net, rows = filled(name, side), targets(side)
    steps.lift(net, 2.0)
    draw, images, loss, norms = steps.draw_of(net, lambda text: torch.from_numpy(golden.uniform(text, (2, 3, *side))),
                                              lambda net, images: loss_of(net, images, rows))
    steps.lift(net, -2.0)
    raw = raw_outputs(net, images[:1])[0, :, ::STEP]
    scale, net = scaled(net, images[0])
    by, found = found_in(net, images[0])
    tensors |= {f"{name}/{key}": value for key, value in {
        "side": np.array(side), "draw": np.array([draw]), "lift": np.array([2.0]), "scale": np.array([scale]), "shift": np.array([by]),
        "outputs": np.ascontiguousarray(raw.numpy()).astype(np.float32), "loss": np.array([loss]), "gradients": norms,
        "targets": rows, "boxes": found["boxes"].numpy().astype(np.float32), "scores": found["scores"].numpy().astype(np.float32),
        "labels": found["labels"].numpy(), "names": names(nets.make(name, 91))}.items()}
    scores = found["scores"].numpy()
    print(name, "loss", loss, "boxes", len(scores), "scores", scores[:3], scores[-1:], "parameters",
          sum(p.numel() for p in nets.make(name, 91).parameters()), flush=True)
versions = {"pytorch": torch.__version__, "torchvision": torchvision.__version__}
golden.write("detection", tensors, made_by="scripts/golden/detection.py", **versions)
