"""A map seen in other coordinates."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from preimage.bijection import Bijection, Chain, Step
from preimage.checks import Context


class Conjugate(Bijection, delegates=True):
    r"""A map f in the coordinates of another map g: :math:`y = g^{-1}(f(g(x)))`.

    The change of coordinates is undone afterwards, so the whole is the identity where f is. A coupling
    between rotations, for instance, divides the channels along learned directions and leaves them in place.
    g is one module with one set of parameters.

    Args:
        change: the change of coordinates g.
        inner: the map f, from the codomain of g to itself.

    Returns:
        y of the shape of x, and log_det ``(N,)``.

    Reference: Putzky, Welling (2019), Invert to learn to invert, https://arxiv.org/abs/1911.10914, for
    couplings between rotations

    Cost: that of f, of g and of the inverse of g.

    Example:
        >>> import torch
        >>> from preimage.layers import LeakyReLU, Permutation
        >>> Conjugate(Permutation(torch.tensor([1, 0])), LeakyReLU(0.5))(torch.tensor([[-2.0, 3.0]]))
        tensor([[-1.,  3.]])
    """

    def __init__(self, change: Bijection, inner: Bijection) -> None:
        super().__init__()
        self.change, self.inner = change, inner
        self.domain = self.codomain = change.domain
        self.context_domain = Chain(change, inner).context_domain

    def forward_and_log_det(self, x: Any, context: Context = None) -> tuple[Any, Tensor]:
        """Change coordinates, run f, change back."""
        return self._chain().forward_and_log_det(x, context)

    def inverse_and_log_det(self, y: Any, context: Context = None) -> tuple[Any, Tensor]:
        """Change coordinates, run the inverse of f, change back."""
        return self._chain().inverse_and_log_det(y, context)

    def forward_steps(self) -> list[Step]:
        """The steps of g, of f, and of the inverse of g."""
        return self._chain().forward_steps()

    def inverse_steps(self) -> list[Step]:
        """The same with the steps of the inverse of f."""
        return self._chain().inverse_steps()

    def _chain(self) -> Chain:
        return Chain(self.change, self.inner, self.change.inv)
