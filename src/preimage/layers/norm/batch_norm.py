"""Batch normalisation with an exact inverse."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from preimage.certificate import Certificate, OnError
from preimage.checks import Context
from preimage.domains import Reals
from preimage.errors import NotInvertibleError
from preimage.functional.event import align_event
from preimage.functional.statistics.moments import feature_moments, may_have_rows
from preimage.layers.elementwise.elementwise import Elementwise


class BatchNorm(Elementwise):
    r"""Batch normalisation, :math:`y = \gamma (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta`.

    :math:`\mu, \sigma^2` are running averages over batches, positions and processes, in both modes. In
    training mode a forward pass first moves them towards the statistics of its batch (the first batch
    replaces them) and then uses them as constants: so rows do not depend on each other, log_det is exact, and
    the inverse undoes the last forward pass. :math:`\gamma = \pm e^a` cannot reach 0. log_det is
    :math:`\sum a - \frac12 \log(\sigma^2 + \epsilon)` over the event.

    Reference: Ioffe, Szegedy (2015), https://arxiv.org/abs/1502.03167; running averages in flows: Dinh,
    Sohl-Dickstein, Bengio (2017), Real NVP, appendix E, https://arxiv.org/abs/1605.08803

    Args:
        features: number C of features or channels.
        eps: added to the variance, positive.
        momentum: weight of a new batch, 0 to 1; at least 1/n for the n-th batch, so 0 averages all batches.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x does not have C features.
        NotInvertibleError: ``certified_inverse`` in training mode, where the forward pass of the proof would
            change the map.

    Cost: O(numel(x)); three passes over x in training mode.

    Example:
        >>> layer = BatchNorm(1)
        >>> x = torch.tensor([[1.0], [3.0]])
        >>> y = layer(x)
        >>> torch.allclose(layer.inverse(y), x), round(y.std(correction=0).item(), 3)
        (True, 1.0)
    """

    signs: Tensor
    running_mean: Tensor
    running_var: Tensor
    batches: Tensor

    def __init__(self, features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        if eps <= 0:
            raise ValueError(f"BatchNorm: eps is {eps}, wanted a positive number, such as 1e-5")
        if not 0 <= momentum <= 1:
            raise ValueError(f"BatchNorm: momentum is {momentum}, wanted a number from 0 to 1, such as 0.1")
        self.eps, self.momentum = eps, momentum
        self.domain = self.codomain = Reals(features, ...)
        self.log_scale = nn.Parameter(torch.zeros(features))
        self.shift = nn.Parameter(torch.zeros(features))
        self.register_buffer("signs", torch.ones(features))
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(features))
        self.register_buffer("batches", torch.tensor(0))

    @classmethod
    def from_batch_norm(cls, module: _BatchNorm) -> BatchNorm:
        """A copy of a PyTorch layer as it acts in evaluation mode.

        Args:
            module: any of ``nn.BatchNorm1d``, ``2d``, ``3d``, ``nn.SyncBatchNorm``.

        Returns:
            The layer, in evaluation mode.

        Raises:
            NotInvertibleError: a weight is 0, or the module keeps no running statistics.

        Example:
            >>> module = nn.BatchNorm2d(3).eval()
            >>> x = torch.randn(2, 3, 4, 4)
            >>> torch.allclose(BatchNorm.from_batch_norm(module)(x), module(x), atol=1e-6)
            True
        """
        if module.running_mean is None or module.running_var is None:
            raise NotInvertibleError(
                "BatchNorm: the module has no running statistics, it always uses those of its batch, which y"
                " does not hold; build it with track_running_stats=True"
            )
        weight = torch.ones_like(module.running_mean) if module.weight is None else module.weight.detach()
        if (weight == 0).any():
            raise NotInvertibleError(
                f"BatchNorm: {int((weight == 0).sum())} of {len(weight)} weights are 0, these channels are"
                " lost; prune them, or set the weights to a small number"
            )
        layer = cls(module.num_features, module.eps, module.momentum or 0.0).to(weight).eval()
        with torch.no_grad():
            layer.log_scale.copy_(weight.abs().log())
            layer.shift.copy_(torch.zeros_like(weight) if module.bias is None else module.bias)
        layer.signs.copy_(weight.sign())
        layer.running_mean.copy_(module.running_mean)
        layer.running_var.copy_(module.running_var)
        layer.batches.fill_(1)
        return layer

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Normalise by the running statistics, after moving them in training mode."""
        if self.training and may_have_rows(x):
            self._track(x)
        scale, log_slope = self._scale(x)
        return (x - align_event(self.running_mean, x)) * scale + align_event(self.shift, x), log_slope

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Undo it by the same statistics."""
        scale, log_slope = self._scale(y)
        return (y - align_event(self.shift, y)) / scale + align_event(self.running_mean, y), -log_slope

    def certified_inverse(
        self, y: Any, context: Context = None, *, tolerance: float | None = None, on_error: OnError = "raise"
    ) -> tuple[Any, Certificate]:
        """As for every bijection, in evaluation mode only."""
        if self.training:
            raise NotInvertibleError(
                "BatchNorm.certified_inverse: a forward pass in training mode changes the statistics, so"
                " nothing can be proved; call .eval() first"
            )
        return super().certified_inverse(y, context, tolerance=tolerance, on_error=on_error)

    def _scale(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The slope with its sign, and the logarithm of its size, both ``(1, C, 1, ...)``."""
        log_slope = self.log_scale - 0.5 * (self.running_var + self.eps).log()
        return align_event(self.signs * log_slope.exp(), x), align_event(log_slope, x)

    @torch.no_grad()
    def _track(self, x: Tensor) -> None:
        mean, variance, _ = feature_moments(x)
        self.batches.add_(1)
        weight = (1 / self.batches.to(x.dtype)).clamp_min(self.momentum)
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(variance, weight)
