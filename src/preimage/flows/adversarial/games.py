"""What the critic and the flow each minimise."""

from __future__ import annotations

import abc

from torch import Tensor
from torch.nn.functional import relu, softplus


class Game(abc.ABC):
    """The losses of a critic, and of a flow that it judges, from the scores of both kinds of values.

    Example:
        >>> import torch
        >>> NonSaturating().flow_losses(torch.zeros(2), torch.zeros(2))
        tensor([0.6931, 0.6931])
    """

    @abc.abstractmethod
    def critic_losses(self, real: Tensor, made: Tensor) -> Tensor:
        """What the critic minimises.

        Args:
            real: scores of what the flow should match ``(N,)``.
            made: scores of what the flow made ``(N,)``.

        Returns:
            Tensor ``(N,)``.
        """

    @abc.abstractmethod
    def flow_losses(self, real: Tensor, made: Tensor) -> Tensor:
        """What the flow minimises; arguments and returns as above."""


class NonSaturating(Game):
    r"""Logistic classification; the flow maximises the log-odds of what it made.

    .. math:: \ell_D = \zeta(-D(x)) + \zeta(D(\hat x)), \qquad \ell_F = \zeta(-D(\hat x)),
              \qquad \zeta(t) = \log(1 + e^t)

    Reference: Goodfellow et al. (2014), https://arxiv.org/abs/1406.2661

    Example:
        >>> import torch
        >>> NonSaturating().critic_losses(torch.zeros(1), torch.zeros(1))
        tensor([1.3863])
    """

    def critic_losses(self, real: Tensor, made: Tensor) -> Tensor:
        """Cross-entropy of both."""
        return softplus(-real) + softplus(made)

    def flow_losses(self, real: Tensor, made: Tensor) -> Tensor:
        """Cross-entropy with the label of the other."""
        return softplus(-made)


class Relativistic(Game):
    r"""Each pair compared: is the real one scored above the made one?

    .. math:: \ell_D = \zeta(D(\hat x) - D(x)), \qquad \ell_F = \zeta(D(x) - D(\hat x))

    With penalties on both sides the game converges from nearby, without tricks.

    Reference: Jolicoeur-Martineau (2019), https://arxiv.org/abs/1807.00734; Huang, Gokaslan, Kuleshov,
    Tompkin (2024), The GAN is dead; long live the GAN, https://arxiv.org/abs/2501.05441

    Example:
        >>> import torch
        >>> Relativistic().flow_losses(torch.tensor([1.0]), torch.tensor([1.0]))
        tensor([0.6931])
    """

    def critic_losses(self, real: Tensor, made: Tensor) -> Tensor:
        """The real one should be above."""
        return softplus(made - real)

    def flow_losses(self, real: Tensor, made: Tensor) -> Tensor:
        """The made one should be."""
        return softplus(real - made)


class Wasserstein(Game):
    r"""The difference of mean scores; the critic needs a bounded slope, by a penalty or by :func:`spectral`.

    Reference: Arjovsky, Chintala, Bottou (2017), https://arxiv.org/abs/1701.07875

    Example:
        >>> import torch
        >>> Wasserstein().critic_losses(torch.tensor([3.0]), torch.tensor([1.0]))
        tensor([-2.])
    """

    def critic_losses(self, real: Tensor, made: Tensor) -> Tensor:
        """Minus the difference."""
        return made - real

    def flow_losses(self, real: Tensor, made: Tensor) -> Tensor:
        """Minus the score."""
        return -made


class Hinge(Game):
    """Scores beyond 1 and -1 are good enough for the critic; usual with :func:`spectral`.

    Reference: Lim, Ye (2017), Geometric GAN, https://arxiv.org/abs/1705.02894

    Example:
        >>> import torch
        >>> Hinge().critic_losses(torch.tensor([3.0]), torch.tensor([0.5]))
        tensor([1.5000])
    """

    def critic_losses(self, real: Tensor, made: Tensor) -> Tensor:
        """What is missing to the margins."""
        return relu(1 - real) + relu(1 + made)

    def flow_losses(self, real: Tensor, made: Tensor) -> Tensor:
        """Minus the score."""
        return -made
