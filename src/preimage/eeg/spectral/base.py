"""Cosine coefficients of recordings: slow waves with their sign, fast ones by their amplitude."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from preimage.checks import Context
from preimage.errors import ShapeError
from preimage.flows.bases.class_conditional import ClassConditional


@final
class SpectralClassConditional(ClassConditional):
    r"""Normal slow coefficients and log-normal amplitudes of bands, jointly, around the mean of a class.

    .. math:: \phi(z) = \big(z_{k < L},\ \log \|z_{b_1}\|, \dots, \log \|z_{b_B}\|\big), \qquad
        \log p(z \mid c) = \log \mathcal N(\phi;\, \mu_c, \Sigma)
        - \sum_b \log\big(\|z_b\|^{n_b} A_{n_b}\big)
        + \log \mathcal N(z_{rest};\, 0, \operatorname{diag} \sigma^2)

    for every channel, with :math:`A_n` the surface of the unit sphere in n dimensions. Slow waves start with
    the trial, so their sign counts. Fast ones have a random phase: only the norm of a band counts, and all
    directions are equally probable. The covariance is shared, so the evidence for a class is linear in
    :math:`\phi`: Bayes' rule with this density is linear discriminant analysis of slow waves and log band
    power, as a proper density of the recording itself.

    Args:
        channels: C.
        times: T.
        classes: number of classes K.
        low: number L of slow coefficients, 0..T.
        edges: increasing borders of the bands, coefficients in ``low..times``; ``(40, 60, 100)`` are two
            bands. Coefficients outside are the rest.

    Raises:
        ShapeError: the numbers do not fit together.

    Cost: O(N (C T + D^2)) for D = C (L + B) features.

    Example:
        >>> base = SpectralClassConditional(2, 32, classes=2, low=4, edges=(4, 16))
        >>> base.features(torch.ones(5, 2, 32)).shape, base.class_log_prob(torch.ones(5, 2, 32)).shape
        (torch.Size([5, 10]), torch.Size([5, 2]))
    """

    def __init__(self, channels: int, times: int, classes: int, low: int, edges: Sequence[int] = ()) -> None:
        super().__init__((channels, times))
        inside = [low, *edges, times]
        if low < 0 or len(edges) == 1 or inside != sorted(inside) or len(set(edges)) != len(edges):
            raise ShapeError(
                f"SpectralClassConditional: low is {low} and edges are {tuple(edges)}, wanted"
                f" increasing edges, none or two and more, between low and the {times} coefficients"
            )
        if low == 0 and not edges:
            raise ShapeError("SpectralClassConditional: no slow coefficients and no bands, wanted some")
        self.channels, self.times, self.classes = channels, times, classes
        self.low, self.edges = low, tuple(edges)
        size = channels * (low + self.bands)
        self.location = nn.Parameter(torch.zeros(classes, size))
        self.below = nn.Parameter(torch.zeros(size, size))
        self.log_diagonal = nn.Parameter(torch.zeros(size))
        self.log_scale = nn.Parameter(torch.zeros(channels, len(self.rest())))

    @property
    def bands(self) -> int:
        """Number of bands B."""
        return max(0, len(self.edges) - 1)

    def widths(self) -> list[int]:
        """How many coefficients every band holds."""
        return [b - a for a, b in zip(self.edges[:-1], self.edges[1:], strict=True)]

    def rest(self) -> list[int]:
        """Coefficients that are neither slow nor in a band."""
        first, last = (self.edges[0], self.edges[-1]) if self.edges else (self.low, self.low)
        return [k for k in range(self.low, self.times) if not first <= k < last]

    def groups(self) -> Tensor:
        """Which slow coefficient or band every feature belongs to ``(D,)``."""
        return torch.arange(self.low + self.bands).repeat(self.channels)

    def features(self, z: Tensor) -> Tensor:
        r""":math:`\phi(z)`, ``(N, D)``: channel by channel, slow coefficients first."""
        return torch.cat([z[:, :, : self.low], self._log_radii(z)], dim=2).flatten(1)

    def class_log_prob(self, z: Tensor) -> Tensor:
        """The log-density of every row under every class ``(N, K)``, in nats."""
        factor = self.below.tril(-1) + torch.diag(self.log_diagonal.exp())  # (D, D)
        white = torch.linalg.solve_triangular(factor, self.features(z).T, upper=False).T  # (N, D)
        centres = torch.linalg.solve_triangular(factor, self.location.T, upper=False).T  # (K, D)
        distances = (white[:, None] - centres).square().sum(2)  # (N, K)
        size = self.location.shape[1]
        normal = -0.5 * distances - self.log_diagonal.sum() - 0.5 * size * math.log(2 * math.pi)
        return normal + (self._volume(z) + self._rest_log_prob(z))[:, None]

    def class_centres(self) -> Tensor:
        """Mean slow waves, and in every band one wave with the mean amplitude ``(K, C, T)``."""
        means = self.location.unflatten(1, (self.channels, -1))  # (K, C, L + B)
        centres = means.new_zeros(self.classes, self.channels, self.times)
        centres[:, :, : self.low] = means[:, :, : self.low]
        if self.bands:
            middles = [(a + b - 1) // 2 for a, b in zip(self.edges[:-1], self.edges[1:], strict=True)]
            centres[:, :, middles] = means[:, :, self.low :].exp()
        return centres

    def draw(self, rows: int, context: Context = None, generator: torch.Generator | None = None) -> Tensor:
        """Coefficients of recordings of the classes that the context names ``(rows, C, T)``."""
        labels = self.labels(context)
        factor = self.below.tril(-1) + torch.diag(self.log_diagonal.exp())
        noise = self.location.new_empty(rows, factor.shape[0]).normal_(generator=generator)
        phi = (self.location[labels] + noise @ factor.T).unflatten(1, (self.channels, -1))  # (N, C, L + B)
        z = phi.new_empty(rows, self.channels, self.times).normal_(generator=generator)
        rest = self.rest()
        z[:, :, rest] = z[:, :, rest] * self.log_scale.exp()
        for band, part in enumerate(self._parts(z)):
            direction = part / part.norm(dim=2, keepdim=True)
            start = self.edges[band]
            z[:, :, start : start + part.shape[2]] = direction * phi[:, :, self.low + band, None].exp()
        z[:, :, : self.low] = phi[:, :, : self.low]
        return z

    def _parts(self, z: Tensor) -> tuple[Tensor, ...]:
        """The coefficients of every band, ``(N, C, n_b)`` each."""
        return z[:, :, self.edges[0] : self.edges[-1]].split(self.widths(), dim=2) if self.bands else ()

    def _log_radii(self, z: Tensor) -> Tensor:
        tiny = torch.finfo(z.dtype).tiny  # a flat band has no logarithm, and no density either
        radii = [part.square().sum(2).clamp_min(tiny).log() / 2 for part in self._parts(z)]
        return torch.stack(radii, dim=2) if radii else z.new_zeros(*z.shape[:2], 0)

    def _volume(self, z: Tensor) -> Tensor:
        """Minus the logarithm of the surface that a log-amplitude stands for ``(N,)``."""
        widths = z.new_tensor(self.widths())  # (B,)
        surfaces = math.log(2) + widths / 2 * math.log(math.pi) - torch.lgamma(widths / 2)
        return -(self._log_radii(z) * widths + surfaces).sum((1, 2))

    def _rest_log_prob(self, z: Tensor) -> Tensor:
        standard = z[:, :, self.rest()] * (-self.log_scale).exp()  # (N, C, R)
        constant = self.log_scale.sum() + 0.5 * self.log_scale.numel() * math.log(2 * math.pi)
        return -0.5 * standard.square().sum((1, 2)) - constant


def frequency_edges(edges: Sequence[float], times: int, rate: float, low: int = 0) -> tuple[int, ...]:
    """Borders of bands in hertz as numbers of cosine coefficients; coefficient k lies at k rate / (2 T).

    Args:
        edges: increasing frequencies, in hertz.
        times: samples T.
        rate: samples a second, in hertz.
        low: number of slow coefficients, which no band may hold.

    Returns:
        Increasing whole numbers from ``low`` to T; bands without a coefficient are gone.

    Example:
        >>> frequency_edges((4.0, 8.0, 13.0, 100.0), 128, 64.0, low=10)
        (16, 32, 52, 128)
    """
    found = sorted({min(max(round(2 * times * edge / rate), low), times) for edge in edges})
    return tuple(found) if len(found) > 1 else ()
