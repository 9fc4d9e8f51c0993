"""Logarithm behind a linear layer: the invertible stand-in for a normalisation by logarithms."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.layers.elementwise.exp import Log


class LogNorm(Bijection, delegates=True):
    r"""Logarithm of a learnt affine map, :math:`y = \log(A x + b)`.

    Replaces normalisations such as :math:`\log(x - \operatorname{mean} x)`, which have no inverse because
    they forget the mean. The inverse is :math:`x = A^{-1}(e^y - b)`, with the inverse of the affine layer,
    not its transpose; log_det is that of the affine map minus :math:`\sum y`.

    Defined only where :math:`A x + b > 0`, which is checked: give the affine layer a start (its shift, above
    all) under which the data are positive.

    Reference: Box, Cox (1964), https://doi.org/10.1111/j.2517-6161.1964.tb00553.x

    Args:
        affine: the map :math:`A x + b`, any bijection with real values.

    Returns:
        y of the shape of the affine map's value, and log_det ``(N,)``.

    Raises:
        DomainError: ``A x + b`` is not positive somewhere.

    Cost: that of the affine map, and O(numel(x)).

    Example:
        >>> import torch
        >>> from preimage.layers import Bias
        >>> layer = LogNorm(Bias(2))
        >>> _ = torch.nn.init.constant_(layer.affine.shift, 3.0)
        >>> layer(torch.tensor([[-2.0, 0.0]])).detach()
        tensor([[0.0000, 1.0986]])
    """

    def __init__(self, affine: Bijection) -> None:
        super().__init__()
        self.affine, self.log = affine, Log()
        self.domain, self.context_domain = affine.domain, affine.context_domain

    def forward_and_log_det(self, x: Any, context: Context = None) -> tuple[Tensor, Tensor]:
        """The affine map, then the logarithm."""
        positive, affine_log_det = self.affine.forward_and_log_det(x, context)
        y, log_det = self.log.forward_and_log_det(positive)
        return y, affine_log_det + log_det

    def inverse_and_log_det(self, y: Any, context: Context = None) -> tuple[Tensor, Tensor]:
        """The exponential, then the inverse of the affine map."""
        positive, log_det = self.log.inverse_and_log_det(y)
        x, affine_log_det = self.affine.inverse_and_log_det(positive, context)
        return x, affine_log_det + log_det
