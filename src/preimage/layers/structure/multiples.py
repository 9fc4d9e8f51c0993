"""Events whose sizes can be divided."""

from __future__ import annotations

from collections.abc import Sequence

from preimage.domains import Reals


class Multiples(Reals):
    """Real events with sizes that are multiples of given factors; what sub-sampling maps take.

    Args:
        factors: one entry an event dimension; None for any size.

    Example:
        >>> domain = Multiples(None, 2, 3)
        >>> domain.fits((5, 4, 9)), domain.fits((5, 4, 8))
        (True, False)
        >>> domain.describe_shape()
        '(N, *, 2k, 3k)'
    """

    def __init__(self, *factors: int | None) -> None:
        super().__init__(*[None] * len(factors))
        self.factors = factors

    def fits(self, event_shape: Sequence[int]) -> bool:
        """Whether the rank is right and every size can be divided."""
        return super().fits(event_shape) and all(
            factor is None or size % factor == 0
            for size, factor in zip(event_shape, self.factors, strict=True)
        )

    def describe_shape(self) -> str:
        """The pattern for people; ``2k`` stands for an even size."""
        sizes = ["*" if factor is None else f"{factor}k" for factor in self.factors]
        return f"(N, {', '.join(sizes)})"
