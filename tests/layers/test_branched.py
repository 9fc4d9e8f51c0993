"""Folding maps with a branch: sine, Swish and GELU."""

import math

import pytest
import scipy.special
import torch
from torch import Tensor
from torch.nn import functional

from preimage.errors import DomainError
from preimage.layers import GELU, Dip, Sine, Swish
from preimage.layers.elementwise.whole_numbers import WholeNumbers

DOUBLE = torch.float64
DIPS = [Swish(), Swish(2.0), GELU()]


def _row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=DOUBLE)


@pytest.mark.parametrize("layer", [Sine(), *DIPS])
def test_log_det_is_that_of_the_value_by_x(layer: Dip) -> None:
    """The check that the oracle cannot make, because the branch has no derivative."""
    torch.manual_seed(0)
    x = 2 * torch.randn(4, 3, dtype=DOUBLE)
    for row in x:
        matrix = torch.autograd.functional.jacobian(lambda value: layer(value[None])[0][0], row)
        log_det = layer.forward_and_log_det(row[None])[1]
        torch.testing.assert_close(log_det[0], torch.linalg.slogdet(matrix).logabsdet, rtol=1e-12, atol=1e-12)
        y, branch = layer(row[None])
        back = torch.autograd.functional.jacobian(lambda value: layer.inverse((value, branch))[0], y)  # noqa: B023
        inverse_log_det = layer.inverse_and_log_det((y, branch))[1]
        torch.testing.assert_close(
            inverse_log_det[0], torch.linalg.slogdet(back[:, 0]).logabsdet, rtol=1e-9, atol=1e-9
        )


# --- sine -------------------------------------------------------------------------------------------------


@pytest.mark.shows("1-1")
def test_sine_with_branch_index_from_minus_4_to_4() -> None:
    x = (torch.arange(-800, 801, dtype=DOUBLE) / 200)[None]
    assert (x == 0).any()
    layer = Sine()
    y, branch = layer(x)
    steep = x.cos().abs() > 1e-3
    torch.testing.assert_close(layer.inverse((y, branch))[steep], x[steep], rtol=0, atol=1e-12)
    torch.testing.assert_close(layer(layer.inverse((y, branch)))[0], y, rtol=0, atol=1e-15)
    assert set(branch.unique().tolist()) == {-1.0, 0.0, 1.0}
    assert not torch.allclose(y.asin(), x)  # without the index only the middle is right


@pytest.mark.shows("1-1")
def test_sine_far_out() -> None:
    x = torch.linspace(-1e6, 1e6, 1001, dtype=DOUBLE)[None]
    layer = Sine()
    torch.testing.assert_close(layer.inverse(layer(x)), x, rtol=1e-13, atol=1e-6)


def test_sine_refuses_wrong_values_and_branches() -> None:
    with pytest.raises(DomainError, match=r"closed interval \[-1, 1\]"):
        Sine().inverse((_row(1.1), _row(0.0)))
    with pytest.raises(DomainError, match="whole numbers"):
        Sine().inverse((_row(0.5), _row(0.5)))


def test_whole_numbers() -> None:
    numbers = WholeNumbers(-1, 2)
    x = torch.tensor([-2.0, -1.0, 0.4, 2.0, 3.0, math.nan, math.inf])
    assert numbers.outside(x).tolist() == [True, False, True, False, True, False, True]
    torch.testing.assert_close(numbers.violation(x)[:5], torch.tensor([1.0, 0.0, 0.4, 0.0, 1.0]))
    assert not numbers.outside(numbers.sample(100, (3,))).any()
    assert not numbers.outside(numbers.edges(torch.float32)).any()
    assert numbers.constraint.check(torch.tensor([0.0])).all()
    assert str(numbers) == "the whole numbers from -1 to 2"


# --- dips -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "function"),
    [(Swish(), functional.silu), (GELU(), functional.gelu), (Swish(2.0), lambda x: x * torch.sigmoid(2 * x))],
)
def test_values_are_those_of_torch(layer: Dip, function) -> None:
    x = torch.linspace(-5, 30, 701, dtype=DOUBLE)[None]
    y, branch = layer(x)
    torch.testing.assert_close(y, function(x), rtol=1e-11, atol=1e-14)
    assert torch.equal(branch, (x < layer.turn).to(DOUBLE))


@pytest.mark.parametrize("layer", DIPS)
def test_lowest_point(layer: Dip) -> None:
    turn = _row(layer.turn).requires_grad_()
    value, _ = layer.value(turn)
    (slope,) = torch.autograd.grad(value.sum(), turn)
    assert abs(slope.item()) < 1e-15
    assert value.item() == pytest.approx(layer.lowest, rel=1e-15)


@pytest.mark.shows("0-6")
@pytest.mark.parametrize("layer", DIPS)
def test_both_branches_round_trip_to_1e_minus_12(layer: Dip) -> None:
    x = torch.linspace(-12, 40, 5201, dtype=DOUBLE)
    x = x[(x - layer.turn).abs() > 1e-2][None]
    y, branch = layer(x)
    assert branch.unique().tolist() == [0.0, 1.0]
    torch.testing.assert_close(layer.inverse((y, branch)), x, rtol=1e-12, atol=1e-12)


@pytest.mark.shows("0-6")
@pytest.mark.parametrize("layer", DIPS)
def test_close_to_the_lowest_point_half_of_the_digits_stay(layer: Dip) -> None:
    distance = torch.logspace(-16, -2, 200, dtype=DOUBLE)
    x = layer.turn + torch.cat([-distance, torch.zeros(1, dtype=DOUBLE), distance])[None]
    y, branch = layer(x)
    back = layer.inverse((y, branch))
    assert (back - x).abs().max() < 1e-7
    again, same = layer(back)
    assert (again - y).abs().max() < 1e-15
    assert torch.equal(same[:, 200:], branch[:, 200:])


@pytest.mark.shows("0-6")
@pytest.mark.parametrize("branch", [0, -1])
def test_swish_is_undone_by_lambert_w(branch: int) -> None:
    """An independent W: x = y + W_k(y e^-y)."""
    y = torch.linspace(-0.27, -0.01, 100, dtype=DOUBLE)[None]
    w = torch.from_numpy(scipy.special.lambertw((y * (-y).exp()).numpy(), branch).real)
    bit = torch.full_like(y, float(branch == -1))
    torch.testing.assert_close(Swish().inverse((y, bit)), y + w, rtol=1e-12, atol=1e-12)


@pytest.mark.shows("0-6")
def test_two_inputs_share_a_value_and_the_bit_tells_them_apart() -> None:
    layer = Swish()
    y, branch = layer(_row(-2.0, -0.736187905847))
    assert abs(y[0, 0] - y[0, 1]).item() < 1e-10
    assert branch.tolist() == [[1.0, 0.0]]


@pytest.mark.shows("0-6")
def test_logit_over_y_is_no_inverse_of_swish() -> None:
    x = _row(0.5, 1.0, 2.0)
    y = functional.silu(x)
    assert ((torch.logit(y) / y - x).abs() > 0.1)[~torch.logit(y).isnan()].all()
    assert torch.logit(functional.silu(_row(-1.0, 3.0))).isnan().all()  # only (0, 1) has a logit


@pytest.mark.shows("0-6")
@pytest.mark.parametrize("layer", DIPS)
def test_impossible_values_are_refused(layer: Dip) -> None:
    below = _row(layer.lowest - 1e-6)
    with pytest.raises(DomainError, match="closed interval"):
        layer.inverse((below, _row(0.0)))
    with pytest.raises(DomainError, match="whole numbers from 0 to 1"):
        layer.inverse((_row(1.0), _row(2.0)))
    for value in (0.0, 0.5):
        with pytest.raises(DomainError, match="branch 1 holds values"):
            layer.inverse((_row(value), _row(1.0)))
    pair = (torch.cat([_row(0.5), _row(-0.1)]), torch.ones(2, 1, dtype=DOUBLE))
    x, certificate = layer.certified_inverse(pair, on_error="nan")
    assert x.isnan().flatten().tolist() == [True, False]
    assert certificate.converged.tolist() == [False, True]


@pytest.mark.parametrize("layer", DIPS)
def test_compiled_code_gives_nan_where_nothing_can_be_raised(layer: Dip) -> None:
    compiled = torch.compile(layer.inverse, fullgraph=True, backend="eager")
    assert compiled((_row(0.5, -0.1), _row(1.0, 1.0))).isnan().tolist() == [[True, False]]


@pytest.mark.parametrize("layer", DIPS)
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_far_left_tail(layer: Dip, dtype: torch.dtype) -> None:
    """Down to the smallest values, on the branch where the value dies away."""
    reach = {torch.float32: 12.0, DOUBLE: 36.0}[dtype]
    x = torch.linspace(-reach, -3, 300, dtype=dtype)[None]
    back = layer.inverse(layer(x))
    torch.testing.assert_close(back, x, rtol=200 * torch.finfo(dtype).eps, atol=0)
    dead = torch.tensor([[-2000.0]], dtype=dtype)
    with pytest.raises(DomainError, match="too negative for this precision"):
        layer.inverse(layer(dead))


@pytest.mark.parametrize("layer", DIPS)
def test_second_derivatives_of_the_inverse(layer: Dip) -> None:
    for bit, values in ((0.0, (-0.1, 0.3, 2.0)), (1.0, (-0.12, -0.05, -1e-3))):
        y = _row(*values).requires_grad_()
        branch = torch.full_like(y, bit).detach()
        assert torch.autograd.gradgradcheck(lambda value: layer.inverse((value, branch)), y)  # noqa: B023


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="positive"):
        Swish(0.0)
