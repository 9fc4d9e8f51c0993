"""Tied weights: the second half applies the pseudo-inverse of the first half's present weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from preimage.inverse import pseudo_inverse
from preimage.layers import PseudoInverseLinear
from preimage.palindromes.mirror import DenseMirror, Mirror
from preimage.palindromes.tie import Convolution, Tie


@final
class PseudoInverse(Tie):
    r"""The mirror of :math:`y = W x + b` is :math:`x = W^+ (y - b)`, computed from W at every call.

    Gradients reach W through the pseudo-inverse, so both halves train one weight, and
    :math:`W^+ W = I` holds after every step (on the smaller side). No parameters are added.

    Reference: Golub, Pereyra (1973), The differentiation of pseudo-inverses, https://doi.org/10.1137/0710036

    Cost: one QR decomposition a dense layer and call; a convolution is factorised again when it changed.

    Example:
        >>> mirror = PseudoInverse().dense(nn.Linear(5, 3))
        >>> y = torch.randn(2, 3)
        >>> torch.allclose(mirror(mirror.mirror(y)), y, atol=1e-5)
        True
    """

    def dense(self, linear: nn.Linear) -> Mirror:
        """Through a QR decomposition of the weight."""
        return PseudoInverseDense(linear)

    def convolution(self, convolution: Convolution, input_shape: Sequence[int]) -> Mirror:
        """Least squares by the route that suits the convolution."""
        return PseudoInverseConvolution(convolution, input_shape)


@final
class PseudoInverseDense(DenseMirror):
    """A dense layer and its live pseudo-inverse.

    Args:
        linear: the layer, whose parameters are shared.

    Raises:
        NotInvertibleError: at a call, where the weight has lost its rank.

    Example:
        >>> bool((PseudoInverseDense(nn.Linear(4, 2)).gram() - torch.eye(2)).abs().max() < 1e-5)
        True
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear)
        self.solver = PseudoInverseLinear.from_linear(linear)

    def mirror_weight(self) -> Tensor:
        """W^+, with its derivative."""
        return self.solver.pseudo_inverse()


@final
class PseudoInverseConvolution(Mirror):
    """A convolution and its least-squares inverse of least norm.

    Args:
        convolution: the layer, whose parameters are shared.
        input_shape: event shape of its input ``(C, ...)``.

    Cost: one solve a call; where gradients are recorded, five.

    Example:
        >>> mirror = PseudoInverseConvolution(nn.Conv1d(2, 2, 2, stride=2), (2, 6))
        >>> y = torch.randn(1, 2, 3)
        >>> torch.allclose(mirror(mirror.mirror(y)), y, atol=1e-4)
        True
    """

    def __init__(self, convolution: Convolution, input_shape: Sequence[int]) -> None:
        super().__init__()
        self.convolution = convolution
        self.inverse = pseudo_inverse(convolution, tuple(input_shape))

    def forward(self, x: Tensor) -> Tensor:
        """The convolution."""
        return self.convolution(x)

    def mirror(self, y: Tensor) -> Tensor:
        """A+ (y - b)."""
        return self.inverse(y)


@final
class CachedPseudoInverse(Tie):
    """As :class:`PseudoInverse`, but the pseudo-inverse is kept until its weight changes, without derivative.

    For running a trained palindrome. In training the gradient through the pseudo-inverse is missing: the
    decoder follows the encoder's weights, but nothing tells them what their pseudo-inverse does.

    Cost: one QR decomposition a change of the weight.

    Example:
        >>> linear = nn.Linear(4, 2)
        >>> mirror = CachedPseudoInverse().dense(linear)
        >>> before = mirror.mirror_weight()
        >>> linear.weight.data.mul_(2.0) is mirror.mirror_weight()
        False
        >>> torch.allclose(mirror.mirror_weight(), before / 2, atol=1e-6)
        True
    """

    def dense(self, linear: nn.Linear) -> DenseMirror:
        """Kept with the version of the weight it belongs to."""
        return CachedPseudoInverseDense(linear)

    def convolution(self, convolution: Convolution, input_shape: Sequence[int]) -> Mirror:
        """Convolutions keep their factorisation in any case."""
        return PseudoInverseConvolution(convolution, input_shape)


@final
class CachedPseudoInverseDense(DenseMirror):
    """A dense layer and its pseudo-inverse, computed when the weight has changed.

    Args:
        linear: the layer, whose parameters are shared.

    Example:
        >>> mirror = CachedPseudoInverseDense(nn.Linear(4, 2))
        >>> mirror.mirror_weight() is mirror.mirror_weight()
        True
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear)
        self.solver = PseudoInverseLinear.from_linear(linear)
        self._kept: tuple[Tensor, Tensor] | None = None  # the weight that was seen, and its pseudo-inverse

    def mirror_weight(self) -> Tensor:
        """W^+, from the cache unless W has changed."""
        # Values are compared, not version counters: assignments to .data do not count as changes.
        if self._kept is None or not _same(self._kept[0], self.weight):
            with torch.no_grad():
                self._kept = self.weight.detach().clone(), self.solver.pseudo_inverse()
        return self._kept[1]


def _same(kept: Tensor, weight: Tensor) -> bool:
    return kept.device == weight.device and kept.dtype == weight.dtype and torch.equal(kept, weight)
