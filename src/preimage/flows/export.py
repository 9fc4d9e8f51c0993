"""Flows for programs without PyTorch."""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from preimage.errors import MissingExtraError, OutputError
from preimage.flows.flow import Flow
from preimage.layers import FeatureLinear, FrozenLinear

METHODS = ("log_prob", "encode", "decode")


class Method(nn.Module):
    """One method of a flow as a module, for ``torch.export`` and ONNX.

    Args:
        flow: the flow; its parameters are shared.
        name: ``"log_prob"``, ``"encode"`` or ``"decode"``.

    Example:
        >>> from preimage import flows
        >>> Method(flows.maf(2), "encode")(torch.zeros(1, 2)).shape
        torch.Size([1, 2])
    """

    def __init__(self, flow: Flow, name: str) -> None:
        super().__init__()
        if name not in METHODS:
            raise ValueError(f"Method: name is {name!r}, wanted one of {', '.join(map(repr, METHODS))}")
        self.flow, self.name = flow, name

    def forward(self, value: Any, context: Any = None) -> Any:
        """Run the method; several latents come and go as a plain tuple."""
        result = getattr(self.flow, self.name)(value, context)
        return tuple(result) if isinstance(result, tuple) else result


def frozen(flow: Flow) -> Flow:
    """A copy of a flow, in evaluation mode, in which every linear map is plain numbers.

    Args:
        flow: the flow.

    Returns:
        The copy; see :class:`preimage.layers.FrozenLinear`.

    Example:
        >>> from preimage import flows
        >>> x = torch.randn(4, 3)
        >>> flow = flows.nsf_coupling(3, transforms=1).eval()
        >>> torch.allclose(frozen(flow).log_prob(x), flow.log_prob(x), atol=1e-5)
        True
    """
    flow = copy.deepcopy(flow).eval()
    for module in list(flow.modules()):
        for name, child in module.named_children():
            if isinstance(child, FeatureLinear):
                setattr(module, name, FrozenLinear(child))
    return flow.requires_grad_(False)


def export_onnx(flow: Flow, folder: str | Path, example: Any, context: Any = None) -> dict[str, Path]:
    """Write ``log_prob.onnx``, ``encode.onnx`` and ``decode.onnx``, each for any number of rows.

    Args:
        flow: the flow.
        folder: where the files go; it is made if need be.
        example: data ``(N, *event)`` of two rows or more.
        context: conditioning values ``(N, ...)``, for conditional flows.

    Returns:
        The path of each file by the name of the method.

    Raises:
        MissingExtraError: the packages of the extra ``onnx`` are not installed.
        OutputError: the folder cannot be written.
        torch.onnx.errors.OnnxExporterError: a layer has an operation that ONNX lacks.

    Cost: some seconds a method.

    Example:
        >>> import tempfile
        >>> from preimage import flows
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sorted(export_onnx(flows.realnvp(2, transforms=1), folder, torch.zeros(2, 2)))
        ['decode', 'encode', 'log_prob']
    """
    flow = frozen(flow)
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write to {target}: {error.strerror}; choose another place") from error
    with torch.no_grad():
        latents = Method(flow, "encode")(example, context)
    values = {"log_prob": example, "encode": example, "decode": latents}
    return {
        name: _write(Method(flow, name), value, context, target / f"{name}.onnx")
        for name, value in values.items()
    }


def _write(method: Method, value: Any, context: Any, path: Path) -> Path:
    rows = {0: torch.export.Dim.DYNAMIC}
    arguments = (value,) if context is None else (value, context)
    shapes = tuple(tuple(rows for _ in part) if isinstance(part, tuple) else rows for part in arguments)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")  # the exporter speaks about its own constants
            program = torch.onnx.export(method, arguments, dynamo=True, dynamic_shapes=shapes, verbose=False)
    except ImportError as error:
        raise MissingExtraError("export_onnx needs onnxscript; pip install 'preimage[onnx]'") from error
    if program is None:
        raise OutputError(f"the exporter gave nothing for {method.name}")
    program.save(str(path))
    return path
