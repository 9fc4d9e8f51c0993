"""Networks that have no graph, or no fixed output, refused before anything is traced."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.parameter import is_lazy

from preimage.errors import CaptureError, NonFiniteError, NotInvertibleError

EXPORTED = "give program.module(), or better the nn.Module that it was exported from"


def refuse_what_is_no_network(model: object) -> None:
    """Refuse everything that is no ``nn.Module`` whose operations can be read.

    Raises:
        CaptureError: for a function, a class, an exported or scripted program, quantised or meta weights.
    """
    if isinstance(model, ExportedProgram):
        raise CaptureError(f"the network is an ExportedProgram; an nn.Module was wanted: {EXPORTED}")
    if not isinstance(model, nn.Module):
        raise CaptureError(_no_module(model))
    if isinstance(model, torch.jit.ScriptModule):
        raise CaptureError(
            f"the network is a {type(model).__name__}, whose operations cannot be traced again; the nn.Module"
            " that it was scripted from was wanted: build that one and load the weights with"
            " load_state_dict(scripted.state_dict())"
        )
    for path, module in model.named_modules():
        if "quantized" in type(module).__module__:
            raise CaptureError(
                f"layer {path!r} is the quantised {type(module).__qualname__}, whose weights are packed whole"
                " numbers; a network of floating-point weights was wanted: invert it before it is quantised"
            )
    _refuse_weights(model)


def _no_module(model: object) -> str:
    if isinstance(model, type):
        return f"the network is the class {model.__name__}; an object of it was wanted: {model.__name__}(...)"
    came = getattr(model, "__name__", type(model).__name__)
    hint = "wrap it in an nn.Module whose forward calls it" if callable(model) else "give the network itself"
    if isinstance(model, dict):
        hint = "build the network and call its load_state_dict with this"
    return f"the network is {came!r}, no nn.Module; an nn.Module was wanted: {hint}"


def _refuse_weights(model: nn.Module) -> None:
    for kind, tensors in (("parameter", model.named_parameters()), ("buffer", model.named_buffers())):
        for name, tensor in tensors:
            if is_lazy(tensor):
                raise CaptureError(
                    f"{kind} {name!r} of a lazy layer has no shape yet; weights were wanted: call the network"
                    " once on an input, or load_state_dict"
                )
            if tensor.is_meta:
                raise CaptureError(
                    f"{kind} {name!r} is on the meta device and has no values; weights were wanted: call"
                    " model.to_empty(device='cpu') and load_state_dict first"
                )
            if tensor.is_inference():
                raise CaptureError(
                    f"{kind} {name!r} was made in torch.inference_mode, so that no derivative of the network"
                    " exists; ordinary weights were wanted: build the network outside that mode, and load the"
                    " weights with load_state_dict"
                )
            if bool(tensor.isnan().any()):
                raise NonFiniteError(
                    f"{kind} {name!r} holds NaN; numbers were wanted: look for the step of the training after"
                    " which they came"
                )


def refuse_example(model: nn.Module, examples: tuple[Tensor, ...]) -> None:
    """Refuse an example that the network itself cannot take.

    Raises:
        CaptureError: with the line at which the network's own forward pass fails.

    Cost: one forward pass.
    """
    try:
        with torch.no_grad():
            model(*(example.clone() for example in examples))
    except Exception as error:
        came = ", ".join(f"{tuple(example.shape)} of {example.dtype}" for example in examples)
        raise CaptureError(
            f"the network's own forward pass fails on the example {came}{place_of(error)}. Reason:"
            f" {reason_of(error)}. An example that the network takes was wanted: one tensor (N, ...) for each"
            " of its inputs, of the shape, number type and device that it was trained on; for a network that"
            " takes lists or keywords, wrap it in an nn.Module whose forward takes tensors"
        ) from error


def place_of(error: Exception) -> str:
    """The innermost line of the user's own code in a traceback, in words; empty where there is none."""
    frames = traceback.extract_tb(error.__traceback__)
    foreign = ("/torch/", "/preimage/capture/")
    own = [f for f in frames if f.line and not any(folder in f.filename for folder in foreign)]
    return f' at {own[-1].filename}, line {own[-1].lineno}: "{own[-1].line}"' if own else ""


def reason_of(error: Exception) -> str:
    """The first line of an error, without its full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def refuse_training_mode(model: nn.Module) -> None:
    """Refuse layers whose output depends on the other samples of the batch, on chance, or on the last call.

    Raises:
        NotInvertibleError: with the path of the layer.
    """
    for path, module in model.named_modules():
        for is_refused, why in REFUSED:
            if is_refused(module):
                raise NotInvertibleError(f"layer {path!r} ({type(module).__name__}) {why}")


def _is_training(module: nn.Module) -> bool:
    random = isinstance(module, _DropoutNd | nn.MultiheadAttention | nn.RNNBase) and _chance(module) > 0
    return module.training and (random or isinstance(module, _BatchNorm | nn.RReLU))


def _chance(module: nn.Module) -> float:
    return float(getattr(module, "p", 0.0) or getattr(module, "dropout", 0.0) or 0.0)


def _has_no_statistics(module: nn.Module) -> bool:
    return isinstance(module, _BatchNorm) and not module.training and module.running_mean is None


def _changes_its_weight(module: nn.Module) -> bool:
    """Spectral normalisation takes a step of its power iteration at every call in training mode."""
    hooks = (type(hook).__name__ for hook in module._forward_pre_hooks.values())
    return module.training and (type(module).__name__ == "_SpectralNorm" or "SpectralNorm" in hooks)


REFUSED: tuple[tuple[Callable[[nn.Module], bool], str], ...] = (
    (
        _is_training,
        "is in training mode, where its output is not a function of one sample; a fixed network was wanted:"
        " call model.eval() first",
    ),
    (
        _has_no_statistics,
        "keeps no running statistics, so that its output depends on the other samples of the batch, in"
        " evaluation mode too; a function of one sample was wanted: build it with track_running_stats=True"
        " and run some data through it in training mode, or use a group, layer or instance norm",
    ),
    (
        _changes_its_weight,
        "is in training mode, where spectral normalisation changes the weight at every call; a fixed network"
        " was wanted: call model.eval() first",
    ),
)
"""Which layers are refused, and why."""
