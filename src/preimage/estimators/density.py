"""A flow as a density estimator of scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch

from preimage.estimators.scikit import (
    BaseEstimator,
    DensityMixin,
    check_is_fitted,
    check_random_state,
    validate_data,
)
from preimage.flows import PRESETS, Flow


class FlowDensity(DensityMixin, BaseEstimator):
    r"""A density of the rows of a table, :math:`\log p(x)` in nats, with the methods of scikit-learn.

    Reference: Pedregosa et al. (2011), Scikit-learn, https://jmlr.org/papers/v12/pedregosa11a.html

    Args:
        preset: name of a preset for vectors, such as ``"nsf"``, ``"maf"`` or ``"nsf_coupling"``.
        transforms: its number of transforms.
        hidden_features: widths of its networks.
        epochs: passes over the data at most.
        batch_size: rows of a step.
        learning_rate: at the top of the schedule.
        hold_out: share of the rows held out for early stopping.
        patience: epochs without a better validation loss after which training stops.
        random_state: seed, or a random state of numpy; None for a fresh one.

    Attributes:
        flow_: the fitted :class:`preimage.flows.Flow`.
        n_features_in_: number of columns.

    Raises:
        ValueError: the data hold NaN or infinity, or one row only.

    Cost: see :func:`preimage.training.fit`.

    Example:
        >>> X = np.random.RandomState(0).randn(200, 2)
        >>> density = FlowDensity(epochs=2, random_state=0).fit(X)
        >>> density.score_samples(X[:3]).shape, density.sample(4).shape
        ((3,), (4, 2))
    """

    def __init__(
        self,
        preset: str = "nsf",
        *,
        transforms: int = 3,
        hidden_features: Sequence[int] = (64, 64),
        epochs: int = 100,
        batch_size: int = 256,
        learning_rate: float = 2e-3,
        hold_out: float = 0.1,
        patience: int = 20,
        random_state: Any = None,
    ) -> None:
        self.preset = preset
        self.transforms = transforms
        self.hidden_features = hidden_features
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.hold_out = hold_out
        self.patience = patience
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the density to the rows of X ``(N, D)``; y is ignored."""
        table: Any = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        if self.preset not in PRESETS:
            raise ValueError(
                f"FlowDensity: preset is {self.preset!r}, wanted one of {', '.join(sorted(PRESETS))}"
            )
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            self.flow_ = self._made(table.shape[1])
        self.flow_.fit(
            table,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            hold_out=self.hold_out,
            patience=self.patience,
            seed=seed,
            progress=False,
        )
        self.flow_.eval()
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """The log-density of the rows of X, ``(N,)``."""
        check_is_fitted(self)
        table = validate_data(self, X, dtype=np.float64, reset=False)
        with torch.no_grad():
            return self.flow_.log_prob(torch.as_tensor(table)).numpy()

    def score(self, X: Any, y: Any = None) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The mean log-density of the rows of X; the larger the better."""
        return float(self.score_samples(X).mean())

    def sample(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Rows of the fitted density, ``(n_samples, D)``."""
        check_is_fitted(self)
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        return self.flow_.sample(n_samples, generator=torch.Generator().manual_seed(seed)).numpy()

    def _made(self, features: int) -> Flow:
        flow = PRESETS[self.preset](
            features, transforms=self.transforms, hidden_features=tuple(self.hidden_features)
        )
        return flow.double()
