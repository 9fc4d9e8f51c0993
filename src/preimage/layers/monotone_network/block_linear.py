"""A linear layer of blocks: positive on the diagonal, free below, nothing above."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class BlockLinear(nn.Module):
    r"""Linear layer with a block triangular matrix whose diagonal blocks are positive.

    .. math:: W = \operatorname{diag}(e^s)\, \hat W / |\hat W|, \qquad
        \hat W_{ij} = \begin{cases} e^{V_{ii}} & i = j \\ V_{ij} & i > j \\ 0 & i < j \end{cases}

    with blocks ij of ``targets`` times ``sources`` numbers and the norms taken along rows.

    Reference: De Cao, Aziz, Titov (2019), Block neural autoregressive flow, https://arxiv.org/abs/1904.04676

    Args:
        features: number of blocks D.
        sources: units of each feature that come in.
        targets: units of each feature that go out.

    Returns:
        Tensor ``(N, D * targets)`` for an input ``(N, D * sources)``.

    Cost: O(D^2 * sources * targets) a row.

    Example:
        >>> BlockLinear(2, 1, 1).matrix().shape
        torch.Size([2, 2])
    """

    below: Tensor
    diagonal: Tensor

    def __init__(self, features: int, sources: int, targets: int) -> None:
        super().__init__()
        self.features, self.sources, self.targets = features, sources, targets
        block = torch.ones(targets, sources)
        self.register_buffer(
            "below", torch.kron(torch.ones(features, features).tril(-1), block).bool(), persistent=False
        )
        self.register_buffer("diagonal", torch.kron(torch.eye(features), block).bool(), persistent=False)
        self.weight = nn.Parameter(torch.empty(features * targets, features * sources))
        self.bias = nn.Parameter(torch.empty(features * targets))
        self.log_norm = nn.Parameter(torch.zeros(features * targets, 1))
        bound = (features * sources) ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -1.0, 1.0)

    def matrix(self) -> Tensor:
        """W, ``(D * targets, D * sources)``."""
        positive = torch.where(self.diagonal, self.weight, 0.0).exp()
        raw = torch.where(self.diagonal, positive, self.weight * self.below)
        return self.log_norm.exp() * functional.normalize(raw, dim=1)

    def blocks(self, matrix: Tensor) -> Tensor:
        """The diagonal blocks of W, ``(D, targets, sources)``."""
        grid = matrix.view(self.features, self.targets, self.features, self.sources)
        return grid.diagonal(dim1=0, dim2=2).movedim(-1, 0)
