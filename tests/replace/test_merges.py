"""Merges split again: exact sums and products, and errors at the bound of linear estimation."""

import pytest
import torch

from preimage.errors import DomainError, NonFiniteError, ShapeError
from preimage.replace import AddReplacement, AverageReplacement, MaximumReplacement, MultiplyReplacement

MERGES = [AddReplacement, AverageReplacement, MultiplyReplacement, MaximumReplacement]


def toy(rows=60_000):
    """The Gaussian toy: independent operands of deviations 1 and 0.2, around means."""
    return 3 + torch.randn(rows, 1).double(), 0.2 * torch.randn(rows, 1).double() - 1


@pytest.mark.shows("0-9")
def test_the_sum_is_split_at_the_bound_of_linear_estimation():
    a, b = toy()
    add = AddReplacement(2, 1).double()
    even = add.split(a + b)[0]
    assert (even - a).square().mean() > 0.9  # half of the sum each, before fitting
    add.fit([(a[:30_000], b[:30_000]), (a[30_000:], b[30_000:])])
    fresh = toy()
    left, right = add.split(fresh[0] + fresh[1])
    assert torch.equal(left + right, fresh[0] + fresh[1]) or (left + right - sum(fresh)).abs().max() < 1e-12
    bound = 0.04 / 1.04
    assert (left - fresh[0]).square().mean().item() == pytest.approx(bound, rel=0.02)
    assert (right - fresh[1]).square().mean().item() == pytest.approx(bound, rel=0.02)


@pytest.mark.shows("0-9")
def test_channels_help_each_other_as_in_the_dense_regression():
    mixing = torch.randn(6, 6).double()
    hidden = torch.randn(4000, 6).double() @ mixing
    a, b = hidden[:, :3], hidden[:, 3:]
    shaped = [x.view(1000, 2, 2, 3).movedim(3, 1) for x in (a, b)]  # (N, C, H, W)
    add = AddReplacement(2, 3, ridge=0.0).double()
    add.fit([shaped])
    s = (a + b) - (a + b).mean(0)
    wanted = a.mean(0) + s @ torch.linalg.lstsq(s, a - a.mean(0)).solution
    found = add.split(shaped[0] + shaped[1])[0].movedim(1, 3).reshape(-1, 3)
    torch.testing.assert_close(found, wanted)


@pytest.mark.shows("0-10")
@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.parametrize("operands", [2, 3])
@pytest.mark.parametrize("shape", [(50, 4), (8, 4, 3), (8, 4, 3, 5)])
def test_merging_what_was_split_gives_the_merged_values(merge, operands, shape):
    replacement = merge(operands, 4).double()
    values = [torch.randn(shape).double() * (1 + place) + place for place in range(operands)]
    for _ in range(2):  # before and after fitting
        merged = replacement(*values)
        found = replacement.split(merged)
        assert all(part.shape == merged.shape for part in found)
        torch.testing.assert_close(replacement(*found), merged)
        replacement.fit([values])


@pytest.mark.shows("0-10")
def test_fitting_lowers_the_error_of_every_merge():
    torch.manual_seed(0)
    x, gate = torch.randn(4000, 2).double(), torch.sigmoid(0.5 * torch.randn(4000, 2).double())
    low = torch.randn(4000, 2).double() - 2
    cases = {
        AverageReplacement: (x, 0.3 * x + 0.1 * low),
        MultiplyReplacement: (x, gate),
        MaximumReplacement: (x, low),
    }
    for merge, operands in cases.items():
        replacement = merge(2, 2).double()
        before = _error(replacement, operands)
        replacement.fit([operands])
        assert _error(replacement, operands) < 0.5 * before, merge.__name__


def _error(replacement, operands):
    found = replacement.split(replacement(*operands))
    return sum((f - o).square().mean() for f, o in zip(found, operands, strict=True))


def test_products_keep_their_signs():
    x, gate = torch.randn(500, 1).double(), -1 - torch.rand(500, 1).double()
    multiply = MultiplyReplacement(2, 1).double()
    multiply.fit([(x, gate)])
    found = multiply.split(x * gate)
    assert (found[1] < 0).all()
    assert (found[0].sign() == x.sign()).all()
    zero = multiply.split(torch.zeros(1, 1).double())
    assert zero[0].item() == 0
    assert zero[1].isfinite().all()


def test_an_operand_that_always_wins_is_found_exactly():
    a, b = torch.randn(300, 3).double(), torch.randn(300, 3).double() - 20
    maximum = MaximumReplacement(2, 3).double()
    maximum.fit([(a, b)])
    left, right = maximum.split(torch.maximum(a, b))
    assert torch.equal(left, a)
    assert (right <= left).all()


@pytest.mark.parametrize("merge", MERGES)
def test_bad_streams_are_refused(merge):
    replacement = merge(2, 3)
    good = torch.randn(5, 3)
    with pytest.raises(DomainError, match="nothing to fit"):
        replacement.fit([])
    with pytest.raises(ShapeError, match="wanted 2"):
        replacement.fit([(good, good, good)])
    with pytest.raises(ShapeError, match="wanted 2"):
        replacement.fit([(good, torch.randn(5, 2))])
    with pytest.raises(NonFiniteError, match="NaN"):
        replacement.fit([(good, good / 0)])
    with pytest.raises(ValueError, match="2 or more"):
        merge(1, 3)


def test_a_constant_stream_is_refused():
    with pytest.raises(DomainError, match="constant"):
        AddReplacement(2, 2).fit([(torch.ones(9, 2), torch.ones(9, 2))])
