"""PyTorch's side of the benchmark: see serve.py for how it is asked.

Variants: eager, as a model is written; channels_last, the memory format that
oneDNN prefers; compile, torch.compile in its default mode, on channels_last for
images, and for inference with the weights as constants ("freezing"), so that it
folds BatchNorm and repacks them; compile_plain, torch.compile without either.
All use the fused optimizers.
"""

import gc

import torch
import torch._inductor.config as inductor_config
from torch import nn

import serve
from nets import NETS

VARIANTS = ["eager", "channels_last", "compile", "compile_plain"]


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


def open_case(net, variant, mode, batch, rate):
    gc.collect()
    torch._dynamo.reset()
    torch.manual_seed(1)
    model = net.model(training=mode == "train")
    x = torch.rand(batch, *net.shape)
    facts = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "multiply_adds": count_multiply_adds(model, x),
    }
    if variant in ("channels_last", "compile"):
        model = model.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    compiled = variant in ("compile", "compile_plain")
    if compiled:
        inductor_config.freezing = variant == "compile" and mode == "infer"

    if mode == "infer":
        def forward(x):
            return model(x)[0]

        if compiled:
            forward = torch.compile(forward)

        def step():
            with torch.inference_mode():
                forward(x)

        return facts, step

    optimizer = net.optimizer(model, rate)
    labels = torch.randint(net.classes, (batch,))
    criterion = nn.CrossEntropyLoss()

    def loss_of(x, labels):
        scores = model(x)
        loss = criterion(scores[0], labels)
        for extra in scores[1:]:
            loss = loss + model.auxiliary_weight * criterion(extra, labels)
        return loss

    if compiled:
        loss_of = torch.compile(loss_of)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss_of(x, labels).backward()
        optimizer.step()

    return facts, step


def main():
    a = serve.arguments(VARIANTS)
    torch.set_num_threads(a.threads)
    hello = {
        "name": "PyTorch",
        "version": torch.__version__,
        "details": f"{a.threads} threads, {torch.backends.cpu.get_cpu_capability()}, "
        f"oneDNN {'on' if torch.backends.mkldnn.is_available() else 'off'}",
    }
    serve.serve(hello, lambda mode, batch, rate: open_case(NETS[a.net], a.variant, mode, batch, rate))


main()
