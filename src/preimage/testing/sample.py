"""Named layers with inputs: the rows of the oracle's table."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from preimage.bijection import Bijection
from preimage.checks import Context, Domains, as_tuple, unpack
from preimage.testing.case import Case, convert


@dataclass(frozen=True)
class Sample:
    """A layer to test, with inputs made from its domain.

    Args:
        name: unique, such as ``"coupling, checkerboard"``.
        make: builds the layer, ready for use; runs under a fixed seed.
        free: sizes for the open places of the domain's pattern, see :meth:`preimage.domains.Domain.sample`.
        inputs: makes the input for N rows, where the domain cannot.
        context: makes the context for N rows; by default from the layer's ``context_domain``.
        context_free: as free, for the context.
        tolerance: factor on every tolerance.
        perturb: standard deviation of what is added to every parameter, so that no layer is tested as the
            identity it starts as; 0 to leave them.
        exceptions: laws that do not hold, by name, each with the reason; the documentation prints them.
    """

    name: str
    make: Callable[[], Bijection]
    free: Sequence[int] = ()
    inputs: Callable[[int], Any] | None = None
    context: Callable[[int], Context] | None = None
    context_free: Sequence[int] = ()
    tolerance: float = 1.0
    perturb: float = 0.1
    exceptions: Mapping[str, str] = field(default_factory=dict)

    def case(self, batch: int = 3) -> Case:
        """The layer and a batch of inputs in float64, the same at every call."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(zlib.crc32(self.name.encode()))
            layer = self.make().double()
            _perturb(layer, self.perturb)
            x = self.inputs(batch) if self.inputs else draw(layer.domain, batch, self.free)
            context = self._context(layer, batch)
        double = lambda tensor: tensor.double()  # noqa: E731
        return Case(layer, convert(x, double), convert(context, double), self.tolerance)

    def _context(self, layer: Bijection, batch: int) -> Context:
        if self.context is not None:
            return self.context(batch)
        return None if layer.context_domain is None else draw(layer.context_domain, batch, self.context_free)


def draw(domains: Domains, batch: int, free: Sequence[int] = ()) -> Any:
    """A float64 batch from one domain, or a tuple from several, which share the free sizes."""
    return unpack(domain.sample(batch, free) for domain in as_tuple(domains))


@torch.no_grad()
def _perturb(layer: Bijection, deviation: float) -> None:
    for parameter in layer.parameters():
        if parameter.is_floating_point() and deviation:
            parameter.add_(deviation * torch.randn_like(parameter))
