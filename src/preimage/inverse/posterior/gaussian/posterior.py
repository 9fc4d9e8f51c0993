"""The Gaussian posterior of an input, without any data."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from preimage.capture.taps import TapLike
from preimage.errors import DomainError
from preimage.inverse.packing import sample_rows
from preimage.inverse.posterior.gaussian.gates import Gates
from preimage.inverse.posterior.gaussian.smoother import Smoother
from preimage.inverse.posterior.gaussian.start import described, recorded, shape_of, start, written_down
from preimage.inverse.posterior.posterior import Posterior, normal_numbers
from preimage.inverse.preimages.priors.gaussian import Gaussian
from preimage.inverse.values import Values

if TYPE_CHECKING:
    from preimage.inverse.on_demand import OnDemand


@final
class GaussianPosterior(Posterior):
    """The normal distribution of x given y that a :class:`Smoother` finds: exact for linear networks.

    Args:
        inverse: of the network.
        y: values at the tap, ``(N, *event)``; a tuple for a network with several outputs.
        tap: label, value or module path; the network's output when None.
        prior: of the input; when None, what the batch norms remember, or standard normal numbers.

    Cost: see :class:`Smoother`; covariances are written down, for inputs of up to 2048 numbers.
    """

    def __init__(
        self, inverse: OnDemand, y: Values, tap: str | TapLike | None = None, prior: Gaussian | None = None
    ) -> None:
        super().__init__(inverse, y, tap)
        graph, known = inverse.graph, inverse.known(y, tap)
        gates, like = Gates.of(graph, tuple(known)), self._question.wanted
        given = None if prior is None else written_down(prior, shape_of(graph), like)
        memory = recorded(inverse.context, gates) if given is None else {}
        smoother = Smoother(gates, start(graph, like) if given is None else given, memory, like)
        rows = {name: sample_rows(graph, name, value).detach() for name, value in known.items()}
        found = smoother.run({name: value.flatten(1).double() for name, value in rows.items()})
        self.is_exact = all(smoothed.exact for smoothed in found)
        self._prior = "a given prior" if given is not None else described(graph)
        self._middle = torch.cat([smoothed.root.mean for smoothed in found])  # (N, n)
        self.covariance = torch.stack([smoothed.root.covariance for smoothed in found])  # (N or 1, n, n)
        self._certificate = inverse.evidence(self.mean, y, tap, None)

    @property
    def mode(self) -> str:
        """What the distribution was learnt from."""
        return f"data-free, from {self._prior}; {'exact' if self.is_exact else 'a normal approximation'}"

    @property
    def _mean(self) -> Tensor:
        return self._shaped(self._middle)

    @property
    def _deviation(self) -> Tensor:
        variance = self.covariance.diagonal(dim1=1, dim2=2).clamp_min(0)
        return self._shaped(variance.sqrt().expand_as(self._middle))

    def _half_width(self, level: float) -> Tensor:
        if not 0.0 < level < 1.0:
            raise DomainError(f"got level={level}; a probability above 0 and below 1 was wanted")
        quantile = torch.special.ndtri(torch.tensor((1 + level) / 2, dtype=torch.float64))
        return self._deviation * quantile.item()

    def _drawn(self, count: int, generator: torch.Generator | None) -> Tensor:
        size, vectors = torch.linalg.eigh(self.covariance)
        root = vectors * size.clamp_min(0).sqrt()[:, None]  # (N or 1, n, n)
        shape = (len(self._middle), self._middle.shape[1], count)
        noise = normal_numbers(shape, self._middle, generator)
        drawn = self._middle[:, None] + (root @ noise).mT  # (N, count, n)
        return self._shaped(drawn.flatten(0, 1))

    def _shaped(self, rows: Tensor) -> Tensor:
        return rows.to(self._question.wanted).reshape(len(rows), *self._question.shape)
