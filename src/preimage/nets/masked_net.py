"""Networks of masked linear layers, undone in one run: every unit is computed once."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Tensor, nn

from preimage.functional.autoregressive.dependencies import adjacency_from_order, generations
from preimage.functional.visible import values_are_visible
from preimage.nets.autoregressive_net import AutoregressiveNet, Invert, Solution
from preimage.nets.growing_linear import GrowingLinear, InPlaceLinear
from preimage.nets.masked_linear import MaskedLinear
from preimage.nets.turns import Turns

Linear = Callable[[MaskedLinear, Tensor], Tensor]
Activation = Callable[[Tensor], Tensor]


class MaskedNet(AutoregressiveNet):
    r"""A network of masked linear layers, elementwise activations and sums, for vectors or flattened events.

    Solving :math:`y = g(x; \theta(x))` runs the network once, a few units at a time: as soon as a generation
    of features is known, exactly those hidden units are computed that had waited for it, and then the
    parameters of the next generation. No unit is computed twice, so that the arithmetic is that of one
    forward pass. Features that no hidden unit tells apart are solved together: there is one generation more
    than there are different hidden units at most, however many features there are.

    Reference: Germain, Gregor, Murray, Larochelle (2015), MADE, https://arxiv.org/abs/1502.03509, for the
    masks

    Args:
        event_shape: number of features, or shape of the event, whose features are counted in raster order.
        count: number of parameters of each feature.
        hidden_features: widths of the layers; units are spread evenly over the sets of features that occur.
        activation: class of the activation; it must act on each unit by itself.
        order: the rank of each feature; a feature depends on those of smaller rank. As they stand by default.
        passes: number of groups of features that are solved together; as many as features by default.
        adjacency: bool ``(D, D)``, which feature (row) may depend on which (column), instead of order and
            passes; the diagonal does not count. ``(D, D + context)`` says it for the context as well.
        context: size of the context, which every feature may see; 0 for none.

    Raises:
        ValueError: the order is no permutation, or the adjacency has a circle or another shape.

    Example:
        >>> from preimage.nets import MaskedMLP
        >>> MaskedMLP(4, count=1, order=[3, 2, 1, 0], passes=2).passes
        2
    """

    def __init__(
        self,
        event_shape: int | Sequence[int],
        count: int,
        hidden_features: Sequence[int],
        activation: type[nn.Module],
        *,
        order: Tensor | Sequence[int] | None = None,
        passes: int | None = None,
        adjacency: Tensor | None = None,
        context: int = 0,
    ) -> None:
        shape = (event_shape,) if isinstance(event_shape, int) else tuple(event_shape)
        features = prod(shape)
        if adjacency is None:
            ranks = torch.arange(features) if order is None else torch.as_tensor(order)
            adjacency = adjacency_from_order(ranks, passes)
        adjacency = _with_context(torch.as_tensor(adjacency), features, context)
        inputs = torch.eye(*adjacency.shape, dtype=torch.bool)
        hidden = [_hidden_sets(adjacency, width) for width in hidden_features]
        outputs = _united([inputs, *hidden][-1], adjacency)
        turn = generations(outputs[:, :features])
        super().__init__(shape, count, 1 + int(turn.max()), context or None)
        self.turn = turn
        self.activation = activation()
        self.linears: list[MaskedLinear] = []
        self.turns = Turns(turn, self.passes)
        self.sets = [inputs, *hidden, outputs.repeat_interleave(count, 0)]

    def connect(self, source: int, target: int) -> MaskedLinear:
        """A new linear layer from one of ``sets`` to another; those from the input see the context."""
        sees_context = source == 0 and self.context_domain is not None
        context = self.sets[target][:, len(self.turn) :] if sees_context else None
        self.linears.append(MaskedLinear(self.sets[source], self.sets[target], context, self.turn))
        return self.linears[-1]

    @abc.abstractmethod
    def compute(self, linear: Linear, activation: Activation, x: Tensor) -> Tensor:
        """Run the network.

        Args:
            linear: how to apply a linear layer, called as ``linear(layer, value)``.
            activation: how to apply the activation.
            x: the features, along the dimension that ``linear`` expects.

        Returns:
            The parameters, those of a feature next to each other, along the same dimension.
        """

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The parameters ``(N, *event_shape, count)`` for x ``(N, *event_shape)``."""
        raw = self.compute(
            lambda layer, value: layer(value, context), self.activation, x.flatten(1)
        )  # (N, D * count)
        return raw.view(x.shape[0], *self.event_shape, self.count)

    def solve(self, invert: Invert, y: Tensor, context: Tensor | None = None) -> Solution:
        """One run of the network, a generation of features at a time; see :class:`MaskedNet`."""
        passes = torch.full(y.shape[:1], self.passes, device=y.device)
        if not values_are_visible() or torch.is_grad_enabled():
            return Solution(*self._solve(GrowingLinear, invert, y, context), passes)
        x, log_det = torch.empty_like(y), y.new_empty(y.shape[0])
        with (
            torch.inference_mode()
        ):  # without the bookkeeping of autograd small operations take half the time
            solved, total = self._solve(InPlaceLinear, invert, y, context)
            return Solution(x.copy_(solved), log_det.copy_(total), passes)

    def _solve(
        self, kind: type[GrowingLinear], invert: Invert, y: Tensor, context: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        growing = {layer: kind(layer, y, context) for layer in self.linears}
        activation = self.activation.forward  # once for each unit, so hooks would see pieces
        rows = y.shape[0]
        columns = y.flatten(1).t().index_select(0, self.turns.order)  # (D, N)
        x, solved, log_slopes = columns[:0], [], []
        for turn, wanted in enumerate(columns.split(self.turns.sizes)):
            raw = self.compute(lambda layer, value: growing[layer].step(turn, value), activation, x)  # noqa: B023
            raw = raw.view(wanted.shape[0], self.count, rows).transpose(1, 2)  # (k, N, count)
            x, log_slope = invert(wanted, raw)
            solved.append(x)
            log_slopes.append(log_slope)
        x = torch.cat(solved).index_select(0, self.turns.order.argsort()).t()  # (N, D)
        return x.reshape(y.shape), torch.cat(log_slopes).sum(0)


def _with_context(adjacency: Tensor, features: int, context: int) -> Tensor:
    """The dependencies on features and context, ``(D, D + context)``, without the diagonal."""
    if adjacency.dim() != 2 or adjacency.shape not in ((features, features), (features, features + context)):
        raise ValueError(
            f"adjacency has shape {tuple(adjacency.shape)}, wanted ({features}, {features}) for {features}"
            f" features, or ({features}, {features + context}) with the context"
        )
    adjacency = adjacency.bool().clone()
    adjacency[:, :features].fill_diagonal_(False)
    missing = features + context - adjacency.shape[1]
    return torch.cat([adjacency, torch.ones(features, missing, dtype=torch.bool)], dim=1)


def _hidden_sets(adjacency: Tensor, width: int) -> Tensor:
    """The sets of a hidden layer ``(width, D + context)``: those that occur, from small to large.

    All equally often where there is room, otherwise evenly spaced and with the largest. No units at all where
    nothing depends on anything.
    """
    sets = adjacency.unique(dim=0)
    sets = sets[sets.sum(1).sort(stable=True).indices]
    sets = sets[sets.any(1)]
    units = torch.arange(width if len(sets) else 0)
    return sets[units % len(sets) if width >= len(sets) else (units + 1) * len(sets) // width - 1]


def _united(sets: Tensor, within: Tensor) -> Tensor:
    """For each row of ``within``, the union of those sets that lie in it."""
    contained = (sets.float() @ (~within).float().t()) == 0  # (units, rows)
    return contained.t().float() @ sets.float() > 0
