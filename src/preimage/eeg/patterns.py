"""What a filter looks at: patterns in the place of weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from preimage.eeg.cosnet.network import CosNet
from preimage.errors import ShapeError


def haufe_patterns(data: Tensor, filters: Tensor) -> Tensor:
    r"""The activation patterns of linear filters: what they look at, not what they are made of.

    .. math:: A = \Sigma_x W\, \Sigma_s^{-1}, \qquad s = W^\top x

    The weights of a filter also say which noise it cancels, so a large weight need not mean that there is
    any signal. The pattern says how the signal that the filter extracts shows in every channel: column f is
    the change of x that goes with a change of s_f by one.

    Reference: Haufe, Meinecke, Görgen, Dähne, Haynes, Blankertz, Bießmann (2014), On the interpretation of
    weight vectors of linear models in multivariate neuroimaging,
    https://doi.org/10.1016/j.neuroimage.2013.10.067

    Args:
        data: x, tensor ``(N, C)`` of observations or ``(N, C, T)`` of recordings, all samples alike.
        filters: W, tensor ``(C, F)``.

    Returns:
        Tensor ``(C, F)``, in units of x for one unit of s. Filters that say the same are shared out between
        their patterns by the pseudo-inverse.

    Raises:
        ShapeError: channels differ, or there are fewer than two observations.

    Cost: O(M C^2) for M observations, and O(F^3).

    Example:
        >>> mixing = torch.tensor([[1.0, 0.5], [0.0, 1.0]])
        >>> sources = torch.randn(5000, 2, generator=torch.Generator().manual_seed(0))
        >>> haufe_patterns(sources @ mixing.T, torch.linalg.inv(mixing).T).round(decimals=1).abs()
        tensor([[1.0000, 0.5000],
                [0.0000, 1.0000]])
    """
    _check(data, filters)
    covariance = channel_covariance(data)
    shown = covariance @ filters  # (C, F), the covariance of every channel with every filtered signal
    return shown @ torch.linalg.pinv(filters.mT @ shown, hermitian=True)


def covariance_patterns(data: Tensor, filters: Tensor) -> Tensor:
    r"""Patterns of filters seen one by one, :math:`A = \Sigma_x W`.

    Column f is the covariance of every channel with the signal of filter f. For a single filter, or filters
    whose signals are uncorrelated, it has the shape of :func:`haufe_patterns`; it needs no inverse, and so
    also serves more filters than channels.

    Reference: Haufe et al. (2014), section 2.2, https://doi.org/10.1016/j.neuroimage.2013.10.067

    Args:
        data: x, tensor ``(N, C)`` or ``(N, C, T)``.
        filters: W, tensor ``(C, F)``.

    Returns:
        Tensor ``(C, F)``.

    Raises:
        ShapeError: channels differ, or there are fewer than two observations.

    Cost: O(M C^2) for M observations.

    Example:
        >>> covariance_patterns(torch.tensor([[-1.0, -2.0], [1.0, 2.0]]), torch.tensor([[1.0], [0.0]]))
        tensor([[2.],
                [4.]])
    """
    _check(data, filters)
    return channel_covariance(data) @ filters


def channel_covariance(data: Tensor) -> Tensor:
    """The covariance of channels ``(C, C)`` over all observations ``(N, C)`` or samples ``(N, C, T)``."""
    rows = data if data.dim() == 2 else data.transpose(1, 2).flatten(0, 1)  # (M, C)
    centred = rows - rows.mean(dim=0)
    return centred.mT @ centred / (len(rows) - 1)


@dataclass(frozen=True)
class CosNetPatterns:
    """What an EEG-CosNet looks at, one row a filter, sorted by the evidence for a class.

    Args:
        filters: numbers of the filters in the network ``(F,)``.
        spatial: where the signal of every filter shows ``(F, C)``, each with a largest absolute value of 1.
        in_band: the same for what is left of the recordings in the band of its waveform ``(F, C)``: where
            slow noise is strong it hides everything else from the first.
        waveforms: what it is compared with ``(F, K)``, each of length 1.
        weights: weight for the class ``(F,)``.
        evidence: covariance of the feature with the evidence for the class ``(F,)``; its sign says for
            which class the feature really speaks.
    """

    filters: Tensor
    spatial: Tensor
    in_band: Tensor
    waveforms: Tensor
    weights: Tensor
    evidence: Tensor


@torch.no_grad()
def cosnet_patterns(net: CosNet, x: Tensor, label: int = 1) -> CosNetPatterns:
    r"""The filters of an EEG-CosNet as patterns, most evidence for a class first.

    Spatial filters are multiplied by the covariance of the electrodes, :math:`\Sigma_x W_f`, and again by
    that of the electrodes behind the own waveform, :math:`\Sigma_{w_f * x} W_f`; the weights of the
    classifier by the covariance of the features, :math:`\Sigma_\phi a`. The sign of a pattern and its
    waveform is free, as the network takes absolute values: the largest value of a pattern is made positive.

    Reference: Haufe et al. (2014), https://doi.org/10.1016/j.neuroimage.2013.10.067

    Args:
        net: a trained network.
        x: recordings ``(N, C, T)`` of the kind that it was trained on, two or more.
        label: the class, 0 to K - 1.

    Returns:
        The patterns, see :class:`CosNetPatterns`.

    Raises:
        ShapeError: x does not fit the network, or the label is none of its classes.

    Cost: one run of the network, the covariances, and C convolutions with every waveform; some hundred
    recordings are enough.

    Example:
        >>> from preimage.eeg import EEGCosNet
        >>> net = EEGCosNet(channels=3, filters=4, window=8)
        >>> found = cosnet_patterns(net, torch.randn(20, 3, 32))
        >>> found.spatial.shape, found.waveforms.shape
        (torch.Size([4, 3]), torch.Size([4, 8]))
    """
    if not 0 <= label < net.classes:
        raise ShapeError(f"cosnet_patterns: label is {label}, wanted 0 to {net.classes - 1}")
    weights = net.class_weights()[label]  # (F,)
    evidence = channel_covariance(net.features(x)) @ weights
    order = evidence.argsort(descending=True, stable=True)
    spatial, signs = _scaled(covariance_patterns(x, net.spatial.detach()).mT)  # (F, C)
    in_band, band_signs = _scaled(_patterns_in_band(net, x))
    signs = torch.where(in_band.abs().amax(dim=1, keepdim=True) > 0, band_signs, signs)
    waveforms = functional.normalize(net.temporal.detach(), dim=1) * signs
    columns = (order, spatial[order], in_band[order], waveforms[order], weights[order], evidence[order])
    return CosNetPatterns(*columns)


def _scaled(patterns: Tensor) -> tuple[Tensor, Tensor]:
    """Rows ``(F, C)`` with their largest value 1, and the signs that they had ``(F, 1)``."""
    largest = patterns.gather(1, patterns.abs().argmax(dim=1, keepdim=True))
    scale = torch.where(largest == 0, torch.ones_like(largest), largest)
    return patterns / scale, scale.sign()


def _patterns_in_band(net: CosNet, x: Tensor, rows: int = 50) -> Tensor:
    """Covariances of every channel with the filtered signal, both behind the waveform: ``(F, C)``."""
    products, means, count = torch.zeros(()), torch.zeros(()), 0
    kernels = net.temporal.detach()[:, None]  # (F, 1, K)
    for part in x.split(rows):
        waves = functional.conv1d(part.flatten(0, 1)[:, None], kernels).unflatten(0, part.shape[:2])
        waves = waves.permute(2, 1, 0, 3).flatten(2)  # (F, C, windows of all rows)
        signals = torch.einsum("fcm,cf->fm", waves, net.spatial.detach())
        products = products.to(waves) + torch.einsum("fcm,fm->fc", waves, signals)
        means = means.to(waves) + torch.cat([waves, signals[:, None]], dim=1).sum(dim=2)  # (F, C + 1)
        count += waves.shape[2]
    return products / count - means[:, :-1] * means[:, -1:] / count**2


def _check(data: Tensor, filters: Tensor) -> None:
    fits = data.dim() in (2, 3) and filters.dim() == 2 and data.shape[1] == filters.shape[0]
    if not fits or data[:, 0].numel() < 2:
        raise ShapeError(
            f"patterns: data have shape {tuple(data.shape)}, filters {tuple(filters.shape)}; wanted two"
            " observations or more (N, C) or (N, C, T), and (C, F)"
        )
