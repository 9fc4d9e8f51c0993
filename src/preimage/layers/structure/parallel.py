"""Different maps on different tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from preimage import checks
from preimage.bijection import Bijection, Step
from preimage.checks import Context, as_tuple, unpack
from preimage.domains import Domain
from preimage.layers.structure.parts import context_of, shared_context_domain
from preimage.rebuild import Gradients, Rebuilt


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

    def forward_steps(self) -> list[Step]:
        """The steps of every map, the last map first: places before it are then still those of x."""
        return _on_places(
            [member.forward_steps() for member in self.members],
            [len(as_tuple(member.domain)) for member in self.members],
            [len(as_tuple(member.codomain)) for member in self.members],
        )

    def inverse_steps(self) -> list[Step]:
        """The inverse steps of every map, the last map first."""
        return _on_places(
            [member.inverse_steps() for member in self.members],
            [len(as_tuple(member.codomain)) for member in self.members],
            [len(as_tuple(member.domain)) for member in self.members],
        )

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


def _on_places(steps: list[list[Step]], given: list[int], made: list[int]) -> list[Step]:
    """Steps of maps, as steps of a tuple in which map i takes ``given[i]`` places and fills ``made[i]``."""
    return [
        _on_place(step, sum(given[:index]), sum(made[index + 1 :]))
        for index in reversed(range(len(steps)))
        for step in steps[index]
    ]


def _on_place(step: Step, before: int, behind: int) -> Step:
    """A step that leaves the first and the last tensors of a tuple alone."""

    def divide(value: Any) -> tuple[tuple[Tensor, ...], Any, tuple[Tensor, ...]]:
        tensors = as_tuple(value)
        stop = len(tensors) - behind
        return tensors[:before], unpack(tensors[before:stop]), tensors[stop:]

    def run(value: Any, context: Context) -> tuple[Any, Tensor]:
        first, part, last = divide(value)
        answer, log_det = step.run(part, context)
        return unpack((*first, *as_tuple(answer), *last)), log_det

    def rebuild(value: Any, context: Context) -> Rebuilt:
        first, part, last = divide(value)
        inner = step.rebuild(part, context)
        passing = [tensor.detach().requires_grad_() for tensor in (*first, *last)]
        count = len(inner.leaves)

        def split(gradients: Gradients) -> Gradients:
            stop = len(gradients) - behind
            inside = inner.split(gradients[before:stop])
            return [*inside, *gradients[:before], *gradients[stop:]]

        def join(gradients: Gradients) -> Gradients:
            inside, outside = inner.join(gradients[:count]), gradients[count:]
            return [*outside[:before], *inside, *outside[before:]]

        return Rebuilt(
            x=unpack((*first, *as_tuple(inner.x), *last)),
            outputs=(*inner.outputs, *passing),
            log_det=inner.log_det,
            leaves=(*inner.leaves, *passing),
            split=split,
            join=join,
        )

    return Step(run, rebuild, step.layer)
