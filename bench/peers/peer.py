#!/usr/bin/env python3
"""Times one training step or one inference of a net in another program, for compare.py. Prints one JSON document.

    peer.py ENGINE --net resnet50 --batch 16 --task step|infer|epoch [--threads 2] [--weights FILE.pth] [--output y.npy]
        [--inputs x.npy --targets y.npy]

ENGINE: torch-nhwc, torch-nchw (eager), torch-compile, onnxruntime, openvino, ncnn (the last three: inference only).

A step is the same work as `fovea bench step`: images normalised, forward in train mode, the loss, backward, SGD with
momentum 0.9; its loss with the weights as given is printed, too. Inference normalises images, too: floats from 0 to 1, where
`fovea bench infer` takes bytes. With --output the net's result for a fixed input is written, so that both sides can be compared.
"""
import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time

import numpy as np

import epoch


def fixed_input(batch, size):
    """Normalised images."""
    return np.random.default_rng(7).standard_normal((batch, 3, size, size), dtype=np.float32)


def fixed_images(batch, size):
    """The same before they are normalised."""
    from work import MEAN, STD

    return fixed_input(batch, size) * np.float32(STD) + np.float32(MEAN)


def median_seconds(run, warmup, samples):
    seconds = []
    for i in range(warmup + samples):
        start = time.perf_counter()
        run()
        if i >= warmup:
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def torch_net(args):
    import torch
    from work import Normalised, net_of

    torch.set_num_threads(args.threads)
    torch.set_num_interop_threads(1)
    torch.set_flush_denormal(True)
    net = net_of(args.net)
    if args.weights:
        net.load_state_dict(torch.load(args.weights, weights_only=True))
    return Normalised(net) if args.task == "infer" else net


def torch_engine(args):
    import torch
    from work import input_of, loss_of, prepared

    net, form, autocast = torch_net(args), None, lambda: torch.autocast("cpu", torch.bfloat16, args.precision == "bf16")
    axes = len(input_of(args.net)) - 1
    if args.engine != "torch-nchw" and axes > 1:  # PyTorch has no channels-last form of series
        form = torch.channels_last if axes == 2 else torch.channels_last_3d
        net = net.to(memory_format=form)
    run_net = torch.compile(net) if args.engine == "torch-compile" else net
    if args.task == "infer":
        net.eval()
        x = prepared(torch.from_numpy(fixed_images(args.batch, input_of(args.net)[1])), form)

        @torch.inference_mode()
        def infer():
            return run_net(x)

        return infer, lambda: infer().numpy(), torch.__version__
    net.train()
    if args.task == "epoch":
        return lambda: epoch.with_torch(net, args, form, run_net), None, torch.__version__
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, fused=True)
    inputs, targets = torch.from_numpy(np.load(args.inputs)), torch.from_numpy(np.load(args.targets))

    def step():
        with autocast():
            loss = loss_of(args.net, run_net, prepared(inputs, form), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step, None, torch.__version__


def exported(args, folder):
    """The net as an ONNX file."""
    import torch

    from work import input_of

    net, size = torch_net(args), input_of(args.net)[1]
    path = os.path.join(folder, "net.onnx")
    x = torch.from_numpy(fixed_images(args.batch, size))
    torch.onnx.export(net.eval(), (x,), path, input_names=["x"], output_names=["y"], dynamo=False, verbose=False)
    return path, x.numpy()


def onnxruntime_engine(args, folder):
    import onnxruntime

    path, x = exported(args, folder)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    run = lambda: session.run(None, {"x": x})[0]
    return run, run, onnxruntime.__version__


def openvino_engine(args, folder):
    import openvino

    path, x = exported(args, folder)
    compiled = openvino.Core().compile_model(path, "CPU", {
        "INFERENCE_NUM_THREADS": args.threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    given, output = openvino.Tensor(x, shared_memory=True), request.get_output_tensor()
    request.set_input_tensor(given)

    def run(kept=(x, given)):  # the tensor does not own the memory that it shares
        request.infer()
        return output.data

    return run, lambda: run().copy(), openvino.__version__


def ncnn_engine(args, folder):
    import ncnn
    import pnnx  # noqa: F401 (converts; pip install pnnx)
    import torch

    from work import input_of

    net = torch_net(args)
    x = fixed_images(1, input_of(args.net)[1])
    traced = os.path.join(folder, "net.pt")
    pnnx.export(net.eval(), traced, (torch.from_numpy(x),))
    engine = ncnn.Net()
    engine.opt.num_threads = args.threads
    engine.opt.use_fp16_packed = engine.opt.use_fp16_storage = engine.opt.use_fp16_arithmetic = False
    engine.opt.use_bf16_storage = False
    engine.load_param(traced.replace(".pt", ".ncnn.param"))
    engine.load_model(traced.replace(".pt", ".ncnn.bin"))
    given = ncnn.Mat(x[0]).clone()

    def run():
        with engine.create_extractor() as extractor:
            extractor.input("in0", given)
            return np.array(extractor.extract("out0")[1])[None]

    return run, run, ncnn.__version__


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("engine")
    parser.add_argument("--net", required=True)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--task", choices=["step", "infer", "epoch"], default="infer")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32", help="of a step")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--warmup", type=int, default=5)
    parser.add_argument("--samples", type=int, default=15)
    parser.add_argument("--weights")
    parser.add_argument("--output")
    parser.add_argument("--inputs", help="of a step, with --targets: see work.batch_of")
    parser.add_argument("--targets")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.engine.startswith("torch"):
            run, result, version = torch_engine(args)
        else:
            run, result, version = {"onnxruntime": onnxruntime_engine, "openvino": openvino_engine,
                                    "ncnn": ncnn_engine}[args.engine](args, folder)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if args.output:
            np.save(args.output, np.asarray(result(), dtype=np.float32))
        if args.task == "epoch":
            done = run()
        else:
            done = {"loss": run()} if args.task == "step" else {}
            done["median_ms"] = median_seconds(run, args.warmup, args.samples) * 1e3
    print(json.dumps(done | {"engine": args.engine, "version": version,
                             "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                             "memory_before_bytes": before * 1024}))


if __name__ == "__main__":
    sys.exit(main())
