"""Layer, group, instance and root-mean-square norms: what they divide by shows in what they leave."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.registry import Site, Solved, register_inverse

CLEAR = 1e-5
"""Relative error of the scale up to which it counts as found."""


@register_inverse("layer_norm", guarantee=Guarantee.RIGHT)
def layer_norm(site: Site, y: Tensor) -> Solved:
    """x with mean zero whose norm is y; the mean is lost.

    A norm returns z = (x - mean) / sqrt(v + eps) with v the variance of x, so that the variance r of z is
    v / (v + eps), and v = eps r / (1 - r): the scale is not lost, it stands in the last digits of y.
    """
    shape = tuple(site.operand(1, "normalized_shape"))
    weight, bias = site.operand(2, "weight"), site.operand(3, "bias")
    plain = _without_affine(y, weight, bias)
    groups = _Groups(plain.flatten(-len(shape)), float(site.operand(4, "eps", 1e-5)))
    return _answer(groups, y, centred=True)


@register_inverse("rms_norm", guarantee=Guarantee.RIGHT)
def rms_norm(site: Site, y: Tensor) -> Solved:
    """x whose norm is y; the scale is found as in ``layer_norm``, and nothing else is lost."""
    shape = tuple(site.operand(1, "normalized_shape"))
    eps = site.operand(3, "eps")
    plain = _without_affine(y, site.operand(2, "weight"), None)
    groups = _Groups(plain.flatten(-len(shape)), float(torch.finfo(y.dtype).eps if eps is None else eps))
    return _answer(groups, y, centred=False)


@register_inverse("group_norm", guarantee=Guarantee.RIGHT)
def group_norm(site: Site, y: Tensor) -> Solved:
    """x with mean zero in every group whose norm is y; the means are lost."""
    weight, bias = site.operand(2, "weight"), site.operand(3, "bias")
    plain = _without_affine(y, _per_channel(weight, y), _per_channel(bias, y))
    split = plain.reshape(y.shape[0], site.operand(1, "num_groups"), -1)
    return _answer(_Groups(split, float(site.operand(4, "eps", 1e-5))), y, centred=True)


@register_inverse("instance_norm", guarantee=Guarantee.RIGHT)
def instance_norm(site: Site, y: Tensor) -> Solved:
    """x with mean zero in every channel whose norm is y; with running statistics nothing is lost."""
    weight, bias = site.operand(1, "weight"), site.operand(2, "bias")
    plain = _without_affine(y, _per_channel(weight, y), _per_channel(bias, y))
    eps = float(site.operand(7, "eps", 1e-5))
    if site.operand(5, "use_input_stats", True):
        return _answer(_Groups(plain.flatten(2), eps), y, centred=True)
    running = torch.stack([site.operand(3, "running_mean"), site.operand(4, "running_var")]).detach().to(y)
    mean, variance = running.view(2, -1, *[1] * (y.dim() - 2))
    return Solved(plain * (variance + eps).sqrt() + mean)


@dataclass(frozen=True)
class _Groups:
    """Normalised values, each group along the last axis, and the eps of the norm."""

    z: Tensor
    eps: float


def _answer(groups: _Groups, y: Tensor, *, centred: bool) -> Solved:
    """The group's values times their scale."""
    z = groups.z.double()
    z = z - z.mean(-1, keepdim=True) if centred else z
    power = z.square().mean(-1, keepdim=True)
    rounding = torch.finfo(y.dtype).eps
    spare = groups.eps / (1 - power).clamp_min(rounding)
    usable = (power < 1 - rounding) & (power > 0)
    scale = torch.where(usable, spare.sqrt(), 1.0)  # no scale makes values off the range any better
    found = usable & (rounding / (1 - power).clamp_min(rounding) < CLEAR)
    exact = 0.0 if centred else found.double().mean().item()
    return Solved((z * scale).to(y.dtype).reshape(y.shape), exact=exact)


def _without_affine(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """(y - bias) / weight; zero where the weight is."""
    plain = y if bias is None else y - bias.detach().to(y)
    if weight is None:
        return plain
    factor = weight.detach().to(y)
    return torch.where(factor == 0, 0.0, plain / torch.where(factor == 0, 1.0, factor))


def _per_channel(parameter: Tensor | None, y: Tensor) -> Tensor | None:
    return None if parameter is None else parameter.view(-1, *[1] * (y.dim() - 2))
