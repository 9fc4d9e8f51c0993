"""Different maps on different tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from preimage import checks
from preimage.bijection import Bijection
from preimage.checks import Context, as_tuple, unpack
from preimage.domains import Domain
from preimage.layers.parts import context_of, shared_context_domain


class Parallel(Bijection, delegates=True):
    r"""One map for every part of a tuple, :math:`(x_1, x_2, \dots) \mapsto (f_1(x_1), f_2(x_2), \dots)`.

    log_det is the sum of theirs.

    A map may itself take or give several tensors: it then consumes or fills that many places of the tuple. An
    empty ``Chain()`` leaves its part alone. With :class:`~preimage.layers.ReorderParts` and chains, this
    draws every graph of invertible nodes.

    Reference: Ardizzone et al. (2018), FrEIA, https://github.com/vislearn/FrEIA

    Args:
        maps: bijections, in the order of the parts.

    Returns:
        The tuple of all results, and log_det ``(N,)``.

    Raises:
        ValueError: no map was given.
        TypeError: something is not a bijection.
        ShapeError: the tuple has another number of tensors.
        ContextError: a context is missing, or no map takes one.

    Cost: that of the maps.

    Example:
        >>> import torch
        >>> from preimage import Chain
        >>> from preimage.layers import LeakyReLU
        >>> layer = Parallel(LeakyReLU(0.5), Chain())
        >>> layer((torch.tensor([[-2.0]]), torch.tensor([[-2.0]])))
        (tensor([[-1.]]), tensor([[-2.]]))
    """

    def __init__(self, *maps: Bijection) -> None:
        super().__init__()
        if not maps:
            raise ValueError("Parallel: got no maps, wanted one for every part of the tuple")
        for member in maps:
            if not isinstance(member, Bijection):
                raise TypeError(f"Parallel: got {type(member).__name__}, wanted bijections only")
        self.maps = nn.ModuleList(maps)
        self.domain = _side_by_side([member.domain for member in maps])
        self.codomain = _side_by_side([member.codomain for member in maps])
        self.context_domain = shared_context_domain(maps)

    def forward_and_log_det(self, x: Any, context: Context = None) -> tuple[Any, Tensor]:
        """Every map on its parts."""
        where = "Parallel.forward_and_log_det"
        parts = self._parts(where, x, [member.domain for member in self.members], context)
        pairs = zip(self.members, parts, strict=True)
        return _joined([m.forward_and_log_det(part, context_of(m, context)) for m, part in pairs])

    def inverse_and_log_det(self, y: Any, context: Context = None) -> tuple[Any, Tensor]:
        """Every inverse on its parts."""
        where = "Parallel.inverse_and_log_det"
        parts = self._parts(where, y, [member.codomain for member in self.members], context)
        pairs = zip(self.members, parts, strict=True)
        return _joined([m.inverse_and_log_det(part, context_of(m, context)) for m, part in pairs])

    @property
    def members(self) -> list[Bijection]:
        """The maps."""
        return [member for member in self.maps if isinstance(member, Bijection)]

    def _parts(self, where: str, value: Any, domains: Sequence[Any], context: Context) -> list[Any]:
        """One tensor or tuple for every map."""
        if self.context_domain is None:
            checks.check_context(where, context, None, 0)
        value = checks.promote_under_autocast(value)
        checks.check_tensors(where, "its argument", value, _side_by_side(domains), None)
        tensors = iter(as_tuple(value))
        return [unpack(next(tensors) for _ in as_tuple(domain)) for domain in domains]


def _side_by_side(domains: Sequence[Any]) -> Any:
    """All places of all maps; no tuple where there is but one."""
    places: list[Domain] = [place for domain in domains for place in as_tuple(domain)]
    return places[0] if len(places) == 1 else tuple(places)


def _joined(answers: Sequence[tuple[Any, Tensor]]) -> tuple[Any, Tensor]:
    """All results as one flat tuple, and the sum of the log_dets ``(N,)``."""
    values = unpack(tensor for value, _ in answers for tensor in as_tuple(value))
    return values, torch.stack([log_det for _, log_det in answers]).sum(0)
