"""A weight as the image of a free parameter."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn.utils import parametrize

from preimage.bijection import Bijection


class Through(nn.Module):
    """The parametrisation ``weight = f(raw)`` with a bijection f.

    Args:
        bijection: the map f; rows of the weight are its samples.
    """

    def __init__(self, bijection: Bijection) -> None:
        super().__init__()
        self.bijection = bijection

    def forward(self, raw: Tensor) -> Tensor:
        """The weight of a parameter."""
        return cast(Tensor, self.bijection(raw))

    def right_inverse(self, weight: Tensor) -> Tensor:
        """The parameter of a weight."""
        return cast(Tensor, self.bijection.inverse(weight))


def reparametrise(module: nn.Module, bijection: Bijection, name: str = "weight") -> nn.Module:
    r"""Replace a parameter by the image of a free one, :math:`w = f(r)`, without changing its value.

    The free parameter starts at :math:`r = f^{-1}(w)`, so that the layer computes what it did before. With
    ``Exp`` or ``Softplus`` weights stay positive, with ``RangeCompression`` in a range. Assigning to the
    parameter goes through the inverse; ``torch.nn.utils.parametrize.remove_parametrizations(module, name)``
    ends it and keeps the value.

    Reference: Salimans, Kingma (2016), https://arxiv.org/abs/1602.07868; the mechanism:
    https://docs.pytorch.org/tutorials/intermediate/parametrizations.html

    Args:
        module: the layer, changed in place.
        bijection: the map f, of tensors of the parameter's shape.
        name: which parameter.

    Returns:
        The layer.

    Raises:
        DomainError: the present value is outside of the range of f.
        ValueError: the layer has no such parameter.

    Cost: that of f at every use of the weight; ``torch.nn.utils.parametrize.cached`` avoids repetition.

    Example:
        >>> import torch
        >>> from preimage.layers import Exp
        >>> layer = nn.Linear(2, 1)
        >>> _ = torch.nn.init.constant_(layer.weight, 3.0)
        >>> layer = reparametrise(layer, Exp())
        >>> layer.weight.data, layer.parametrizations.weight.original.data
        (tensor([[3., 3.]]), tensor([[1.0986, 1.0986]]))
    """
    return parametrize.register_parametrization(module, name, Through(bijection))
