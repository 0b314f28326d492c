#!/usr/bin/env python3
"""Times one training step or one inference of a net in another program, for compare.py. Prints one JSON document.

    peer.py ENGINE --net resnet50 --batch 16 --task step|infer [--threads 2] [--weights FILE.pth] [--output y.npy]

ENGINE: torch-nhwc, torch-nchw (eager), torch-compile, onnxruntime, openvino, ncnn (the last three: inference only).

A step is the same work as `fovea bench step`: u8 images normalised, forward in train mode, mean cross-entropy, backward,
SGD with momentum 0.9. With --output the net's result for a fixed input is written, so that both sides can be compared.
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


def fixed_input(batch, size):
    return np.random.default_rng(7).standard_normal((batch, 3, size, size), dtype=np.float32)


def median_seconds(run, warmup, samples):
    seconds = []
    for i in range(warmup + samples):
        start = time.perf_counter()
        run()
        if i >= warmup:
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def torch_net(args, form):
    import torch
    from nets import make

    torch.set_num_threads(args.threads)
    torch.set_num_interop_threads(1)
    torch.set_flush_denormal(True)
    net, size = make(args.net)
    if args.weights:
        net.load_state_dict(torch.load(args.weights, weights_only=True))
    return net.to(memory_format=form), size


def torch_engine(args):
    import torch

    nhwc = args.engine != "torch-nchw"
    form = torch.channels_last if nhwc else torch.contiguous_format
    net, size = torch_net(args, form)
    run_net = torch.compile(net) if args.engine == "torch-compile" else net
    if args.task == "infer":
        net.eval()
        x = torch.from_numpy(fixed_input(args.batch, size)).contiguous(memory_format=form)

        @torch.inference_mode()
        def infer():
            return run_net(x)

        return infer, lambda: infer().numpy(), torch.__version__
    net.train()
    classes = net(torch.zeros(2, 3, size, size)).shape[1]
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, fused=True)
    images = torch.randint(0, 256, (args.batch, size, size, 3), dtype=torch.uint8)
    labels = torch.randint(0, classes, (args.batch,))
    mean, std = torch.full((3, 1, 1), 0.5), torch.full((3, 1, 1), 0.25)

    def step():
        x = images.permute(0, 3, 1, 2).float().div_(255).sub_(mean).div_(std)
        loss = torch.nn.functional.cross_entropy(run_net(x.contiguous(memory_format=form)), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step, None, torch.__version__


def exported(args, folder):
    """The net as an ONNX file."""
    import torch

    net, size = torch_net(args, torch.contiguous_format)
    path = os.path.join(folder, "net.onnx")
    x = torch.from_numpy(fixed_input(args.batch, size))
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

    net, size = torch_net(args, torch.contiguous_format)
    x = fixed_input(1, size)
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
    parser.add_argument("--task", choices=["step", "infer"], default="infer")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--warmup", type=int, default=5)
    parser.add_argument("--samples", type=int, default=15)
    parser.add_argument("--weights")
    parser.add_argument("--output")
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
        seconds = median_seconds(run, args.warmup, args.samples)
    print(json.dumps({"engine": args.engine, "version": version, "median_ms": seconds * 1e3,
                      "images_per_second": args.batch / seconds,
                      "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                      "memory_before_bytes": before * 1024}))


if __name__ == "__main__":
    sys.exit(main())
