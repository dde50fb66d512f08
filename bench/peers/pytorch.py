"""PyTorch's side of the benchmark: see serve.py for how it is asked.

Variants on the processor: eager, as a model is written; channels_last, the
memory format that oneDNN prefers; compile, torch.compile in its default mode, on
channels_last for images, and for inference with the weights as constants
("freezing"), so that it folds BatchNorm and repacks them; compile_plain,
torch.compile without either.

On a GPU also: graphs and graphs_channels_last, a whole step, with the optimizer,
captured as one CUDA graph; reduce_overhead, torch.compile in the mode that makes
CUDA graphs of the forward and the backward pass; compile_graphs, what
torch.compile made, captured with the optimizer as one graph. Images and labels
lie on the GPU.

All use the fused optimizers.
"""

import contextlib
import gc

import torch
import torch._inductor.config as inductor_config
from torch import nn

import serve
from nets import NETS

VARIANTS = {
    "cpu": ["eager", "channels_last", "compile", "compile_plain"],
    "cuda": ["eager", "channels_last", "graphs", "graphs_channels_last", "compile", "reduce_overhead", "compile_graphs"],
}
IN_CHANNELS_LAST = ["channels_last", "graphs_channels_last", "compile", "reduce_overhead", "compile_graphs"]
COMPILED = ["compile", "compile_plain", "reduce_overhead", "compile_graphs"]
CAPTURED = ["graphs", "graphs_channels_last", "compile_graphs"]

WARM_UPS = 11  # passes before a capture, as PyTorch's manual has them


def count_multiply_adds(model, x):
    """The multiply-adds of convolutions and products in one forward pass."""
    total = 0

    def count(module, _, out):
        nonlocal total
        total += out.numel() * module.weight[0].numel()

    hooks = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    return total


def set_precision(precision):
    """What float32 products and convolutions compute in on a GPU."""
    tf32 = precision == "tf32"
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True


def mixed(device, precision):
    """The context in which a pass runs: bf16 where it is asked for."""
    if precision == "bf16":
        return torch.autocast(device, dtype=torch.bfloat16, cache_enabled=False)
    return contextlib.nullcontext()


def captured(step):
    """A step as one CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UPS):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def open_case(net, device, variant, precision, mode, batch, rate):
    gc.collect()
    torch._dynamo.reset()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    torch.manual_seed(1)
    model = net.model(training=mode == "train").to(device)
    x = torch.rand(batch, *net.shape, device=device)
    facts = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "multiply_adds": count_multiply_adds(model, x),
    }
    if variant in IN_CHANNELS_LAST:
        model = model.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    compiler_mode = "reduce-overhead" if variant == "reduce_overhead" else None
    if variant in COMPILED:
        inductor_config.freezing = variant != "compile_plain" and mode == "infer"

    if mode == "infer":
        def forward(x):
            return model(x)[0]

        if variant in COMPILED:
            forward = torch.compile(forward, mode=compiler_mode)

        def step():
            with torch.inference_mode(), mixed(device, precision):
                forward(x)

        return facts, captured(step) if variant in CAPTURED else step

    optimizer = net.optimizer(model, rate, capturable=variant in CAPTURED)
    labels = torch.randint(net.classes, (batch,), device=device)
    criterion = nn.CrossEntropyLoss()

    def loss_of(x, labels):
        scores = model(x)
        loss = criterion(scores[0], labels)
        for extra in scores[1:]:
            loss = loss + model.auxiliary_weight * criterion(extra, labels)
        return loss

    if variant in COMPILED:
        loss_of = torch.compile(loss_of, mode=compiler_mode)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with mixed(device, precision):
            loss = loss_of(x, labels)
        loss.backward()
        optimizer.step()

    return facts, captured(step) if variant in CAPTURED else step


def on_processor(a):
    torch.set_num_threads(a.threads)
    return (
        f"{a.threads} threads, {torch.backends.cpu.get_cpu_capability()}, "
        f"oneDNN {'on' if torch.backends.mkldnn.is_available() else 'off'}"
    )


def on_gpu(a):
    if not torch.cuda.is_available():
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
        raise SystemExit(f"PyTorch {torch.__version__}, {built}, finds no GPU: torch.cuda.is_available() is false")
    set_precision(a.precision)
    return (
        f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}, "
        f"{torch.cuda.get_device_name()}, {a.precision}"
    )


def main():
    a = serve.arguments(VARIANTS)
    gpu = a.device == "cuda"
    hello = {"name": "PyTorch", "version": torch.__version__, "details": on_gpu(a) if gpu else on_processor(a)}
    serve.serve(
        hello,
        lambda mode, batch, rate: open_case(NETS[a.net], a.device, a.variant, a.precision, mode, batch, rate),
        finish=torch.cuda.synchronize if gpu else lambda: None,
        peak_bytes=torch.cuda.max_memory_reserved if gpu else lambda: 0,
    )


main()
