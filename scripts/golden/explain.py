"""Writes tests/golden/explain.safetensors: maps by pytorch-grad-cam and Captum for two small nets.

    explain.py           needs grad-cam and captum from PyPI

In float64, with 10 classes, filled as in golden.py, of class 3.
    NET/draw      the image is called "explain DRAW", [1, 3, 32, 32]: the first for which float32 agrees
    NET/METHOD    a cam's map of the layer in LAYERS before scaling and after relu; for eigencam, whose sign
                  is arbitrary, before relu; a saliency's values
Occlusion has windows of 8, 4 apart; integrated gradients 50 steps by the midpoint rule; smoothgrad the noise
"explain noise" divided by 4, [20, 3, 32, 32]. Neither package has RISE: its formula, for the masks
"explain masks" [20, 1, 32, 32] above 0.
"""
import captum
import captum.attr
import numpy as np
import pytorch_grad_cam
import torch
from importlib.metadata import version
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

import golden
import steps

LABEL = 3
LAYERS = {"simple_cnn_gap": "features.10", "small_cnn": "bn2"}
CAMS = {
    "gradcam": pytorch_grad_cam.GradCAM,
    "gradcam++": pytorch_grad_cam.GradCAMPlusPlus,
    "hirescam": pytorch_grad_cam.HiResCAM,
    "xgradcam": pytorch_grad_cam.XGradCAM,
    "layercam": pytorch_grad_cam.LayerCAM,
    "eigencam": pytorch_grad_cam.EigenCAM,
    "scorecam": pytorch_grad_cam.ScoreCAM,
    "ablationcam": pytorch_grad_cam.AblationCAM,
}


def cams(net, name, x):
    layer, targets = net.get_submodule(LAYERS[name]), [ClassifierOutputTarget(LABEL)]
    for method, kind in CAMS.items():
        if method == "ablationcam" and name == "small_cnn":
            continue  # after a norm, grad-cam sets channels to a large negative number instead of 0
        cam = kind(model=net, target_layers=[layer])
        cam(input_tensor=x, targets=targets)
        a, g = cam.activations_and_grads.activations[0], cam.activations_and_grads.gradients
        a, g = a.numpy(), g[0].numpy() if g else None
        cam.activations_and_grads.release()
        raw = cam.get_cam_image(x, layer, targets, a, g, False)
        yield method, raw if method == "eigencam" else np.maximum(raw, 0)


def saliencies(net, name, x):
    noise = torch.from_numpy(golden.uniform("explain noise", (20, 3, 32, 32)) / 4).to(x.dtype)
    saliency = captum.attr.Saliency(net)
    yield "gradient", saliency.attribute(x, target=LABEL, abs=False)
    yield "gradient-x-input", captum.attr.InputXGradient(net).attribute(x, target=LABEL)
    yield "integrated-gradients", captum.attr.IntegratedGradients(net).attribute(
        x, target=LABEL, n_steps=50, method="riemann_middle")
    yield "smoothgrad", saliency.attribute(x + noise, target=LABEL, abs=False).mean(0, keepdim=True)
    if name == "simple_cnn_gap":  # the other's relus are not modules, which Captum needs
        yield "guided-backprop", captum.attr.GuidedBackprop(net).attribute(x, target=LABEL)
    yield "occlusion", captum.attr.Occlusion(net).attribute(x, (3, 8, 8), strides=(3, 4, 4), target=LABEL)[:, :1]
    masks = torch.from_numpy(golden.uniform("explain masks", (20, 1, 32, 32)) > 0).to(x.dtype)
    scores = torch.softmax(net(x * masks), 1)[:, LABEL]
    yield "rise", (scores[:, None, None, None] * masks).sum(0, keepdim=True) / 10


def results(name, draw, dtype):
    net = steps.filled(name).eval().to(dtype)
    x = steps.images(f"explain {draw}", 1, 32).to(dtype)
    values = {method: np.asarray(v.detach() if torch.is_tensor(v) else v) for method, v in saliencies(net, name, x)}
    return values | dict(cams(net, name, x))


tensors = {}
for name in LAYERS:
    for draw in range(100):
        exact, rounded = results(name, draw, torch.float64), results(name, draw, torch.float32)
        close = {k: np.abs(np.abs(exact[k]) - np.abs(rounded[k])).max() / np.abs(exact[k]).max() for k in exact}
        if max(close.values()) < 2e-5 and all(np.abs(v).max() > 0 for v in exact.values()):
            break
        print(name, draw, {k: float(f"{v:.1e}") for k, v in close.items() if not v < 2e-5})
    tensors[f"{name}/draw"] = np.array([draw], np.int64)
    for method, value in exact.items():
        tensors[f"{name}/{method}"] = value.astype(np.float32)
golden.write("explain", tensors, **{"from": f"explain.py, torch {torch.__version__}, grad-cam {version('grad-cam')}, "
                                            f"captum {captum.__version__}"})
