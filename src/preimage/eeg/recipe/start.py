"""A start from data instead of the identity: white latents, and the means of the classes."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor

from preimage.bijection import Bijection, Chain
from preimage.checks import reference_tensor
from preimage.eeg.invnet.blocks import InvNetBlock
from preimage.eeg.invnet.network import InvNet
from preimage.eeg.recipe.crops import checked_recordings
from preimage.errors import ShapeError
from preimage.functional.statistics.moments import feature_moments
from preimage.layers import MaskedLULinear, MeanDifference, Parallel

Model = TypeVar("Model", bound=InvNet)
Targets = dict[InvNetBlock, Tensor]


@torch.no_grad()
def start_from_data(model: Model, x: Any, labels: Any, *, shrinkage: float = 1e-3) -> Model:
    r"""Set every linear map of an untrained network so that its outputs are white, then the class means.

    .. math:: W \leftarrow V^{1/2} \operatorname{chol}(\Sigma)^{-1}, \qquad b \leftarrow -\mu, \qquad
        \mu_c \leftarrow \frac1{n_c}\sum_{n \in c} f(x_n)

    Block by block, with mean and covariance of what arrives there, and the variances V that white latents
    have at this place. The network is then a linear
    discriminant analysis with a covariance over eight samples and all channels, and its prototypes are the
    means of the classes; training goes on from there in a fraction of the steps. The published network
    starts as the identity instead: leave this out for that.

    Reference: Glow's start from data with a full matrix in the place of a scale: Kingma, Dhariwal (2018),
    section 3.1, https://arxiv.org/abs/1807.03039; whitening: Kessy, Lewin, Strimmer (2018),
    https://arxiv.org/abs/1512.00809

    Args:
        model: an untrained :class:`~preimage.eeg.InvNet`, changed in place.
        x: windows ``(N, C, T)``, many more samples than channels of the last stage.
        labels: classes ``(N,)``.
        shrinkage: share of the mean variance added to every variance, 0 or more.

    Returns:
        The model itself.

    Raises:
        ShapeError: the shapes do not fit, or a class has no window.
        LinAlgError: channels depend on each other and the shrinkage is 0.

    Cost: one run of the network, and a factorisation a block.

    Example:
        >>> from preimage.eeg import EEGInvNet
        >>> x = 5 * torch.randn(50, 2, 16, generator=torch.Generator().manual_seed(0)) + 3
        >>> model = EEGInvNet(2, 16, blocks=1, hidden_channels=4).eval()
        >>> z = start_from_data(model, x, torch.arange(50) % 2).flow.encode(x)
        >>> bool((z.std() - 1).abs() < 0.1), bool(z.mean().abs() < 0.1)
        (True, True)
    """
    windows, y = checked_recordings("start_from_data", x, labels, model.times)
    reference = reference_tensor(model)
    windows = windows if reference is None else windows.to(reference)
    counts = torch.bincount(y, minlength=model.classes)
    if len(counts) != model.classes or not bool(counts.all()):
        raise ShapeError(
            f"start_from_data: classes have {counts.tolist()} windows, wanted 1 or more of each of"
            f" {model.classes} classes"
        )
    training = model.training
    bijection = model.eval().flow.bijection
    targets: Targets = {}
    _trace(bijection, torch.ones(model.base.class_centres().shape[1], dtype=torch.float64), targets)
    z = _whitened(bijection, windows, targets, shrinkage)
    means = torch.stack([z[y.to(z.device) == label].mean(dim=0) for label in range(model.classes)])
    model.base.class_centres().copy_(means)
    model.train(training)
    return model


def _trace(layer: Bijection, variance: Tensor, targets: Targets) -> Tensor:
    """The variances of the channels that white latents have before a layer; those of blocks are kept."""
    if isinstance(layer, InvNetBlock):
        targets[layer] = variance
    elif isinstance(layer, Chain):
        for member in reversed(list(layer)):
            variance = _trace(member, variance, targets)
    elif isinstance(layer, Parallel):
        parts = [_trace(member, variance, targets) for member in layer.members]
        return parts[0]
    elif isinstance(layer, MeanDifference):
        low, high = variance.chunk(2)
        return low + high / 4
    elif isinstance(layer.inv, MeanDifference):
        return torch.cat([variance / 2, 2 * variance])
    return variance


def _whitened(layer: Bijection, x: Any, targets: Targets, shrinkage: float) -> Any:
    """What a layer gives for x, after every block in it has been set."""
    if isinstance(layer, InvNetBlock):
        _set(layer, x, targets[layer].to(x.device), shrinkage)
    elif isinstance(layer, Chain):
        for member in layer:
            x = _whitened(member, x, targets, shrinkage)
        return x
    elif isinstance(layer, Parallel):
        pairs = zip(layer.members, x, strict=True)
        return tuple(_whitened(member, part, targets, shrinkage) for member, part in pairs)
    return layer(x)


def _set(block: InvNetBlock, x: Tensor, variance: Tensor, shrinkage: float) -> None:
    """Shift and linear map of a block from its input ``(N, C, T)``."""
    mean, spread, _ = feature_moments(x)
    rows = (x - mean[:, None]).transpose(1, 2).flatten(0, 1).double()  # (N T, C)
    covariance = rows.mT @ rows / len(rows)
    covariance.diagonal().add_(shrinkage * spread.double().mean())
    block.normalisation.shift.copy_(-mean)
    _set_white(block.mixing, covariance, variance)


def _set_white(layer: MaskedLULinear, covariance: Tensor, variance: Tensor) -> None:
    """Make W turn a covariance ``(C, C)`` into a diagonal one: triangular, without an order."""
    factor = torch.linalg.cholesky(covariance)
    eye = torch.eye(len(factor), dtype=factor.dtype, device=factor.device)
    weight = variance.sqrt()[:, None] * torch.linalg.solve_triangular(factor, eye, upper=False)
    scales = weight.diagonal()
    layer.set_factors((weight / scales).tril(-1), torch.zeros_like(weight), scales.log())
