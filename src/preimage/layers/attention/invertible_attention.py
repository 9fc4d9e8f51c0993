"""Attention that is itself a bijection."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Reals
from preimage.errors import ShapeError
from preimage.layers.coupling.partition import SlicePartition


class InvertibleAttention(Bijection):
    r"""Tokens mixed by attention, exactly invertible: :math:`y_B = (I + g_h A_h)\, x_B`, :math:`y_A = x_A`.

    Tokens are positions. Queries and keys come from the channels that stay, :math:`A_h =
    \operatorname{softmax}(q_h k_h^T / \sqrt d)` is the ``(T, T)`` attention matrix of head h, and the moving
    channels, divided among the heads, are its values. The rows of :math:`A_h` sum to 1, so with a gain
    :math:`g_h = b \tanh r_h`, :math:`b < 1`, the matrix :math:`M_h = I + g_h A_h` is strictly diagonally
    dominant: it is invertible whatever the tokens are, its condition number (by row sums) is at most
    :math:`(1 + b)/(1 - b)`, and elimination is stable. Positive gains average over tokens, negative ones
    subtract the average. The inverse solves with :math:`M_h`;

    .. math:: \text{log\_det} = \sum_h c_h \log \det M_h, \qquad c_h \text{ the channels of head } h.

    No position is special: permuted tokens give permuted answers, and any number of tokens is taken, unless
    the network of the queries and keys says otherwise. Starts as the identity.

    Reference: Vaswani et al. (2017), https://arxiv.org/abs/1706.03762; attention weights from what stays:
    Sukthanker, Huang, Kumar, Timofte, Van Gool (2022), Generative flows with invertible attentions,
    https://arxiv.org/abs/2106.03959; diagonal dominance: Levy (1881), Desplanques (1887)

    Args:
        channels: number of channels C.
        heads: number of heads; the moving channels are a multiple of it.
        keep: number of channels that stay, from 1; half of them, rounded down, by default.
        width: size d of a query and of a key.
        conditioner: module called as ``conditioner(kept)``, or ``conditioner(kept, context)`` where there
            is a context, with kept ``(N, keep, ...)``; it returns ``(N, 2 * heads * width, ...)``, queries
            before keys. By default a linear map of each token.
        bound: largest absolute gain b, between 0 and 1.
        context: size of a context vector ``(N, context)`` for the conditioner, which then must be given;
            0 for none.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)``.

    Raises:
        ValueError: sizes that do not fit, a bound outside (0, 1), or a context without a conditioner.
        ShapeError: the conditioner returned another shape.

    Cost: one run of the conditioner, and O(heads T^3 + T^2 C) for T tokens, in either direction.

    Example:
        >>> layer = InvertibleAttention(4, heads=2)
        >>> _ = nn.init.constant_(layer.raw_gain, 1.0)
        >>> x = torch.randn(3, 4, 5)
        >>> torch.allclose(layer.inverse(layer(x)), x, atol=1e-5)
        True
    """

    def __init__(
        self,
        channels: int,
        heads: int = 1,
        keep: int | None = None,
        width: int = 16,
        conditioner: nn.Module | None = None,
        bound: float = 0.9,
        context: int = 0,
    ) -> None:
        super().__init__()
        keep = channels // 2 if keep is None else keep
        if heads < 1 or width < 1 or not 1 <= keep < channels or (channels - keep) % heads:
            raise ValueError(
                f"InvertibleAttention: {keep} of {channels} channels stay and {channels - keep} move for"
                f" {heads} heads of width {width}, wanted at least one to stay, and a number of moving ones"
                " that is a multiple of the heads"
            )
        if not 0 < bound < 1:
            raise ValueError(f"InvertibleAttention: bound is {bound}, wanted a number between 0 and 1")
        if context and conditioner is None:
            raise ValueError("InvertibleAttention: a context needs a conditioner that takes it")
        self.heads, self.width, self.bound = heads, width, bound
        self.partition = SlicePartition(channels, keep)
        self.domain = self.codomain = Reals(channels, ...)
        self.context_domain = Reals(context) if context else None
        self.conditioner = QueriesAndKeys(keep, heads * width) if conditioner is None else conditioner
        self.raw_gain = nn.Parameter(torch.zeros(heads))

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Multiply by the matrix of each head."""
        kept, moving = self.partition.split(x)
        matrix = self.mixing(kept, context)  # (N, heads, T, T)
        values = self._values(moving)  # (N, heads, T, c)
        factors, _, _ = torch.linalg.lu_factor_ex(matrix)
        moved = self._channels(matrix @ values, moving)
        return self.partition.join(kept, moved), self._log_det(factors, values)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Solve with the matrix of each head; it is the same one, for the channels that stay are."""
        kept, moved = self.partition.split(y)
        values = self._values(moved)
        factors, pivots, _ = torch.linalg.lu_factor_ex(self.mixing(kept, context))
        moving = self._channels(torch.linalg.lu_solve(factors, pivots, values), moved)
        return self.partition.join(kept, moving), -self._log_det(factors, values)

    def mixing(self, kept: Tensor, context: Context = None) -> Tensor:
        """The matrices by which the tokens of each head are mixed.

        Args:
            kept: the channels that stay, ``(N, keep, ...)``.
            context: as for the layer.

        Returns:
            M ``(N, heads, T, T)``.
        """
        queries, keys = self._queries_and_keys(kept, context)
        weights = (queries @ keys.mT / math.sqrt(self.width)).softmax(-1)  # (N, heads, T, T)
        gain = self.bound * torch.tanh(self.raw_gain)
        identity = torch.eye(weights.shape[-1], dtype=weights.dtype, device=weights.device)
        return identity + gain[:, None, None] * weights

    def extra_repr(self) -> str:
        """The settings."""
        return f"heads={self.heads}, width={self.width}, bound={self.bound}"

    def _queries_and_keys(self, kept: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        raw = self.conditioner(kept) if context is None else self.conditioner(kept, context)
        wanted = (kept.shape[0], 2 * self.heads * self.width, *kept.shape[2:])
        if raw.shape != wanted:
            raise ShapeError(
                f"InvertibleAttention: the conditioner returned shape {tuple(raw.shape)}, wanted {wanted}:"
                f" queries and keys of width {self.width} for each of {self.heads} heads"
            )
        tokens = math.prod(kept.shape[2:])
        divided = raw.reshape(kept.shape[0], 2, self.heads, self.width, tokens).mT  # (N, 2, heads, T, width)
        queries, keys = divided.unbind(1)
        return queries, keys

    def _values(self, moving: Tensor) -> Tensor:
        """One part of the moving channels for each head, ``(N, heads, T, c)``."""
        batch, channels = moving.shape[:2]
        tokens = math.prod(moving.shape[2:])
        return moving.reshape(batch, self.heads, channels // self.heads, tokens).mT

    def _channels(self, values: Tensor, like: Tensor) -> Tensor:
        return values.mT.reshape(like.shape)

    def _log_det(self, factors: Tensor, values: Tensor) -> Tensor:
        """From the pivots; every determinant is positive."""
        diagonal = torch.eye(factors.shape[-1], dtype=torch.bool, device=factors.device)
        pivots = torch.where(diagonal, factors, 0.0).sum(-1)  # the compiler warns about .diagonal(dim1=-2)
        return values.shape[-1] * pivots.abs().log().sum((1, 2))


class QueriesAndKeys(nn.Module):
    """A linear map of each token, to its query and its key; a key needs no bias.

    Args:
        channels: number of channels of a token.
        size: size of all queries, and of all keys, of a token together.

    Returns:
        Tensor ``(N, 2 * size, ...)`` for an input ``(N, channels, ...)``, queries before keys.

    Cost: O(numel(input) size).

    Example:
        >>> QueriesAndKeys(3, 8)(torch.ones(2, 3, 4, 4)).shape
        torch.Size([2, 16, 4, 4])
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(channels, size), nn.Linear(channels, size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Side by side."""
        last = x.movedim(1, -1)
        return torch.cat([self.query(last), self.key(last)], dim=-1).movedim(-1, 1)
