"""How strange an input is to a generative classifier, whatever class it is given."""

from __future__ import annotations

import abc
from typing import Any

import torch
from torch import Tensor, nn

from preimage.classify.parts import in_parts
from preimage.errors import ShapeError


class OutlierScore(abc.ABC):
    """One number for every row: the larger, the stranger.

    Args:
        model: a classifier or flow with ``log_prob(x) -> (N,)``.

    Example:
        >>> from preimage.flows import Flow, Normal
        >>> from preimage.bijection import Chain
        >>> score = LogDensityScore(Flow(Chain(), Normal(1)))
        >>> score(torch.tensor([[0.0], [3.0]]))
        tensor([0.9189, 5.4189])
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    @abc.abstractmethod
    def __call__(self, x: Any) -> Tensor:
        """The scores ``(N,)`` of rows ``(N, *event)``, in nats; without gradients."""

    def log_prob(self, x: Any) -> Tensor:
        """The log-density of every row ``(N,)``."""
        return in_parts(self.model.log_prob, x)  # pyright: ignore[reportArgumentType]


class LogDensityScore(OutlierScore):
    r"""Minus the log-density, :math:`-\log p(x)`.

    Smooth inputs have a high density whatever they show: pictures of another, plainer kind may look more
    usual than the training data (Nalisnick et al. 2019, https://arxiv.org/abs/1810.09136). Compare with the
    other scores.

    Reference: Bishop (1994), Novelty detection and neural network validation,
    https://doi.org/10.1049/ip-vis:19941330

    Args:
        model: a classifier or flow with ``log_prob(x) -> (N,)``.

    Cost: one pass.

    Example:
        >>> from preimage.flows import Flow, Normal
        >>> from preimage.bijection import Chain
        >>> LogDensityScore(Flow(Chain(), Normal(1)))(torch.zeros(1, 1))
        tensor([0.9189])
    """

    def __call__(self, x: Any) -> Tensor:
        """Minus the log-density ``(N,)``."""
        return -self.log_prob(x)


class TypicalityScore(OutlierScore):
    r"""How far the log-density is from its usual value, :math:`|-\log p(x) - H|`.

    H is the mean of :math:`-\log p` over known rows, an estimate of the entropy. Too usual is strange too.

    Reference: Nalisnick, Matsukawa, Teh, Lakshminarayanan (2019), Detecting out-of-distribution inputs to
    deep generative models using typicality, https://arxiv.org/abs/1906.02994

    Args:
        model: a classifier or flow with ``log_prob(x) -> (N,)``.
        known: usual rows ``(M, *event)``, best such that were not trained on.

    Cost: one pass over the known rows, once; then one pass.

    Example:
        >>> from preimage.flows import Flow, Normal
        >>> from preimage.bijection import Chain
        >>> score = TypicalityScore(Flow(Chain(), Normal(1)), known=torch.tensor([[1.0], [-1.0]]))
        >>> score(torch.tensor([[1.0], [0.0]]))
        tensor([0.0000, 0.5000])
    """

    def __init__(self, model: nn.Module, known: Any) -> None:
        super().__init__(model)
        self.entropy = -float(self.log_prob(known).double().mean())

    def __call__(self, x: Any) -> Tensor:
        """The distance from the entropy ``(N,)``."""
        return (-self.log_prob(x) - self.entropy).abs()


class DensityRatioScore(OutlierScore):
    r"""How much less probable than for a background model, :math:`\log q(x) - \log p(x)`.

    What makes any input probable, such as plain backgrounds, cancels. The background model is a density of
    other data, or of the same with noise.

    Reference: Ren et al. (2019), Likelihood ratios for out-of-distribution detection,
    https://arxiv.org/abs/1906.02845

    Args:
        model: a classifier or flow with ``log_prob(x) -> (N,)``.
        background: the same for background data.

    Cost: one pass of both.

    Example:
        >>> from preimage.flows import Flow, Normal
        >>> from preimage.bijection import Chain
        >>> flow = Flow(Chain(), Normal(1))
        >>> DensityRatioScore(flow, background=flow)(torch.zeros(1, 1))
        tensor([0.])
    """

    def __init__(self, model: nn.Module, background: nn.Module) -> None:
        super().__init__(model)
        self.background = LogDensityScore(background)

    def __call__(self, x: Any) -> Tensor:
        """The log-ratio ``(N,)``."""
        return -self.background(x) - self.log_prob(x)


def separation(known: Tensor, strange: Tensor) -> float:
    r"""The probability that a strange row scores higher than a known one: the area under the ROC curve.

    .. math:: P(s_{strange} > s_{known}) + \tfrac12 P(s_{strange} = s_{known})

    Reference: Hanley, McNeil (1982), https://doi.org/10.1148/radiology.143.1.7063747

    Args:
        known: scores ``(N,)``.
        strange: scores ``(M,)``.

    Returns:
        1 where the scores tell them apart, 0.5 where they say nothing.

    Raises:
        ShapeError: no scores.

    Cost: O((N + M) log N).

    Example:
        >>> separation(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 2.0]))
        0.875
    """
    if known.dim() != 1 or strange.dim() != 1 or not len(known) or not len(strange):
        raise ShapeError(
            f"separation: got scores of shapes {tuple(known.shape)} and {tuple(strange.shape)}, wanted (N,)"
            " and (M,) with one row or more"
        )
    ordered = known.double().sort().values
    wanted = strange.double()
    below = torch.searchsorted(ordered, wanted).double()
    at_most = torch.searchsorted(ordered, wanted, right=True).double()
    return float((below + at_most).mean() / (2 * len(known)))
