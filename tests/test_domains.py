"""Domains: which shapes and values belong to them, and what they say about themselves."""

import re

import numpy as np
import pytest
import torch

from preimage.domains import Domain, Interval, Reals


class TestDomains:
    @pytest.mark.parametrize(
        ("domain", "fits", "does_not"),
        [
            (Reals(), [(), (2,), (3, 4)], []),
            (Reals(3), [(3,)], [(), (2,), (3, 1)]),
            (Reals(3, ...), [(3,), (3, 4), (3, 4, 5)], [(), (4, 3)]),
            (Reals(None, 4), [(1, 4), (9, 4)], [(4,), (4, 1), (1, 4, 1)]),
        ],
    )
    def test_shapes(self, domain: Domain, fits: list, does_not: list) -> None:
        assert all(domain.fits(shape) for shape in fits)
        assert not any(domain.fits(shape) for shape in does_not)

    @pytest.mark.parametrize("low,high", [(0, 1), (-2, 5), (0, np.inf), (-np.inf, 3), (-np.inf, np.inf)])  # noqa: PT006
    @pytest.mark.parametrize("closed", [True, False])
    def test_interval_samples_and_edges_lie_inside(self, low: float, high: float, closed: bool) -> None:
        domain = Interval(low, high, 3, ..., closed=closed)
        assert not domain.outside(domain.sample(50, (2,))).any()
        assert not domain.outside(domain.edges(torch.float32)).any()
        assert domain.constraint.check(domain.sample(50)).all()

    def test_violation_is_the_distance(self) -> None:
        x = torch.tensor([-1.0, 0.0, 0.5, 1.0, 3.0])
        found = Interval(0, 1).violation(x)
        torch.testing.assert_close(found[[0, 2, 4]], torch.tensor([1.0, 0.0, 2.0]))
        assert (found[[1, 3]] > 0).all()
        assert not Interval(0, 1, closed=True).violation(x)[[1, 3]].any()

    def test_nan_is_not_outside(self) -> None:
        assert not Interval(0, 1).outside(torch.tensor([float("nan")])).any()

    def test_description(self) -> None:
        assert re.fullmatch(r"the closed interval \[0, 1\]", str(Interval(0, 1, closed=True)))
        assert Reals(3, None, ...).describe_shape() == "(N, 3, *, ...)"
