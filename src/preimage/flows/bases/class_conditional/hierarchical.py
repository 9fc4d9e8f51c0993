"""Classes with kinds, and kinds of kinds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from preimage.flows.bases.class_conditional.mixture import ClassMixture


class HierarchicalClassConditional(ClassMixture):
    r"""Every class is a tree: its kinds lie around its mean, their kinds around theirs.

    .. math:: \mu_{c, i, j, \dots} = \mu_c + \delta_{c, i} + \delta_{c, i, j} + \dots, \qquad
        p(z \mid c) = \sum_{i, j, \dots} w_{c, i} w_{c, i, j} \cdots
        \mathcal N(z; \mu_{c, i, j, \dots}, \operatorname{diag} \sigma_c^2)

    A mixture over the leaves of the tree, by logsumexp. Kinds share what their class has in common, so a
    rare kind learns from the others.

    Reference: Bishop, Tipping (1998), A hierarchical latent variable model for data visualization,
    https://doi.org/10.1109/34.667885

    Args:
        event_shape: sizes of one latent.
        classes: number of classes K, two or more.
        branches: number of kinds at every level below the class, such as ``(3, 2)``.
        spread: standard deviation of the class means at the start; half of it for every level below.

    Raises:
        ValueError: a number is out of range.
        ContextError: the context does not hold integer labels of known classes.

    Cost: O(numel(z) K) times the number of leaves of a class.

    Example:
        >>> import torch
        >>> base = HierarchicalClassConditional(2, classes=3, branches=(2, 2))
        >>> base.components, base.class_log_prob(torch.zeros(5, 2)).shape
        (4, torch.Size([5, 3]))
    """

    def __init__(
        self, *event_shape: int, classes: int, branches: Sequence[int] = (2,), spread: float = 1.0
    ) -> None:
        super().__init__(event_shape, classes, math.prod(branches))
        self.branches = tuple(branches)
        shapes = [(classes, *self.branches[:depth]) for depth in range(len(self.branches) + 1)]
        self.offsets = nn.ParameterList(
            spread * 0.5**depth * torch.randn(*shape, *event_shape) for depth, shape in enumerate(shapes)
        )
        self.branch_logits = nn.ParameterList(torch.zeros(shape) for shape in shapes[1:])
        self.log_scale = nn.Parameter(torch.zeros(classes, 1, *event_shape))

    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """The leaves: sums of offsets, products of weights down the tree."""
        means = self._down(list(self.offsets), len(self.event_shape))
        weights = self._down([logits.log_softmax(dim=-1) for logits in self.branch_logits], 0)
        means = means.reshape(self.classes, self.components, *self.event_shape)
        log_weights = weights.reshape(self.classes, self.components)
        return means, self.log_scale.expand_as(means), log_weights

    def _down(self, levels: list[Tensor], trailing: int) -> Tensor:
        """The sums along every path from the root to a leaf, ``(K, *branches, *event)``."""
        total = levels[0].new_zeros(())
        for level in levels:
            known = level.dim() - trailing  # class and branches down to this level
            missing = 1 + len(self.branches) - known
            total = total + level.reshape(*level.shape[:known], *[1] * missing, *level.shape[known:])
        return total
