"""Columns of categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from torch import Tensor
from torch.nn.functional import one_hot

from preimage.errors import DomainError
from preimage.flows.tables.column import Column
from preimage.layers import ArgmaxSurjection, GaussianNoise


class Category(Column):
    """One of several categories: K real numbers, of which the largest says which.

    The log-density of such a row is a bound of its log-probability.

    Reference: Hoogeboom, Nielsen, Jaini, Forre, Welling (2021), Argmax flows,
    https://arxiv.org/abs/2102.05379

    Args:
        name: of the column.
        categories: all of them, two or more, as words, numbers or truth values.

    Raises:
        ValueError: fewer than two categories, or one twice.
        DomainError: a value is none of them.

    Example:
        >>> import torch
        >>> column = Category("colour", ["red", "green", "blue"])
        >>> column.decode(column.lower(column.lift(torch.tensor([2.0]))[0]).numpy())
        array(['blue'], dtype=object)
    """

    exact: ClassVar[bool] = False

    def __init__(self, name: str, categories: Sequence[Any]) -> None:
        super().__init__(name, len(categories))
        if len(categories) < 2 or len(set(categories)) < len(categories):
            raise ValueError(
                f"Category column {name!r}: got {list(categories)}, wanted two or more different ones"
            )
        self.categories = list(categories)
        self.surjection = ArgmaxSurjection(GaussianNoise(len(categories)))

    def lift(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """One number for each category."""
        y, weight = self.surjection.forward_and_log_weight(code.long())
        return y, weight

    def lower(self, y: Tensor) -> Tensor:
        """Which is largest."""
        return y.argmax(dim=1).to(y.dtype)

    @property
    def conditions(self) -> int:
        """One for each category."""
        return self.width

    def condition(self, code: Tensor) -> Tensor:
        """1 for the category, 0 for the others."""
        return one_hot(code.long(), self.width).to(code.dtype)

    def encode(self, values: np.ndarray) -> np.ndarray:
        """The place of each value in the list."""
        place = {category: number for number, category in enumerate(self.categories)}
        unknown = sorted({str(value) for value in values.tolist() if value not in place})
        if unknown:
            raise DomainError(
                f"Category column {self.name!r}: {', '.join(unknown[:5])} are not among its"
                f" {len(place)} categories"
            )
        return np.array([place[value] for value in values.tolist()], dtype=np.float64)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """The categories at the places."""
        return np.array(self.categories, dtype=object)[codes.astype(np.int64)]

    def plain(self) -> dict[str, Any]:
        """The categories."""
        return {"categories": self.categories}
