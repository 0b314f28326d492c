"""Writes tests/golden/optimizers.safetensors: ten updates by each optimiser, in float64.

The parameters "wide", "tall", "filter" and "vector" start at "parameter:NAME", and their gradient in step i (from 1) is
"gradient:i:NAME", filled as golden.py says; lr 0.02, weight decay 0.01.
    OPTIMIZER/STEPS/NAME    after 1 and 10 steps; OPTIMIZER is the text of --optimizer

SGD, AdamW and RMSprop are PyTorch's. LAMB is Algorithm 2 of You et al. 2020. Muon is computed by its formulas, since PyTorch
rounds its matrix products to bfloat16; that it is PyTorch's up to this rounding is checked here.
"""
import numpy as np
import torch

import golden

SHAPES = {"wide": (4, 6), "tall": (7, 3), "filter": (4, 3, 3, 3), "vector": (5,)}
LR, DECAY, STEPS = 0.02, 0.01, 10


class Lamb:
    def __init__(self, parameters, beta1=0.9, beta2=0.999, eps=1e-6):
        self.parameters, self.beta1, self.beta2, self.eps, self.t = parameters, beta1, beta2, eps, 0
        self.m = [torch.zeros_like(p) for p in parameters]
        self.v = [torch.zeros_like(p) for p in parameters]

    @torch.no_grad()
    def step(self):
        self.t += 1
        for p, m, v in zip(self.parameters, self.m, self.v):
            m.copy_(self.beta1 * m + (1 - self.beta1) * p.grad)
            v.copy_(self.beta2 * v + (1 - self.beta2) * p.grad**2)
            r = (m / (1 - self.beta1**self.t)) / ((v / (1 - self.beta2**self.t)).sqrt() + self.eps)
            update = r + DECAY * p
            ratio = p.norm() / update.norm() if p.norm() > 0 and update.norm() > 0 else 1
            p -= LR * ratio * update


class Muon:
    def __init__(self, parameters, momentum=0.95, nesterov=True, steps=5, coefficients=(3.4445, -4.7750, 2.0315), rescale=False):
        self.parameters = parameters
        self.momentum, self.nesterov, self.steps, self.coefficients, self.rescale = momentum, nesterov, steps, coefficients, rescale
        self.buffers = [torch.zeros_like(p) for p in parameters]

    def orthogonalized(self, g):
        a, b, c = self.coefficients
        x = g.flatten(1)
        tall = x.shape[0] > x.shape[1]
        x = x.T if tall else x
        x = x / x.norm().clamp(min=1e-7)
        for _ in range(self.steps):
            gram = x @ x.T
            x = a * x + (b * gram + c * gram @ gram) @ x
        return (x.T if tall else x).reshape(g.shape)

    @torch.no_grad()
    def step(self):
        for p, m in zip(self.parameters, self.buffers):
            m.copy_(self.momentum * m + (1 - self.momentum) * p.grad)
            g = (1 - self.momentum) * p.grad + self.momentum * m if self.nesterov else m
            if self.rescale:
                p *= len(p) ** 0.5 / p.norm()
            rows, columns = len(p), p[0].numel()
            p *= 1 - LR * DECAY
            p -= LR * max(1, rows / columns) ** 0.5 * self.orthogonalized(g)


torch_optim = lambda kind, **options: lambda p: kind(p, lr=LR, weight_decay=DECAY, **options)
RULES = {
    "sgd": torch_optim(torch.optim.SGD, momentum=0.9),
    "sgd:0": torch_optim(torch.optim.SGD),
    "nesterov": torch_optim(torch.optim.SGD, momentum=0.9, nesterov=True),
    "adamw": torch_optim(torch.optim.AdamW),
    "rmsprop": torch_optim(torch.optim.RMSprop),
    "rmsprop:alpha=0.9,eps=1e-6,momentum=0.8": torch_optim(torch.optim.RMSprop, alpha=0.9, eps=1e-6, momentum=0.8),
    "rmsprop:momentum=0.5,centered=true": torch_optim(torch.optim.RMSprop, momentum=0.5, centered=True),
    "lamb": Lamb,
    "lamb:beta1=0.8,beta2=0.95,eps=1e-3": lambda p: Lamb(p, 0.8, 0.95, 1e-3),
    "muon": Muon,
    "muon:momentum=0.6,steps=3,rescale=true": lambda p: Muon(p, momentum=0.6, steps=3, rescale=True),
    "muon:steps=3,nesterov=false,a=3.4576,b=-4.7391,c=2.0843": lambda p: Muon(p, nesterov=False, steps=3, coefficients=(3.4576, -4.7391, 2.0843)),
}


def trained(make, names):
    """The parameters after 1 and STEPS steps."""
    parameters = {name: torch.from_numpy(golden.uniform(f"parameter:{name}", SHAPES[name])).requires_grad_() for name in names}
    rule = make(list(parameters.values()))
    for step in range(1, STEPS + 1):
        for name, p in parameters.items():
            p.grad = torch.from_numpy(golden.uniform(f"gradient:{step}:{name}", SHAPES[name]))
        rule.step()
        if step in (1, STEPS):
            yield from ((f"{step}/{name}", p.detach().numpy().copy()) for name, p in parameters.items())


tensors = {}
for text, make in RULES.items():
    names = [name for name in SHAPES if not text.startswith("muon") or name != "vector"]
    tensors |= {f"{text}/{key}": value for key, value in trained(make, names)}

matrices = ["wide", "tall"]  # PyTorch's takes no filters
reference = dict(trained(torch_optim(torch.optim.Muon), matrices))
for key, value in trained(Muon, matrices):
    assert np.abs(value - reference[key]).max() < 0.02 * LR * int(key.split("/")[0]), key
golden.write("optimizers", tensors, made_by="scripts/golden/optimizers.py", pytorch=torch.__version__)
