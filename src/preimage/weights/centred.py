"""Weight normalisation with zero mean per neuron."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd
from torch.nn.utils import parametrize


class Centred(nn.Module):
    """The parametrisation of :func:`centred_weight_norm`.

    Args:
        dim: dimension of the weight that counts the neurons.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, length: Tensor, direction: Tensor) -> Tensor:
        """The weight with these lengths ``(out,)`` and directions, of the shape of the weight."""
        centred = self._centre(direction)
        norm = torch.linalg.vector_norm(centred, dim=self._others(direction), keepdim=True)
        return centred / norm * length.view_as(norm)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The lengths and directions of the centred weight."""
        centred = self._centre(weight)
        length = torch.linalg.vector_norm(centred, dim=self._others(weight))
        if not (length > 0).all():
            raise ValueError(
                "centred_weight_norm: the incoming weights of a neuron are all equal, so nothing is left once"
                " their mean is taken off; initialise the weight at random, with two or more inputs"
            )
        return length, weight

    def _centre(self, weight: Tensor) -> Tensor:
        return weight - weight.mean(dim=self._others(weight), keepdim=True)

    def _others(self, weight: Tensor) -> list[int]:
        return [dim for dim in range(weight.dim()) if dim != self.dim]


def centred_weight_norm(module: nn.Module, name: str = "weight") -> nn.Module:
    r"""Give every neuron incoming weights of mean zero and a length of their own.

    .. math:: w_i = g_i\, \frac{v_i - \bar v_i}{\|v_i - \bar v_i\|}

    for the vector of all weights that lead into neuron or channel i. Attaching takes the means off and
    changes nothing else: g starts as the present length.

    Reference: Huang, Liu, Liu, Lang, Tao (2017), Centered weight normalization,
    https://doi.org/10.1109/ICCV.2017.305

    Args:
        module: a linear layer or convolution, changed in place. Its parameters become
            ``parametrizations.weight.original0`` (the lengths ``(out,)``) and ``original1``.
        name: which parameter.

    Returns:
        The layer.

    Raises:
        ValueError: a neuron's incoming weights are all equal, or the layer is a transposed convolution in
            groups, whose weight does not tell the neurons apart.

    Cost: O(weights) at every use.

    Example:
        >>> layer = centred_weight_norm(nn.Linear(5, 3))
        >>> layer.weight.mean(dim=1).abs().max().item() < 1e-7
        True
    """
    transposed = isinstance(module, _ConvTransposeNd)
    if transposed and module.groups > 1:
        raise ValueError("centred_weight_norm: got a transposed convolution in groups, wanted one group")
    return parametrize.register_parametrization(module, name, Centred(1 if transposed else 0))
