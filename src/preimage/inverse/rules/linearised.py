"""An affine operation whose matrix is never written down: applied as it is, transposed by autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor

from preimage.capture.graph import Graph, Node, references, substitute
from preimage.capture.interpret import BATCH, evaluate
from preimage.inverse.linear import Affine, LinearMap, Shape

Function = Callable[[Tensor], Tensor]


def constant_of(graph: Graph, name: str, samples: int = 1) -> Any:
    """A parameter, buffer or constant, or what the network computes from them alone."""
    tensor = graph.tensor(name)
    return evaluate(graph, {BATCH: samples}, [name])[name] if tensor is None else tensor


@final
class Linearised(Affine):
    """z = f(x) for a node that is affine in its one data operand: A x = f(x) - f(0), b = f(0).

    Args:
        graph: the captured network.
        node: the operation.

    Cost: one evaluation for A x, one for A' v.
    """

    def __init__(self, graph: Graph, node: Node) -> None:
        self.graph, self.node = graph, node
        self._shapes = graph.shape(node.inputs[0]), node.shape

    def _call(self, x: Tensor) -> Tensor:
        """f(x) in the precision of x, whatever that of the constants."""

        def resolve(name: str) -> Any:
            if name == self.node.inputs[0]:
                return x
            found = x.shape[0] if name == BATCH else constant_of(self.graph, name, x.shape[0])
            return found.to(x) if isinstance(found, Tensor) and found.is_floating_point() else found

        node = self.node
        return node.target(*substitute(node.args, resolve), **substitute(node.kwargs, resolve))

    @property
    def in_shape(self) -> Shape:
        """Shape of x without the batch."""
        return self._shapes[0]

    @property
    def out_shape(self) -> Shape:
        """Shape of z without the batch."""
        return self._shapes[1]

    @property
    def linear(self) -> LinearMap:
        """A."""
        return _AutogradLinear(self._call, *self._shapes, self.tensors(), str(self))

    @property
    def offset(self) -> Tensor:
        """b = f(0)."""
        like = next(iter(self.tensors()), torch.empty(0))
        dtype = like.dtype if like.is_floating_point() else torch.get_default_dtype()
        with torch.no_grad():
            return self._call(torch.zeros(1, *self.in_shape, dtype=dtype, device=like.device))[0]

    def tensors(self) -> tuple[Tensor, ...]:
        """Constant tensors that the operation reads."""
        found = (self.graph.tensor(name) for name in self._constants())
        return tuple(tensor for tensor in found if tensor is not None)

    def _constants(self) -> set[str]:
        """Names of everything that the operation reads, directly or through computed constants."""
        names, waiting = set[str](), list(references((self.node.args, self.node.kwargs)))
        while waiting:
            name = waiting.pop()
            if name not in names and name != self.node.inputs[0]:
                names.add(name)
                node = self.graph.by_name.get(name)
                waiting += [] if node is None else references((node.args, node.kwargs))
        return names

    def apply(self, x: Tensor) -> Tensor:
        """f(x)."""
        return self._call(x)

    def __str__(self) -> str:
        sizes = ["x".join(map(str, shape)) for shape in self._shapes]
        return f"{self.node.operation}({sizes[0]} -> {sizes[1]})"


@final
class _AutogradLinear(LinearMap):
    """The linear part of a callable affine map."""

    def __init__(
        self, call: Function, in_shape: Shape, out_shape: Shape, tensors: tuple[Tensor, ...], name: str
    ) -> None:
        self._call, self._in_shape, self._out_shape = call, in_shape, out_shape
        self._tensors, self._name = tensors, name

    @property
    def in_shape(self) -> Shape:
        """Shape of x without the batch."""
        return self._in_shape

    @property
    def out_shape(self) -> Shape:
        """Shape of z without the batch."""
        return self._out_shape

    def tensors(self) -> tuple[Tensor, ...]:
        """Constant tensors that the operation reads."""
        return self._tensors

    def _apply(self, x: Tensor) -> Tensor:
        return self._call(x) - self._call(torch.zeros_like(x))

    def _adjoint(self, v: Tensor) -> Tensor:
        with torch.enable_grad():
            x = torch.zeros(v.shape[0], *self._in_shape, dtype=v.dtype, device=v.device, requires_grad=True)
            (transposed,) = torch.autograd.grad(self._call(x), x, v)
        return transposed

    def __str__(self) -> str:
        return self._name
