"""One training step of a net in PyTorch, for images that float32 can be trusted with."""
import copy

import numpy as np
import torch

import golden
import nets

NORMS = torch.nn.modules.batchnorm._BatchNorm, torch.nn.GroupNorm


def fill(net):
    """The net in float64, every parameter and buffer filled by golden.value."""
    net = net.double()
    net.load_state_dict({k: torch.from_numpy(golden.value(k, tuple(v.shape))) for k, v in net.state_dict().items()})
    return net


def filled(name, classes=10, aux=False):
    return fill(nets.make(name, classes, aux))


def images(name, count, side, channels=3, axes=2):
    return torch.from_numpy(golden.uniform(name, (count, channels, *[side] * axes)))


def lift(net, by):
    """Adds to the biases of all norms."""
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, NORMS):
                module.bias += by


def loss_and_norms(net, loss_of):
    """loss_of(net) in train mode, and the norm of its gradient for each parameter; batch statistics stay as they are."""
    before = {k: v.clone() for k, v in net.state_dict().items()}
    net.zero_grad()
    loss = loss_of(net.train())
    loss.backward()
    norms = np.array([p.grad.double().norm().item() for p in net.parameters()])
    net.load_state_dict(before)
    return loss.item(), norms


def draw_of(net, images_of, loss_of):
    """(draw, images, loss, norms) for the first of the images images_of("images DRAW") whose gradients PyTorch's own
    float32 agrees with, or the best tried: when a relu's input is so near to 0 that rounding moves it across, gradients jump.
    The loss is loss_of(net, images)."""
    best, single_net = None, copy.deepcopy(net).float()
    for draw in range(12):
        images = images_of(f"images {draw}")
        loss, norms = loss_and_norms(net, lambda net: loss_of(net, images))
        _, single = loss_and_norms(single_net, lambda net: loss_of(net, images.float()))
        off = (np.abs(single - norms) / np.maximum(1e-3 * norms, 1e-6 * norms.max())).max()
        if best is None or off < best[0]:
            best = off, draw, images, loss, norms
        if off < 0.2:
            break
    print(f"    draw {best[1]}: PyTorch's float32 is {best[0]:.3f} of the bound away", flush=True)
    return best[1:]
