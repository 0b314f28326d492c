"""Writes tests/golden/models.safetensors: what PyTorch computes with the registry's nets.

In float64, without dropout, on two images "images" and their "labels", filled as golden.py says.
    MODEL/side       of the images
    MODEL/logits     in eval mode
    MODEL/loss       in train mode: the mean cross-entropy
    MODEL/gradients  the norm of its gradient for each parameter, in their order
"""
import numpy as np
import torch

import golden
import nets

tensors = {}
labels = torch.from_numpy(golden.labels("labels", 2, 10))
for name, (_, side) in nets.NETS.items():
    net, images = nets.make(name), nets.images("images", 2, side)
    with torch.no_grad():
        tensors[f"{name}/logits"] = net.eval()(images).numpy()
    loss = torch.nn.functional.cross_entropy(net.train()(images), labels)
    loss.backward()
    tensors[f"{name}/side"] = np.array([side], np.int64)
    tensors[f"{name}/loss"] = np.array([loss.item()])
    tensors[f"{name}/gradients"] = np.array([p.grad.norm().item() for p in net.parameters()])
    norms = tensors[f"{name}/gradients"]
    print(name, loss.item(), np.abs(tensors[f"{name}/logits"]).max(), norms.min(), norms.max())
golden.write("models", tensors, made_by="scripts/golden/models.py", pytorch=torch.__version__)
