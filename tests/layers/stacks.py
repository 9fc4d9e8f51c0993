"""Random deep stacks of every sample in the table, on vectors of one common size."""

import functools
import math

import torch
from table import all_samples
from torch import Tensor

from preimage import Bijection, Chain
from preimage.checks import Context, as_tuple, unpack
from preimage.layers import Concatenate, Parallel, Permutation, Reshape, Split
from preimage.testing import Sample

WIDTH = 24


class FixedContext(Bijection, delegates=True):
    """A conditional bijection with one context for all rows."""

    def __init__(self, layer: Bijection, context: Context) -> None:
        super().__init__()
        self.layer = layer
        self.rows = torch.nn.ParameterList([row[:1].clone() for row in as_tuple(context)])
        self.domain, self.codomain = layer.domain, layer.codomain

    def forward_and_log_det(self, x: object, context: Context = None) -> tuple[object, Tensor]:
        return self.layer.forward_and_log_det(x, self._context(x))

    def inverse_and_log_det(self, y: object, context: Context = None) -> tuple[object, Tensor]:
        return self.layer.inverse_and_log_det(y, self._context(y))

    def _context(self, x: object) -> Context:
        batch = as_tuple(x)[0].shape[0]
        return unpack(row.expand(batch, *row.shape[1:]) for row in self.rows)


def _flat_to(shapes: list[tuple[int, ...]]) -> Chain:
    """One vector (N, n) becomes tensors of these event shapes."""
    sizes = [math.prod(shape) for shape in shapes]
    views = Parallel(*[Reshape((size,), shape) for size, shape in zip(sizes, shapes, strict=True)])
    return Chain(Split(sizes), views) if len(sizes) > 1 else Chain(views)


def _shapes(tensors: object) -> list[tuple[int, ...]]:
    return [tuple(tensor.shape[1:]) for tensor in as_tuple(tensors)]


def _is_free(layer: Bijection) -> bool:
    """Whether the layer and its inverse take every number."""
    domains = (*as_tuple(layer.domain), *as_tuple(layer.codomain))
    return not any(domain.restricts_values for domain in domains)


@functools.cache
def saturating() -> frozenset[str]:
    """The samples that hold a layer which is defined on, or maps to, a part of the numbers only."""
    return frozenset(
        sample.name
        for sample in all_samples()
        if not all(_is_free(m) for m in sample.case().layer.modules() if isinstance(m, Bijection))
    )


def piece(sample: Sample) -> tuple[Bijection, int]:
    """The layer of a sample as a map of vectors (N, n), and n.

    A layer that is defined on a part of the numbers only is followed, or preceded, by its inverse.
    """
    case = sample.case()
    layer: Bijection = case.layer if case.context is None else FixedContext(case.layer, case.context)
    x, y = _shapes(case.x), _shapes(case.y)
    if not _is_free(layer):
        starts_free = not any(domain.restricts_values for domain in as_tuple(layer.domain))
        layer = Chain(layer, layer.inv) if starts_free else Chain(layer.inv, layer)
        x = y = x if starts_free else y
    return Chain(_flat_to(x), layer, _flat_to(y).inv), sum(map(math.prod, x))


def tolerance(names: list[str]) -> float:
    """The largest tolerance that the table grants one of these samples: more than 1 for solvers."""
    return max(sample.tolerance for sample in all_samples() if sample.name in names)


@functools.cache
def pieces() -> dict[str, tuple[Bijection, int]]:
    """Every sample that fits into the width."""
    made = {sample.name: piece(sample) for sample in all_samples()}
    return {name: (layer, size) for name, (layer, size) in made.items() if size <= WIDTH}


def stack(depth: int, seed: int, leave_out: frozenset[str] = frozenset()) -> tuple[Chain, list[str]]:
    """Random pieces, each on random features, the other features passing by.

    Args:
        depth: number of pieces.
        seed: which stack.
        leave_out: names of samples that are not wanted.

    Returns:
        The chain, float64, of vectors ``(N, WIDTH)``, and the names of its pieces.
    """
    generator = torch.Generator().manual_seed(seed)
    names = [name for name in pieces() if name not in leave_out]
    chosen = [names[int(torch.randint(len(names), (), generator=generator))] for _ in range(depth)]
    layers: list[Bijection] = []
    for name in chosen:
        layer, size = pieces()[name]
        layers += [Permutation.shuffle(WIDTH, generator), _on_first(layer, size)]
    return Chain(*layers).double().requires_grad_(False), chosen


def _on_first(layer: Bijection, size: int) -> Bijection:
    if size == WIDTH:
        return layer
    sizes = [size, WIDTH - size]
    return Chain(Split(sizes), Parallel(layer, Chain()), Concatenate(sizes))
