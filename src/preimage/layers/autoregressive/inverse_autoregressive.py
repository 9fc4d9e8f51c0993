"""The autoregressive map run the other way, for fast sampling."""

from __future__ import annotations

from preimage.bijection import Inverted
from preimage.layers.autoregressive.autoregressive import Autoregressive
from preimage.layers.coupling.element_map import ElementMap
from preimage.nets import AutoregressiveNet


class InverseAutoregressive(Inverted):
    r"""Inverse autoregressive layer, whose *inverse* is one run: :math:`x_i = g(y_i;\, \theta_i(y_{<i}, c))`.

    An :class:`~preimage.layers.Autoregressive` with its directions swapped: from latent to data all features
    are moved at once, so that samples and their densities are cheap; from data to latent it is solved.

    Reference: Kingma, Salimans, Jozefowicz, Chen, Sutskever, Welling (2016), Improving variational inference
    with inverse autoregressive flow, https://arxiv.org/abs/1606.04934

    Args:
        net: gives each feature its parameters from earlier *latent* features, as for Autoregressive.
        element_map: the map g, from latent to data; :class:`~preimage.layers.AffineMap` by default.

    Returns:
        y of the shape of x ``(N, *event_shape)``, and log_det ``(N,)``.

    Raises:
        ValueError: the network gives another number of parameters than the element map takes.

    Cost: that of Autoregressive, with the directions swapped.

    Example:
        >>> import torch
        >>> from preimage.nets import MaskedMLP
        >>> layer = InverseAutoregressive(MaskedMLP(5, count=2))
        >>> y = torch.randn(4, 5)
        >>> torch.allclose(layer(layer.inverse(y)), y, atol=1e-6)
        True
    """

    def __init__(self, net: AutoregressiveNet, element_map: ElementMap | None = None) -> None:
        super().__init__(Autoregressive(net, element_map))
