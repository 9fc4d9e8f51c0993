"""A generative classifier by mean and spectrum, fitted in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, cast

import torch
from torch import Tensor

from preimage.classify import GenerativeClassifier
from preimage.eeg.stationary.base import StationaryClassConditional
from preimage.eeg.stationary.estimates import kept_differences, kept_ratios, pooled_factors
from preimage.errors import ShapeError
from preimage.flows import Flow, preset
from preimage.layers import CosineTransform


@preset
def stationary_flow(channels: int, times: int, classes: int) -> Flow:
    """The flow of :class:`StationaryClassifier`: a cosine transform, and normal coefficients by class.

    Reference: Whittle (1953), https://doi.org/10.1111/j.2517-6161.1953.tb00131.x

    Args:
        channels: C.
        times: T.
        classes: number of classes K.

    Returns:
        The flow; its weights are those of white noise until they are estimated.

    Cost: O(N T C (K C + log T)).

    Example:
        >>> stationary_flow(2, 8, classes=2).base.class_centres().shape
        torch.Size([2, 2, 8])
    """
    return Flow(CosineTransform(1), StationaryClassConditional(channels, times, classes))


class StationaryClassifier(GenerativeClassifier):
    r"""Classes by their mean and their spectrum, in closed form.

    .. math:: \log p(x \mid c) = \sum_k \log \mathcal N\big((D x)_{\cdot k};\, \mu_{c \cdot k},\,
        \Sigma_{ck}\big), \qquad D \text{ the orthonormal cosine transform over time}

    Where every class is a stationary normal process around a mean of its own, no classifier does better, up
    to the ends of the recordings and what the estimates cost. What noise alone could show is left out:
    differences of means are shrunk frequency by frequency, and covariances of the classes differ only in
    directions that stand out of the law of Marchenko and Pastur. ``fit`` continues from here by gradients, as
    every generative classifier.

    Reference: Whittle (1953), https://doi.org/10.1111/j.2517-6161.1953.tb00131.x; James, Stein (1961),
    https://projecteuclid.org/euclid.bsmsp/1200512173; Marchenko, Pastur (1967),
    https://doi.org/10.1070/SM1967v001n04ABEH001994

    Args:
        channels: C.
        times: T.
        classes: number of classes, or their names.
        neighbours: how many frequencies on either side are looked at together when noise is told from
            differences, 0 or more; the frequencies of the transform are rate / (2 T) apart.
        priors: probabilities of the classes, equal by default.

    Raises:
        ShapeError: there is no channel, or no sample.
        ValueError: neighbours is negative.

    Cost: O(N T C^2) to fit, O(N K T C^2) to classify.

    Example:
        >>> from preimage import eeg
        >>> found = eeg.synthetic(400, generator=torch.Generator().manual_seed(0))
        >>> model = StationaryClassifier(21, 128, classes=2).estimate(found.x, found.labels)
        >>> fresh, labels = found.truth.draw(200, torch.Generator().manual_seed(1))
        >>> bool((model.predict(fresh) == labels).float().mean() > 0.9)
        True
    """

    def __init__(
        self,
        channels: int,
        times: int,
        classes: int | Sequence[str],
        neighbours: int = 1,
        priors: Any = None,
    ) -> None:
        if neighbours < 0:
            raise ValueError(f"StationaryClassifier: neighbours is {neighbours}, wanted 0 or more")
        count = classes if isinstance(classes, int) else len(classes)
        super().__init__(stationary_flow(channels, times, count), classes, priors)
        self.neighbours = neighbours

    @torch.no_grad()
    def estimate(self, x: Tensor, labels: Tensor) -> Self:
        """Means and covariances of recordings ``(N, C, T)`` with labels ``(N,)``; -1 is left out.

        Raises:
            ShapeError: the shapes do not fit, or a class has fewer than two recordings.
        """
        z, y, counts = self._known(x, labels)
        sums = torch.zeros(self.classes, *z.shape[1:], dtype=z.dtype, device=z.device)
        means = sums.index_add(0, y, z) / counts[:, None, None]  # (K, C, T)
        residuals = z - means[y]
        factors = pooled_factors(residuals, 2 * self.neighbours)  # (T, C, C)
        common = torch.einsum("k,kct->ct", counts / counts.sum(), means)
        white = torch.linalg.solve_triangular(factors, residuals.permute(2, 1, 0), upper=False)  # (T, C, N)
        spread = [white[:, :, y == k] @ white[:, :, y == k].mT / (counts[k] - 1) for k in range(len(counts))]
        ratios = kept_ratios(torch.stack(spread), counts, self.neighbours)
        away = torch.linalg.solve_triangular(factors, (means - common).permute(2, 1, 0), upper=False)
        kept = kept_differences(away.permute(2, 1, 0), counts, self.neighbours)  # (T,)
        base = cast(StationaryClassConditional, self.flow.base)
        base.set_normals(common + kept * (means - common), factors @ ratios @ factors.mT)
        return self

    def _known(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Coefficients of the rows with a class in double precision, their classes, and how many of each."""
        shape = self.base.class_centres().shape[1:]
        if x.dim() != 3 or x.shape[1:] != shape or labels.shape != x.shape[:1]:
            raise ShapeError(
                f"estimate: got recordings {tuple(x.shape)} and labels {tuple(labels.shape)}, wanted"
                f" (N, {shape[0]}, {shape[1]}) and (N,)"
            )
        known = labels >= 0
        y = labels[known].long()
        counts = torch.bincount(y, minlength=self.classes)
        if len(counts) != self.classes or counts.min() < 2:
            raise ShapeError(
                f"estimate: classes have {counts.tolist()} recordings, wanted two or more in each of"
                f" {self.classes} classes"
            )
        return self.flow.bijection(x[known].double()), y, counts.double()
