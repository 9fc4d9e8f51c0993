"""Matrix products."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from preimage.capture.importers.builder import Value, depends
from preimage.capture.importers.layers import filled
from preimage.capture.importers.onnx.operation import Operation, operator


@operator("Gemm")
def gemm(op: Operation) -> Value:
    """``alpha A B + beta C``, with transposes; a linear layer where B and C are constants."""
    alpha, beta = op.attribute("alpha", 1.0), op.attribute("beta", 1.0)
    a, b, c = op.input(0), op.input(1), op.input(2)
    if op.attribute("transA", 0):
        a = op.build.call(torch.transpose, a, 0, 1)
    constant = isinstance(b, Tensor) and (c is None or isinstance(c, Tensor))
    if constant and depends(a):
        weight = alpha * (b if op.attribute("transB", 0) else b.T)  # (out, in)
        bias = _bias(c, beta, weight)
        if bias is not None or c is None:
            return _layer(op, a, weight, bias)
    b = op.build.call(torch.transpose, b, 0, 1) if op.attribute("transB", 0) else b
    y = op.build.call(torch.matmul, a, b)
    y = y if alpha == 1 else op.build.call(torch.mul, y, alpha)
    if c is None:
        return y
    return op.build.call(torch.add, y, c if beta == 1 else op.build.call(torch.mul, c, beta))


@operator("MatMul")
def matmul(op: Operation) -> Value:
    """Batched matrix product; a linear layer where the second operand is a constant matrix."""
    a, b = op.input(0), op.input(1)
    if isinstance(b, Tensor) and b.dim() == 2 and b.is_floating_point() and depends(a):
        return _layer(op, a, b.T, None)
    return op.build.call(torch.matmul, a, b)


@operator("Einsum")
def einsum(op: Operation) -> Value:
    """Sums over named axes."""
    equation = op.attribute("equation")
    equation = equation.decode() if isinstance(equation, bytes) else equation
    return op.build.call(torch.einsum, equation, *op.inputs)


def _bias(c: Tensor | None, beta: float, weight: Tensor) -> Tensor | None:
    """A bias ``(out,)``, or None where the summand is no bias."""
    if c is None or c.numel() not in (1, weight.shape[0]) or (c.dim() > 1 and c.shape[-1] != c.numel()):
        return None
    return (beta * c).flatten().expand(weight.shape[0]).clone()


def _layer(op: Operation, x: Value, weight: Tensor, bias: Tensor | None) -> Value:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    return op.build.module(op.name, filled(layer, weight=weight, bias=bias), x)
