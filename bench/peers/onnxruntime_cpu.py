"""ONNX Runtime's side of the benchmark, inference only: see serve.py.

The network is the one of nets.py, exported by PyTorch; all of ONNX Runtime's
graph optimizations are on.
"""

import tempfile

import onnxruntime
import torch

import serve
from nets import NETS


class Scores(torch.nn.Module):
    """The main classifier's scores."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x)[0]


def open_case(net, threads, mode, batch):
    if mode != "infer":
        raise ValueError("inference only")
    torch.manual_seed(1)
    model = Scores(net.model(training=False)).eval()
    x = torch.rand(batch, *net.shape)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/net.onnx"
        torch.onnx.export(model, (x,), path, input_names=["data"], output_names=["scores"], dynamo=True)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feeds = {"data": x.numpy()}
    facts = {"parameters": sum(p.numel() for p in model.parameters())}
    return facts, lambda: session.run(["scores"], feeds)


def main():
    a = serve.arguments({"cpu": ["default"]})
    torch.set_num_threads(a.threads)
    hello = {"name": "ONNX Runtime", "version": onnxruntime.__version__, "details": f"{a.threads} threads"}
    serve.serve(hello, lambda mode, batch, rate: open_case(NETS[a.net], a.threads, mode, batch))


main()
