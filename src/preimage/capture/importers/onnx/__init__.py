"""ONNX files as ordinary PyTorch modules."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torch import fx

if TYPE_CHECKING:
    import onnx

__all__ = ["from_onnx"]


def from_onnx(source: str | os.PathLike[str] | bytes | onnx.ModelProto) -> fx.GraphModule:
    """Read an ONNX network as an ordinary module, whose ``.code`` shows what it computes.

    Convolutions, linear layers, norms and activations become the modules of PyTorch that mean the same, their
    weights parameters of these. Shapes that the file computes from the batch size stay symbolic, and a batch
    size that the exporter froze is set free where that is safe. Activations that old operator sets spell out
    (GELU, swish, hard swish, Mish) become one module again. The parameters do not require gradients.

    Reference: ONNX operator schemas, https://onnx.ai/onnx/operators/

    Args:
        source: path of an ``.onnx`` file (external data must lie in its folder), its bytes, or a model.

    Returns:
        The network in evaluation mode; its inputs in the order of the file.

    Raises:
        ModelFileError: the file is absent, broken, too large, or reads files outside its folder.
        CaptureError: an operator is not known, branches, loops, or is used in a way that has no counterpart;
            the message names the node.
        MissingExtraError: the package ``onnx`` is not installed.

    Cost:
        One pass over the file; the weights are copied once.

    Example:
        >>> import torch
        >>> from onnx import TensorProto, helper
        >>> kind = TensorProto.FLOAT
        >>> ends = [helper.make_tensor_value_info(name, kind, ["N", 3]) for name in "xy"]
        >>> node = helper.make_node("LeakyRelu", ["x"], ["y"], name="act", alpha=0.5)
        >>> graph = helper.make_graph([node], "tiny", ends[:1], ends[1:])
        >>> network = from_onnx(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]))
        >>> network(torch.tensor([[-2.0, 0.0, 3.0]]))
        tensor([[-1.,  0.,  3.]])
    """
    from preimage.capture.importers.onnx.file import read
    from preimage.capture.importers.onnx.translate import translate

    return translate(read(source))
