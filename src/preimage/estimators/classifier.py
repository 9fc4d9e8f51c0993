"""A generative classifier as a classifier of scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch

from preimage.classify import ClassAndDensityLoss, GenerativeClassifier, class_frequencies, vector_classifier
from preimage.classify.parts import in_parts
from preimage.estimators.scikit import (
    BaseEstimator,
    ClassifierMixin,
    check_classification_targets,
    check_is_fitted,
    check_random_state,
    validate_data,
)


class FlowClassifier(ClassifierMixin, BaseEstimator):
    r"""Bayes' rule with a flow for every class, :math:`p(c \mid x) \propto p(c)\, p(x \mid c)^{1/t}`.

    Columns are standardised first, with mean and deviation of the rows that it is fitted to. Priors are the
    shares of the classes among them.

    Reference: Ardizzone, Mackowiak, Rother, Köthe (2020), https://arxiv.org/abs/2001.06448; Pedregosa et al.
    (2011), Scikit-learn, https://jmlr.org/papers/v12/pedregosa11a.html

    Args:
        bijection: name of a preset for vectors, such as ``"nsf"``, ``"maf"`` or, for two columns or more,
            ``"nsf_coupling"``.
        transforms: its number of transforms.
        hidden_features: widths of its networks.
        alpha: weight of the generative term beside the class term; one over the number of columns by
            default, see :class:`preimage.classify.ClassAndDensityLoss`.
        epochs: passes over the data at most.
        batch_size: rows of a step.
        learning_rate: at the top of the schedule.
        weight_decay: of AdamW.
        hold_out: share of the rows held out for early stopping.
        patience: epochs without a better validation loss after which training stops.
        random_state: seed, or a random state of numpy; None for a fresh one.

    Attributes:
        classes_: the labels, in order.
        classifier_: the fitted :class:`preimage.classify.GenerativeClassifier`.
        n_features_in_: number of columns.

    Raises:
        ValueError: the data hold NaN or infinity, or one class only.

    Cost: see :func:`preimage.training.fit`.

    Example:
        >>> X = np.random.RandomState(0).randn(200, 2)
        >>> y = np.where(X[:, 0] * X[:, 1] > 0, "same", "opposite")
        >>> model = FlowClassifier(epochs=2, random_state=0).fit(X, y)
        >>> model.classes_.tolist(), model.predict_proba(X[:3]).shape
        (['opposite', 'same'], (3, 2))
    """

    def __init__(
        self,
        bijection: str = "nsf",
        *,
        transforms: int = 3,
        hidden_features: Sequence[int] = (64, 64),
        alpha: float | None = None,
        epochs: int = 100,
        batch_size: int = 256,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-2,
        hold_out: float = 0.1,
        patience: int = 20,
        random_state: Any = None,
    ) -> None:
        self.bijection = bijection
        self.transforms = transforms
        self.hidden_features = hidden_features
        self.alpha = alpha
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.hold_out = hold_out
        self.patience = patience
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the classifier to the rows of X ``(N, D)`` with labels y ``(N,)`` of any kind."""
        table: Any
        table, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"FlowClassifier: y holds one class only, {self.classes_[0]!r}; wanted 2 classes or more"
            )
        self.mean_ = table.mean(0)
        deviation = table.std(0)
        self.scale_ = np.where(deviation > 0, deviation, 1.0)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.classifier_ = self._made(table.shape[1], labels, seed)
        self.classifier_.fit(
            (table - self.mean_) / self.scale_,
            labels,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            hold_out=self.hold_out,
            patience=self.patience,
            seed=seed,
            progress=False,
        )
        self.classifier_.eval()
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of every class of ``classes_``, ``(N, K)``."""
        check_is_fitted(self)
        return self.classifier_.predict_proba(self._rows(X)).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """The most probable label of every row ``(N,)``."""
        probability = self.predict_proba(X)
        return self.classes_[probability.argmax(axis=1)]

    def score_samples(self, X: Any) -> np.ndarray:
        """The log-density of the rows of X over all classes, ``(N,)``: low where a row is strange."""
        check_is_fitted(self)
        rows = self._rows(X)
        return in_parts(self.classifier_.log_prob, rows).numpy() - np.log(self.scale_).sum()

    def _rows(self, X: Any) -> torch.Tensor:
        table = validate_data(self, X, dtype=np.float64, reset=False)
        return torch.as_tensor((table - self.mean_) / self.scale_)

    def _made(self, features: int, labels: np.ndarray, seed: int) -> GenerativeClassifier:
        count = len(self.classes_)
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            return vector_classifier(
                features,
                count,
                priors=class_frequencies(labels, count),
                loss=ClassAndDensityLoss(self.alpha),
                bijection=self.bijection,
                transforms=self.transforms,
                hidden_features=tuple(self.hidden_features),
            ).double()
