"""The same map in two libraries: run both, in both directions, and compare.

A :class:`Peer` is a layer of another library as two functions whose forward goes from data to latent; one
maker a library turns its conventions into that. The fixture ``agree`` of ``conftest.py`` compares it with a
layer of ours that has been given the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from preimage import Bijection
from preimage.layers import AffineMap, Coupling, Partition

Direction = Callable[[Tensor, Any], tuple[Any, Any]]
Net = Callable[..., Tensor]


@dataclass(frozen=True)
class Peer:
    """A layer of another library.

    Args:
        name: library and class, for the table.
        forward: data to latent, called with a tensor and a context or None.
        inverse: latent to data.
    """

    name: str
    forward: Direction
    inverse: Direction


def _name(layer: Any) -> str:
    return f"{type(layer).__module__.split('.')[0]} {type(layer).__name__}"


def from_nflows(layer: Any) -> Peer:
    """Its forward goes to the latent."""
    return Peer(_name(layer), layer.forward, layer.inverse)


def from_normflows(layer: Any) -> Peer:
    """Its forward goes to the data; layers with a context are called with it."""
    call = lambda run: lambda x, context: run(x) if context is None else run(x, context)  # noqa: E731
    return Peer(_name(layer), call(layer.inverse), call(layer.forward))


def from_freia(layer: Any) -> Peer:
    """Tensors in lists."""

    def run(rev: bool) -> Direction:
        def call(x: Tensor, context: Any) -> tuple[Tensor, Any]:
            conditions = () if context is None else ([context],)
            (y,), log_det = layer([x], *conditions, rev=rev)
            return y, log_det

        return call

    return Peer(_name(layer), run(False), run(True))


def from_zuko(make: Callable[[Any], Any]) -> Peer:
    """A function of the context that makes the transform."""

    def call(x: Tensor, context: Any) -> tuple[Tensor, Tensor]:
        return make(context).call_and_ladj(x)

    def back(y: Tensor, context: Any) -> tuple[Tensor, Tensor]:
        return make(context).inv.call_and_ladj(y)

    return Peer(f"zuko {type(make(None)).__name__}", call, back)


def from_torchflows(layer: Any) -> Peer:
    """Its forward goes to the latent; context by keyword."""
    return Peer(
        _name(layer),
        lambda x, context: layer.forward(x, context=context),
        lambda y, context: layer.inverse(y, context=context),
    )


def _relative(actual: Tensor, wanted: Any) -> float:
    wanted = torch.as_tensor(wanted).double().broadcast_to(actual.shape)
    error = (actual.double() - wanted).abs() / (1 + wanted.abs())
    return error.nan_to_num(nan=float("inf")).max().item()


@torch.no_grad()
def differences(ours: Bijection, peer: Peer, x: Tensor, context: Any = None) -> dict[str, float]:
    """Largest differences between both libraries, relative where numbers are large.

    Args:
        ours: our layer.
        peer: the same layer elsewhere.
        x: data ``(N, ...)``.
        context: context of both, or None.

    Returns:
        ``|a - b| / (1 + |b|)``, largest over all numbers, for values and log_dets of both directions.
    """
    found = {}
    y = ours.forward(x, context)
    pairs = {
        "forward": (ours.forward_and_log_det, peer.forward, x),
        "inverse": (ours.inverse_and_log_det, peer.inverse, y),
    }
    for name, (mine, theirs, value) in pairs.items():
        actual, log_det = mine(value, context)
        wanted, wanted_log_det = theirs(value.clone(), context)  # some peers write into their input
        found[name] = _relative(actual, wanted)
        found[f"{name} log_det"] = _relative(log_det, wanted_log_det)
    return found


def raw_scale(log_scale: Tensor, bound: float) -> Tensor:
    """The raw parameter for which ``AffineMap(bound)`` has this log-scale."""
    return bound * torch.atanh(log_scale / bound)


class Conditioner(nn.Module):
    """A peer's network with its output translated into raw parameters of ``AffineMap``.

    Args:
        net: called with what stays, and the context where there is one.
        translate: from its output ``(N, ...)`` to log-scale and shift ``(N, m, ...)``.
        bound: that of the ``AffineMap``.
    """

    def __init__(self, net: Net, translate: Callable[[Tensor], tuple[Tensor, Tensor]], bound: float) -> None:
        super().__init__()
        self.net, self.translate, self.bound = net, translate, bound

    def forward(self, kept: Tensor, context: Any = None) -> Tensor:
        """Raw parameters ``(N, m * 2, ...)``, the two of a channel side by side."""
        out = self.net(kept) if context is None else self.net(kept, context)
        log_scale, shift = self.translate(out)
        return torch.stack([raw_scale(log_scale, self.bound), shift], dim=2).flatten(1, 2)


def affine_coupling(
    partition: Partition | Tensor,
    net: Net,
    translate: Callable[[Tensor], tuple[Tensor, Tensor]],
    bound: float = 20.0,
    context: int | None = None,
) -> Coupling:
    """Our affine coupling with a peer's network and a peer's scale."""
    return Coupling(partition, Conditioner(net, translate, bound), AffineMap(bound), context=context)


def halves(out: Tensor) -> tuple[Tensor, Tensor]:
    """An output cut in the middle of dimension 1."""
    first, second = out.chunk(2, dim=1)
    return first, second


def randomise(module: nn.Module, deviation: float = 0.3) -> nn.Module:
    """Move every parameter of a peer away from its start; the module itself comes back."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.is_floating_point() and parameter.requires_grad:
                parameter.add_(deviation * torch.randn_like(parameter))
    return module
