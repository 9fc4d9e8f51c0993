"""PyTorch's activations as bijections, and why some of them cannot be."""

from __future__ import annotations

import functools
import math

import torch
from torch import nn

from preimage.bijection import Bijection, Chain
from preimage.errors import NotInvertibleError
from preimage.layers.elementwise.elu import ELU, SELU
from preimage.layers.elementwise.gelu import GELU
from preimage.layers.elementwise.leaky_relu import LeakyReLU
from preimage.layers.elementwise.prelu import PReLU
from preimage.layers.elementwise.sigmoid import Sigmoid
from preimage.layers.elementwise.softplus import Softplus
from preimage.layers.elementwise.softsign import Softsign
from preimage.layers.elementwise.swish import Swish
from preimage.layers.elementwise.tanh import Tanh

_INSTEAD = (
    "; use LeakyReLU, PReLU, ELU, Softplus or Asinh for a bijection, or preimage.invert(model, example) for"
    " a pseudo-inverse of the network as it is"
)


@functools.singledispatch
def from_activation(module: nn.Module) -> Bijection:
    """The bijection that computes what an activation of PyTorch computes.

    Sigmoid, Tanh, LeakyReLU, PReLU, ELU, SELU, Softplus, Softsign and Identity become their namesakes; SiLU
    and GELU become maps to two tensors, the value and a branch bit. Learnt slopes are copied.

    Reference: torch.nn, https://docs.pytorch.org/docs/stable/nn.html

    Args:
        module: the activation.

    Returns:
        A bijection with the same values.

    Raises:
        NotInvertibleError: the activation maps several inputs to one output, or is not known.

    Cost: none.

    Example:
        >>> from_activation(nn.LeakyReLU(0.1))
        LeakyReLU(slope=0.1)
        >>> from_activation(nn.ReLU())
        Traceback (most recent call last):
        ...
        preimage.errors.NotInvertibleError: ReLU maps all negative numbers to 0; use LeakyReLU, ...
    """
    raise NotInvertibleError(f"from_activation: no bijection is known for {type(module).__name__}{_INSTEAD}")


@from_activation.register(nn.ReLU)
@from_activation.register(nn.ReLU6)
def _(module: nn.Module) -> Bijection:
    raise NotInvertibleError(f"{type(module).__name__} maps all negative numbers to 0{_INSTEAD}")


@from_activation.register(nn.Hardtanh)
@from_activation.register(nn.Hardsigmoid)
@from_activation.register(nn.Hardswish)
@from_activation.register(nn.Hardshrink)
@from_activation.register(nn.Softshrink)
@from_activation.register(nn.Threshold)
def _(module: nn.Module) -> Bijection:
    raise NotInvertibleError(f"{type(module).__name__} is constant on a whole interval{_INSTEAD}")


@from_activation.register(nn.Sigmoid)
def _(module: nn.Sigmoid) -> Bijection:
    return Sigmoid()


@from_activation.register(nn.Tanh)
def _(module: nn.Tanh) -> Bijection:
    return Tanh()


@from_activation.register(nn.Softsign)
def _(module: nn.Softsign) -> Bijection:
    return Softsign()


@from_activation.register(nn.SELU)
def _(module: nn.SELU) -> Bijection:
    return SELU()


@from_activation.register(nn.Identity)
def _(module: nn.Identity) -> Bijection:
    return Chain()


@from_activation.register(nn.SiLU)
def _(module: nn.SiLU) -> Bijection:
    return Swish()


@from_activation.register(nn.ELU)
def _(module: nn.ELU) -> Bijection:
    return ELU(module.alpha)


@from_activation.register(nn.GELU)
def _(module: nn.GELU) -> Bijection:
    if module.approximate != "none":
        raise NotInvertibleError(
            "from_activation: GELU(approximate='tanh') is another function; build the model with nn.GELU()"
        )
    return GELU()


@from_activation.register(nn.Softplus)
def _(module: nn.Softplus) -> Bijection:
    if module.beta != 1:
        raise NotInvertibleError(f"from_activation: Softplus has beta {module.beta}, wanted 1")
    return Softplus()


@from_activation.register(nn.LeakyReLU)
def _(module: nn.LeakyReLU) -> Bijection:
    slope = module.negative_slope
    _refuse_folded("LeakyReLU", slope)
    return LeakyReLU(slope)


@from_activation.register(nn.PReLU)
@torch.no_grad()
def _(module: nn.PReLU) -> Bijection:
    weight = module.weight.detach()
    _refuse_folded("PReLU", weight.min().item())
    layer = PReLU(() if weight.numel() == 1 else weight.numel()).to(weight)
    layer.raw_slope.copy_(weight.log().reshape(layer.raw_slope.shape))
    return layer


def _refuse_folded(name: str, slope: float) -> None:
    if not 0 < slope < math.inf:
        raise NotInvertibleError(
            f"from_activation: this {name} has a slope of {slope:g} below zero, and so maps two inputs to one"
            " output; wanted a positive slope"
        )
