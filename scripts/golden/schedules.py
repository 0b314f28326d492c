"""Writes tests/golden/schedules.safetensors: learning rates of PyTorch's schedulers for a base rate of 1.

20 epochs of 10 steps:
    onecycle                before each step: OneCycleLR(max_lr=1, total_steps=200)
    onecycle:0.2:10:100     pct_start 0.2, div_factor 10, final_div_factor 100
    cosine:per=epoch, linear:0.1:per=epoch, polynomial:2:per=epoch, step:5:0.3:per=epoch    in each epoch
    plateau:0.5:2, plateau:0.1:1:0.05:0.01    in each epoch, by "metric" of the epochs before, larger being better
    metric                  of each epoch
"""
import warnings

import numpy as np
import torch

import golden

warnings.filterwarnings("ignore")
EPOCHS, STEPS = 20, 10
metric = np.round(np.minimum(0.5 + 0.06 * np.arange(EPOCHS), 0.7) + 0.02 * golden.uniform("metric", (EPOCHS,)), 4)


def rates(make, steps, argument=lambda i: ()):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1)
    scheduler = make(optimizer)
    result = []
    for i in range(steps):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(*argument(i))
    return np.array(result)


lr = torch.optim.lr_scheduler
steps = EPOCHS * STEPS
value = lambda i: (metric[i],)
tensors = {
    "onecycle": rates(lambda o: lr.OneCycleLR(o, 1, steps, cycle_momentum=False), steps),
    "onecycle:0.2:10:100": rates(lambda o: lr.OneCycleLR(o, 1, steps, pct_start=0.2, div_factor=10, final_div_factor=100, cycle_momentum=False), steps),
    "cosine:per=epoch": rates(lambda o: lr.CosineAnnealingLR(o, EPOCHS), EPOCHS),
    "linear:0.1:per=epoch": rates(lambda o: lr.LinearLR(o, 1, 0.1, EPOCHS), EPOCHS),
    "polynomial:2:per=epoch": rates(lambda o: lr.PolynomialLR(o, EPOCHS, 2), EPOCHS),
    "step:5:0.3:per=epoch": rates(lambda o: lr.StepLR(o, 5, 0.3), EPOCHS),
    "plateau:0.5:2": rates(lambda o: lr.ReduceLROnPlateau(o, "max", 0.5, 2), EPOCHS, value),
    "plateau:0.1:1:0.05:0.01": rates(lambda o: lr.ReduceLROnPlateau(o, "max", 0.1, 1, 0.05, min_lr=0.01), EPOCHS, value),
    "metric": metric,
}
for name in "plateau:0.5:2", "plateau:0.1:1:0.05:0.01":
    assert len(set(tensors[name])) > 2, (name, tensors[name], metric)
golden.write("schedules", tensors, made_by="scripts/golden/schedules.py", pytorch=torch.__version__)
