"""A ``torch.distributions`` transform as a bijection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import cast

from torch import Tensor
from torch.distributions import Transform, constraints, transforms

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Domain, Interval, Reals, Size
from preimage.errors import NotInvertibleError
from preimage.functional.event import sum_event

CLIPPING: Mapping[type[Transform], str] = MappingProxyType(
    {
        transforms.SigmoidTransform: "write preimage.layers.Sigmoid()",
        transforms.StickBreakingTransform: "chain preimage.layers.Sigmoid() with your own stick lengths",
        transforms.CorrCholeskyTransform: "take preimage.layers.Tanh() and build the matrix from its output",
    }
)
"""Transforms of PyTorch that clamp inside, with what to write instead."""


class FromTransform(Bijection):
    """A ``torch.distributions`` transform under the contract of this library.

    log_det is the transform's ``log_abs_det_jacobian``, summed over the event dimensions it leaves.

    A transform that clips, as ``SigmoidTransform`` does near 0 and 1, gives many large inputs one output, and
    no certificate can see which of them came in. Those of PyTorch that do are refused, wherever they stand in
    a composition; this library's own layers, such as ``Sigmoid``, do not clip.

    Reference: Dillon et al. (2017), TensorFlow Distributions, section 4, https://arxiv.org/abs/1711.10604

    Args:
        transform: a bijective transform. Its parameters are not seen by ``.parameters()`` or ``.to()``.

    Returns:
        y, and log_det ``(N,)``.

    Raises:
        NotInvertibleError: the transform is not bijective, or it clips.

    Cost: that of the transform.

    Example:
        >>> import torch
        >>> from torch.distributions.transforms import ExpTransform
        >>> FromTransform(ExpTransform()).forward_and_log_det(torch.zeros(1, 3))
        (tensor([[1., 1., 1.]]), tensor([0.]))
    """

    def __init__(self, transform: Transform) -> None:
        super().__init__()
        if not transform.bijective:
            raise NotInvertibleError(f"FromTransform: {type(transform).__name__} is not bijective")
        _refuse_clipping(transform)
        self.transform = transform
        self.domain = _domain(transform.domain)
        self.codomain = _domain(transform.codomain)

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Call the transform."""
        y = cast(Tensor, self.transform(x))
        return y, sum_event(self.transform.log_abs_det_jacobian(x, y))

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Call its inverse."""
        x = cast(Tensor, self.transform.inv(y))
        return x, -sum_event(self.transform.log_abs_det_jacobian(x, y))


def _refuse_clipping(transform: Transform) -> None:
    for part in _parts(transform):
        advice = next((CLIPPING[base] for base in type(part).__mro__ if base in CLIPPING), None)
        if advice is not None:
            raise NotInvertibleError(
                f"FromTransform: {type(part).__name__} clamps, so that many inputs share one output"
                f" and a certificate could not tell a wrong x from the right one. Instead: {advice}"
            )


def _parts(transform: Transform) -> Iterator[Transform]:
    """A transform and all that it is made of: compositions, stacks, what an inverse is the inverse of."""
    seen: set[int] = set()
    waiting: list[object] = [transform]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Transform) and id(part) not in seen:
            seen.add(id(part))
            waiting += [getattr(part, name, None) for name in ("base_transform", "_inv")]
            waiting += [*getattr(part, "parts", ()), *getattr(part, "transforms", ())]
            yield part


def _domain(constraint: constraints.Constraint) -> Domain:
    """The set of a constraint where it is an interval; all real numbers otherwise."""
    inner = getattr(constraint, "base_constraint", constraint)
    low = float(getattr(inner, "lower_bound", float("-inf")))
    high = float(getattr(inner, "upper_bound", float("inf")))
    shape: tuple[Size, ...] = (*[None] * constraint.event_dim, ...)
    if low == float("-inf") and high == float("inf"):
        return Reals(*shape)
    return Interval(low, high, *shape)
