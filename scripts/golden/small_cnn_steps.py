"""Writes tests/golden/small_cnn_steps.safetensors: five training steps of small_cnn by PyTorch.

In float64, without dropout, batch 8 of "images" and "labels", filled as golden.py says; but the last
norm's weight and bias are an eighth of that, or steps of lr 0.1 on so few images would diverge.
    RULE/losses     before each step
    RULE/NAME       a parameter or buffer after the fifth: all of it, or every 997th element if it has more than 1,000
"""
import numpy as np
import torch

import golden
import steps

RULES = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=5e-4),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=1e-2),
}

tensors = {}
images, labels = steps.images("images", 8, 32), torch.from_numpy(golden.labels("labels", 8, 10))
for rule, make in RULES.items():
    net = steps.filled("small_cnn")
    with torch.no_grad():
        for value in net.bn2.weight, net.bn2.bias:
            value /= 8
    optimizer = make(net.parameters())
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(rule, losses)
    tensors[f"{rule}/losses"] = np.array(losses)
    for name, value in net.state_dict().items():
        flat = value.numpy().reshape(-1)
        tensors[f"{rule}/{name}"] = np.ascontiguousarray(flat if flat.size <= 1000 else flat[::997])
golden.write("small_cnn_steps", tensors, made_by="scripts/golden/small_cnn_steps.py", pytorch=torch.__version__)
