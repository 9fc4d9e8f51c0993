"""One tensor cut into several."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.functional.event import zero_log_det
from preimage.layers.structure.concatenate import checked_sizes, part_domain, part_domains
from preimage.layers.structure.parts import check_equal_shapes


class Split(Bijection):
    r"""Cut along one dimension, :math:`x = [y_1; y_2; \dots] \mapsto (y_1, y_2, \dots)`.

    log_det is exactly 0. The first step of a multi-scale architecture, see
    :func:`~preimage.layers.structure.factor_out`.

    Reference: Dinh, Sohl-Dickstein, Bengio (2017), Real NVP, section 3.6, https://arxiv.org/abs/1605.08803

    Args:
        sizes: size of every part along ``dim``; two or more, not necessarily equal.
        dim: the dimension that is cut, 1 for features and channels.

    Returns:
        A tuple of tensors ``(N, size, ...)``, and log_det ``(N,)`` of zeros.

    Raises:
        ValueError: fewer than two sizes, a size below 1, or ``dim`` is that of the batch.
        ShapeError: x has another size; on the way back, the parts differ elsewhere.

    Cost: none forward (the parts share the memory of x), one copy back.

    Example:
        >>> import torch
        >>> Split([1, 2])(torch.tensor([[1.0, 2.0, 3.0]]))
        (tensor([[1.]]), tensor([[2., 3.]]))
    """

    def __init__(self, sizes: Sequence[int], dim: int = 1) -> None:
        super().__init__()
        self.sizes, self.dim = checked_sizes("Split", sizes, dim), dim
        self.domain, self.codomain = part_domain(sum(self.sizes), dim), part_domains(self.sizes, dim)

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[tuple[Tensor, ...], Tensor]:
        """Cut."""
        return x.split(self.sizes, dim=self.dim), zero_log_det(x)

    def inverse_and_log_det(self, y: tuple[Tensor, ...], context: Context = None) -> tuple[Tensor, Tensor]:
        """Join."""
        check_equal_shapes("Split.inverse_and_log_det", y, except_dim=self.dim)
        return torch.cat(y, dim=self.dim), zero_log_det(y[0])

    def extra_repr(self) -> str:
        """Sizes and dimension."""
        return f"{self.sizes}, dim={self.dim}"
