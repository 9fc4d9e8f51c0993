"""What maps on several tensors have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context, Domains
from preimage.errors import ShapeError


def check_equal_shapes(where: str, parts: Sequence[Tensor], except_dim: int | None = None) -> None:
    """Refuse parts whose shapes differ elsewhere than in one dimension.

    Args:
        where: the layer and method, for the message.
        parts: tensors ``(N, ...)``.
        except_dim: the dimension in which they may differ.
    """
    shapes = [[size for dim, size in enumerate(part.shape) if dim != except_dim] for part in parts]
    if any(shape != shapes[0] for shape in shapes):
        came = ", ".join(str(tuple(part.shape)) for part in parts)
        place = "" if except_dim is None else f" but for dimension {except_dim}"
        raise ShapeError(f"{where}: the parts have shapes {came}, wanted equal shapes{place}")


def shared_context_domain(members: Iterable[Bijection]) -> Domains | None:
    """What a container asks of its context: what its first member with a context asks."""
    domains = (member.context_domain for member in members)
    return next((domain for domain in domains if domain is not None), None)


def context_of(member: Bijection, context: Context) -> Context:
    """The context, for members that take one."""
    return None if member.context_domain is None else context
