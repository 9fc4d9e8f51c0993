"""A map linearised at a point: products with its Jacobian and with the transpose, never the matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor

from preimage.errors import NotSupportedError


@final
class Jacobian:
    """The derivative of f at x, recorded once.

    The product with J is the derivative of ``v -> J^T v``, a linear map, so any f with a twice recorded
    backward pass will do; forward-mode rules are not needed.

    Args:
        f: a differentiable map ``(N, *in) -> (N, *out)`` that treats rows independently.
        x: where to linearise, ``(N, *in)``.

    Raises:
        NotSupportedError: in inference mode, where nothing is recorded and every derivative would be zero.

    Cost: an evaluation and a recorded backward pass to build; about one evaluation a product.

    Example:
        >>> jacobian = Jacobian(lambda x: x.square(), torch.tensor([[1.0, 3.0]]))
        >>> jacobian.push(torch.ones(1, 2)), jacobian.pull(torch.tensor([[1.0, 0.0]]))
        (tensor([[2., 6.]]), tensor([[2., 0.]]))
    """

    def __init__(self, f: Callable[[Tensor], Tensor], x: Tensor) -> None:
        if torch.is_inference_mode_enabled():
            raise NotSupportedError(
                "derivatives are needed here, and torch.inference_mode records none: use torch.no_grad"
            )
        self._f, self._twice = f, True
        self.shape = x.shape
        with torch.enable_grad():
            self._x = x.detach().requires_grad_()
            self._value = f(self._x)
            self._cotangent = torch.zeros_like(self._value, requires_grad=True)
            self._pulled = self._gradient(self._value, self._x, self._cotangent, record=True)

    @property
    def value(self) -> Tensor:
        """``f(x)``, ``(N, *out)``."""
        return self._value.detach()

    def push(self, tangent: Tensor) -> Tensor:
        """``J t`` for tangents ``(N, *in)``."""
        if self._twice:
            try:
                return self._gradient(self._pulled, self._cotangent, tangent)
            except RuntimeError as error:
                if "not implemented" not in str(error):
                    raise
                self._twice = False  # an operation has a backward pass that cannot be differentiated
        return self._difference(tangent)

    def _difference(self, tangent: Tensor) -> Tensor:
        """``J t`` by a central difference, accurate to the root of the rounding error or better."""
        x = self._x.detach()
        size = torch.linalg.vector_norm(tangent.flatten(1), dim=1).clamp_min(torch.finfo(x.dtype).tiny)
        scale = 1 + x.flatten(1).square().mean(1).sqrt() * x[0].numel() ** 0.5
        step = (torch.finfo(x.dtype).eps ** (1 / 3) * scale / size).view(-1, *[1] * (x.dim() - 1))
        with torch.no_grad():
            rise = self._f(x + step * tangent) - self._f(x - step * tangent)
        return rise / (2 * step.view(-1, *[1] * (rise.dim() - 1)))

    def pull(self, cotangent: Tensor) -> Tensor:
        """``J^T v`` for cotangents ``(N, *out)``."""
        return self._gradient(self._value, self._x, cotangent)

    @staticmethod
    def _gradient(value: Tensor, of: Tensor, weight: Tensor, *, record: bool = False) -> Tensor:
        if not value.requires_grad:
            return torch.zeros_like(of)
        (gradient,) = torch.autograd.grad(
            value, of, weight, retain_graph=True, create_graph=record, materialize_grads=True
        )
        return gradient
