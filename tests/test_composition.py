"""Deep random stacks of everything in the table: compositions keep what their members keep."""

import copy
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from preimage import Chain
from preimage.certificate import relative_residual
from preimage.certify import where_defined
from preimage.layers import Concatenate, Parallel, Split, Tanh
from preimage.testing.case import jacobian

sys.path.insert(0, str(Path(__file__).parent / "layers"))
from stacks import WIDTH, pieces, saturating, stack, tolerance

STACKS = [(depth, seed) for depth in (1, 4, 16) for seed in range(4)]
DEEP = pytest.param(64, 0, marks=pytest.mark.slow)

CLIPPED = frozenset({"from transform, sigmoid"})  # torch clips its values, so large inputs share one output


def _inputs(rows: int = 6) -> Tensor:
    return torch.randn(rows, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def _as(net: Chain, dtype: torch.dtype) -> Chain:
    return copy.deepcopy(net).to(dtype)


def test_most_of_the_table_takes_part() -> None:
    assert len(pieces()) >= 100
    assert len(pieces().keys() - saturating()) >= 70


@pytest.mark.shows("3-27")
@pytest.mark.parametrize(("depth", "seed"), [*STACKS, (32, 0), DEEP])
def test_round_trips_are_as_good_as_the_condition_number_allows(depth: int, seed: int) -> None:
    """|x' - x| <= 20 eps cond(J) |x|, in both precisions, for layers that take every number."""
    net, names = stack(depth, seed, saturating())
    x = _inputs()
    singular = torch.linalg.svdvals(jacobian(net.forward_and_log_det, x, None))  # (N, WIDTH)
    condition = singular[:, 0] / singular[:, -1]
    for dtype in (torch.float32, torch.float64):
        typed, given = _as(net, dtype), x.to(dtype)
        error = relative_residual(typed.inverse(typed(given)), given)
        allowed = 20 * tolerance(names) * torch.finfo(dtype).eps * condition
        assert bool((error <= allowed).all()), (names, dtype, error, allowed)


@pytest.mark.shows("3-27", "3-1")
@pytest.mark.parametrize(("depth", "seed"), [*STACKS, DEEP])
def test_log_dets_add_up_to_that_of_the_jacobian(depth: int, seed: int) -> None:
    net, names = stack(depth, seed, saturating())
    x = _inputs(2)
    y, log_det = net.forward_and_log_det(x)
    wanted = torch.linalg.slogdet(jacobian(net.forward_and_log_det, x, None)).logabsdet
    assert torch.allclose(log_det, wanted, atol=1e-8 * tolerance(names)), names
    assert torch.allclose(net.inverse_and_log_det(y)[1], -log_det, atol=1e-8 * tolerance(names)), names


@pytest.mark.shows("3-27")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1.0, 100.0])
@pytest.mark.parametrize("seed", range(5))
def test_no_stack_of_any_layers_is_wrong_in_silence(seed: int, scale: float, dtype: torch.dtype) -> None:
    """A value outside of a domain is refused; a certified inverse leads back to y, and is the x of y."""
    net, names = stack(12, seed, CLIPPED)
    net = _as(net, dtype)
    wanted = (scale * _inputs()).to(dtype)
    y, refused = where_defined(net.forward, wanted, None)
    defined = (refused == 0) & y.isfinite().all(1)
    wanted, y = wanted[defined], y[defined]
    x, certificate = net.certified_inverse(y, on_error="nan")
    again, _ = where_defined(net.forward, x, None)
    limit = 10 * torch.finfo(dtype).eps ** 0.5
    is_right = (relative_residual(again, y) < limit) & (relative_residual(x, wanted) < limit)
    assert bool((is_right | ~certificate.converged).all()), names
    assert bool(x[~certificate.converged].isnan().all()), names


@pytest.mark.shows("3-1")
def test_the_inverse_view_of_a_stack_is_the_stack() -> None:
    net, _ = stack(8, 3, saturating())
    x = _inputs()
    assert net.inv.inv is net
    assert torch.equal(net.inv.inverse(x), net(x))
    assert torch.equal(Chain(net, net.inv)(x), net.inverse(net(x)))


@pytest.mark.shows("3-27")
@pytest.mark.parametrize(("dtype", "x"), [(torch.float32, 7.6), (torch.float64, 16.5)])
@pytest.mark.parametrize("place", ["chain", "parallel"])
def test_what_a_saturating_layer_in_the_middle_loses_is_flagged(
    dtype: torch.dtype, x: float, place: str
) -> None:
    """tanh is so flat at x that many inputs share one value, although tanh and back is the identity."""
    net = Chain(Tanh(), Tanh().inv)
    if place == "parallel":
        net = Chain(Split([1, 1]), Parallel(net, Chain()), Concatenate([1, 1]))
    rows = torch.tensor([[1.0, 0.5], [x, 0.5]], dtype=dtype)
    _, certificate = net.certified_inverse(net(rows), on_error="nan")
    assert certificate.converged.tolist() == [True, False]
