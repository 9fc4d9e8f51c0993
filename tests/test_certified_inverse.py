"""Inverses with their evidence."""

import pytest
import torch

from preimage import Chain
from preimage.certify import certify
from preimage.errors import (
    NotConvergedError,
    NumericalWarning,
)
from preimage.layers import (
    Affine,
    LeakyReLU,
)
from small_bijections import CONDITIONAL, Logit, Swap


class WrongInverse(LeakyReLU):
    """An inverse that is off by a thousandth."""

    def inverse_elements(self, y):
        x, log_slope = super().inverse_elements(y)
        return x * 1.001, log_slope


class TestCertificate:
    def test_right_inverse_is_certified(self) -> None:
        _, certificate = Affine(3).certified_inverse(torch.randn(4, 3))
        assert certificate.ok
        assert len(certificate) == 4
        assert certificate.residual.shape == certificate.error_bound.shape == (4,)

    def test_wrong_inverse_raises_warns_or_becomes_nan(self) -> None:
        y = torch.randn(4, 3) - 5
        layer = WrongInverse()
        with pytest.raises(NotConvergedError, match="f\\(x\\) differs from y"):
            layer.certified_inverse(y)
        with pytest.warns(NumericalWarning, match="4 of 4"):
            x, certificate = layer.certified_inverse(y, on_error="warn")
        torch.testing.assert_close(certificate.residual, torch.full((4,), 1e-3), rtol=1e-2, atol=0)
        assert x.isfinite().all()
        assert layer.certified_inverse(y, on_error="nan")[0].isnan().all()

    def test_rows_outside_the_range_are_nan_and_the_others_right(self) -> None:
        y = torch.tensor([[0.2, 0.3], [0.5, 1.5], [0.5, 0.75]])
        layer = Logit().inv
        x, certificate = layer.certified_inverse(y, on_error="nan")
        assert certificate.converged.tolist() == [True, False, True]
        torch.testing.assert_close(certificate.domain_violation, torch.tensor([0.0, 0.5, 0.0]))
        torch.testing.assert_close(x[[0, 2]], torch.logit(y[[0, 2]]))
        assert x[1].isnan().all()

    def test_violations_deep_in_a_chain_are_found(self) -> None:
        chain = Chain(Affine(2), Logit().inv, Affine(2))
        with torch.no_grad():
            chain[2].shift.fill_(3.0)
        y = torch.tensor([[3.5, 3.5], [0.0, 3.5], [5.0, 3.5]])
        _, certificate = chain.certified_inverse(y, on_error="nan")
        assert certificate.converged.tolist() == [True, False, False]
        torch.testing.assert_close(certificate.domain_violation, torch.tensor([0.0, 3.0, 1.0]))

    def test_ill_determined_answers_are_flagged_although_the_residual_is_zero(self) -> None:
        squash = Chain(*[Affine(1) for _ in range(2)])
        with torch.no_grad():
            squash[0].log_scale.fill_(-14.0)
            squash[1].shift.fill_(1.0)
        x = torch.tensor([[0.3]])
        found = squash.inverse(squash(x))
        certificate = certify(squash, found, squash(x))
        assert (found - x).abs() > 1e-3
        assert certificate.residual.item() < 1e-6
        assert not certificate.ok
        assert "ill-determined" in certificate.message

    def test_nan_is_flagged_in_its_row(self) -> None:
        y = torch.randn(3, 2)
        y[1, 0] = float("nan")
        _, certificate = Affine(2).certified_inverse(y, on_error="nan")
        assert certificate.converged.tolist() == [True, False, True]

    def test_context_and_tuples(self) -> None:
        context = torch.randn(4, 3)
        _, certificate = CONDITIONAL.certified_inverse(torch.randn(4, 2), context)
        assert certificate.ok
        (a, b), certificate = Swap().certified_inverse((torch.ones(4, 2), torch.ones(4, 3)))
        assert certificate.ok
        assert a.shape == (4, 2)
        assert b.shape == (4, 3)

    def test_empty_batch(self) -> None:
        x, certificate = Affine(2).certified_inverse(torch.empty(0, 2))
        assert x.shape == (0, 2)
        assert certificate.ok
