"""Reorder features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Reals
from preimage.functional.event import zero_log_det


class Permutation(Bijection):
    r"""Reorder the features or channels, :math:`y_i = x_{\pi(i)}`; log_det is exactly 0.

    The order is a buffer, so it is saved with the model.

    Reference: Dinh, Sohl-Dickstein, Bengio (2017), Real NVP, section 3.5, https://arxiv.org/abs/1605.08803

    Args:
        order: the indices 0 ... C-1 in the wanted order; ``range(C - 1, -1, -1)`` reverses, and
            :meth:`shuffle` draws a random order.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)`` of zeros.

    Raises:
        ValueError: the order is not a permutation of 0 ... C-1.

    Cost: one copy of x.

    Example:
        >>> import torch
        >>> Permutation([2, 0, 1])(torch.tensor([[0.0, 1.0, 2.0]]))
        tensor([[2., 0., 1.]])
    """

    order: Tensor
    undo: Tensor

    def __init__(self, order: Sequence[int] | Tensor) -> None:
        super().__init__()
        indices = torch.as_tensor(list(order), dtype=torch.long)
        if sorted(indices.tolist()) != list(range(len(indices))):
            raise ValueError(
                f"Permutation: got {indices.tolist()}, wanted every index 0 ... C-1 exactly once"
            )
        self.domain = self.codomain = Reals(len(indices), ...)
        self.register_buffer("order", indices)
        self.register_buffer("undo", indices.argsort())

    @classmethod
    def shuffle(cls, features: int, generator: torch.Generator | None = None) -> Permutation:
        """A fixed random order.

        Args:
            features: number of features or channels.
            generator: source of randomness; the global one by default.

        Example:
            >>> sorted(Permutation.shuffle(3).order.tolist())
            [0, 1, 2]
        """
        return cls(torch.randperm(features, generator=generator))

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Gather."""
        return x.index_select(1, self.order), zero_log_det(x)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Gather by the inverse order."""
        return y.index_select(1, self.undo), zero_log_det(y)
