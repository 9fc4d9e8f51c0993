"""One tensor of a tuple is the context of a map on another."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from preimage import checks
from preimage.bijection import Bijection
from preimage.checks import Context, as_tuple, unpack
from preimage.errors import ContextError


class TupleCoupling(Bijection, delegates=True):
    r"""A coupling between the tensors of a tuple, :math:`(a, b) \mapsto (a,\; f(b;\, a))`.

    f is any conditional bijection. The Jacobian is block triangular, so the log_det is that of f at b, given
    a.

    Reference: Ardizzone et al. (2019), Guided image generation with conditional invertible networks,
    https://arxiv.org/abs/1907.02392

    Args:
        layer: a bijection with a context. The first tensors of the tuple, as many as its context has, are
            kept and become that context; it moves the others.

    Returns:
        The tuple ``(*kept, *moved)``, and log_det ``(N,)``.

    Raises:
        ContextError: the layer takes no context, or one was given from outside.
        ShapeError: the tuple has another number of tensors.

    Cost: that of the layer.

    Example:
        >>> import torch
        >>> from preimage.layers import AdditiveMap, ConditionalMap
        >>> layer = TupleCoupling(ConditionalMap(1, torch.nn.Linear(2, 1), AdditiveMap(), context=2))
        >>> a, b = torch.ones(4, 2), torch.ones(4, 1)
        >>> torch.allclose(layer.inverse(layer((a, b)))[1], b)
        True
    """

    def __init__(self, layer: Bijection) -> None:
        super().__init__()
        if layer.context_domain is None:
            raise ContextError(
                f"TupleCoupling: {type(layer).__name__} takes no context, wanted a conditional bijection,"
                " such as Coupling(..., context=4)"
            )
        self.layer = layer
        kept = as_tuple(layer.context_domain)
        self.kept = len(kept)
        self.domain, self.codomain = (*kept, *as_tuple(layer.domain)), (*kept, *as_tuple(layer.codomain))

    def forward_and_log_det(self, x: Any, context: Context = None) -> tuple[Any, Tensor]:
        """Move the last tensors."""
        kept, moving = self._divided("TupleCoupling.forward_and_log_det", "x", x, self.domain, context)
        moved, log_det = self.layer.forward_and_log_det(moving, unpack(kept))
        return (*kept, *as_tuple(moved)), log_det

    def inverse_and_log_det(self, y: Any, context: Context = None) -> tuple[Any, Tensor]:
        """Move them back; the context is the same."""
        kept, moving = self._divided("TupleCoupling.inverse_and_log_det", "y", y, self.codomain, context)
        moved, log_det = self.layer.inverse_and_log_det(moving, unpack(kept))
        return (*kept, *as_tuple(moved)), log_det

    def _divided(
        self, where: str, word: str, value: Any, domains: Any, context: Context
    ) -> tuple[tuple[Tensor, ...], Any]:
        checks.check_context(where, context, None, 0)
        value = checks.promote_under_autocast(value)
        checks.check_tensors(where, word, value, domains, checks.reference_tensor(self))
        return value[: self.kept], unpack(value[self.kept :])
