#!/usr/bin/env python3
"""Records the output of each layer of a PyTorch model for one input, for `fovea parity`.

For torchvision's models:
    record_trace.py --model resnet18 --weights resnet18-f37072fd.pth --output trace.npz [--input 3x224x224] [--seed 0]
    fovea parity --model resnet18 --weights resnet18-f37072fd.pth --trace trace.npz
For your own, from Python:
    from record_trace import record
    record(model, x, "trace.npz")

The file holds "input", "output" and, by its name in model.named_modules(), the output of each module (of its last call,
if there are several). Needs PyTorch and NumPy, torchvision only for --model.
"""
import argparse

import numpy as np
import torch


def record(model, x, path):
    """Runs model(x) in eval mode and writes every module's output to path. x: float32 [N, C, H, W]."""
    arrays = {"input": x}
    handles = []
    for name, module in model.named_modules():

        def keep(_module, _inputs, output, name=name or "output"):
            if isinstance(output, torch.Tensor):
                arrays[name] = output.detach().clone()  # in-place layers change it afterwards

        handles.append(module.register_forward_hook(keep))
    was_training = model.training
    try:
        with torch.no_grad():
            model.eval()(x)
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    np.savez(path, **{name: np.ascontiguousarray(value.float().numpy()) for name, value in arrays.items()})


def load(name, weights):
    import torchvision

    state = torch.load(weights, map_location="cpu", weights_only=True)
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    if options:  # published weights have the auxiliary heads
        options["aux_logits"] = any(key.startswith(("aux1", "AuxLogits")) for key in state)
    classes = len(list(state.values())[-1])
    model = torchvision.models.get_model(name, weights=None, num_classes=classes, **options)
    model.load_state_dict(state)
    return model


def main():
    parser = argparse.ArgumentParser(description="Records a PyTorch model's layers for `fovea parity`.")
    parser.add_argument("--model", required=True, help="model of torchvision")
    parser.add_argument("--weights", required=True, help="its state dict, a .pth file")
    parser.add_argument("--input", default="3x224x224", help="size of the one random image")
    parser.add_argument("--seed", type=int, default=0, help="seed of the image")
    parser.add_argument("--output", required=True, help="the .npz file to write")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    x = torch.randn(1, *(int(size) for size in args.input.split("x")))
    record(load(args.model, args.weights), x, args.output)
    print(f"{args.output}: PyTorch {torch.__version__}, {args.model}")


if __name__ == "__main__":
    main()
