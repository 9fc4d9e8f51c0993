"""Every route is the Moore-Penrose inverse of the dense matrix, and says truthfully what it knows."""

import math

import pytest
import torch

from preimage.errors import ShapeError
from preimage.inverse import linear as li
from preimage.inverse.solvers import Facts, pseudo_inverse
from preimage.inverse.solvers.pseudo_inverses.routes import Iterative, SlabCholesky


def _random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def _conv(out, inside, kernel, size, **options):
    groups = options.get("groups", 1)
    return li.Convolution(_random(out, inside // groups, *kernel), (inside, *size), **options)


def _circular(out, inside, kernel, size, stride, groups=1):
    span = [k - s for k, s in zip(kernel, stride, strict=True)]
    pad = li.CircularPad((inside, *size), [(s - s // 2, s // 2) for s in span])
    conv = li.Convolution(_random(out, inside // groups, *kernel), pad.out_shape, stride, groups=groups)
    return li.Composition([pad, conv])


CASES = {
    "identity": (li.Identity((3,)), "PartialIsometry", "exact"),
    "pad": (li.Pad((2, 3, 3), [(1, 0), (0, 2)]), "PartialIsometry", "left"),
    "crop": (li.Pad((2, 3, 5), [(0, -1), (-2, 1)]), "PartialIsometry", "least-squares"),
    "scale": (li.Scale(_random(3, 1), (3, 4)), "Diagonal", "exact"),
    "scale with a zero": (li.Scale(torch.tensor([2.0, 0.0]), (3, 2)), "Diagonal", "least-squares"),
    "dense expanding": (li.Dense(_random(5, 3), (2, 3)), "PerPosition", "left"),
    "dense contracting": (li.Dense(_random(3, 5), (2, 5)), "PerPosition", "right"),
    "dense deficient": (li.Dense(_random(4, 2) @ _random(2, 5)), "PerPosition", "least-squares"),
    "1x1": (_conv(6, 4, (1, 1), (3, 2)), "DisjointWindows", "left"),
    "1x1 groups": (_conv(6, 4, (1, 1), (3, 2), groups=2), "DisjointWindows", "left"),
    "1x1 stride": (_conv(3, 4, (1, 1), (5, 4), stride=2), "DisjointWindows", "right"),
    "patches": (_conv(12, 3, (2, 2), (4, 4), stride=2), "DisjointWindows", "exact"),
    "patches, odd size": (_conv(12, 3, (2, 2), (5, 4), stride=2), "DisjointWindows", "right"),
    "patches, three dimensions": (_conv(9, 1, (2, 2, 2), (2, 4, 2), stride=2), "DisjointWindows", "left"),
    "up-sampling": (li.TransposedConvolution(_random(3, 2, 2, 2), (3, 3, 2), 2), "SpreadWindows", "left"),
    "average": (li.AveragePool((2, 6, 5), 2), "Separable", "right"),
    "overlapping average": (li.AveragePool((1, 6, 5), 3, 1, 1), "Separable", "least-squares"),
    "adaptive": (li.AdaptiveAveragePool((2, 7, 5), (3, 1)), "Separable", "right"),
    "replicate": (li.ReplicatePad((2, 4, 4), [(1, 2), (0, 1)]), "Copies", "left"),
    "circular": (_circular(4, 3, (3, 3), (6, 5), (1, 1)), "Circular", "left"),
    "circular strided": (_circular(9, 3, (3, 3), (6, 8), (2, 2)), "Circular", "right"),
    "circular depthwise": (_circular(4, 4, (5, 3), (6, 7), (1, 1), groups=4), "Circular", "exact"),
    "circular line": (_circular(2, 2, (4,), (8,), (2,)), "Circular", "right"),
    "small": (_conv(4, 3, (3, 3), (5, 6), padding=1), "Materialised", "left"),
    "depthwise": (_conv(4, 4, (3, 3), (5, 6), padding=1, groups=4), "Materialised", "exact"),
    "uneven padding": (_conv(4, 3, (3, 3), (6, 6), stride=2, padding=[(0, 1)]), "Materialised", "right"),
    "between views": (
        li.Composition(
            [li.Reshape((6,), (2, 3)), li.Dense(_random(4, 3), (2, 3)), li.Permute((2, 4), (1, 0))]
        ),
        "Reordered",
        "left",
    ),
}


@pytest.mark.shows("0-2", "0-7")
@pytest.mark.parametrize("name", CASES)
def test_route_equals_the_dense_pseudo_inverse(name):
    linear, route, guarantee = CASES[name]
    inverse = pseudo_inverse(linear)
    matrix = linear.dense()
    y = _random(2, *linear.out_shape, seed=3)
    want = y.flatten(1) @ torch.linalg.pinv(matrix, rtol=1e-10).T
    assert type(inverse).__name__ == route
    assert inverse.facts.guarantee == guarantee
    assert inverse.facts.rank == torch.linalg.matrix_rank(matrix, rtol=1e-10)
    assert torch.allclose(inverse.solve(y).flatten(1), want, atol=1e-9, rtol=1e-9)
    values = torch.linalg.svdvals(matrix)
    values = values[values > 1e-10 * values[0]]
    assert math.isclose(inverse.facts.condition, (values[0] / values[-1]).item(), rel_tol=1e-6)


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case[2] in ("exact", "left")])
def test_left_inverses_return_the_input_and_certify_it(name):
    linear = CASES[name][0]
    x = _random(3, *linear.in_shape)
    solution = pseudo_inverse(linear)(linear.apply(x))
    assert torch.allclose(solution.x, x, atol=1e-8)
    assert solution.certificate.ok
    assert (solution.certificate.nullity == 0).all()


def test_values_outside_the_range_are_flagged():
    inverse = pseudo_inverse(li.Dense(_random(5, 3)))
    certificate = inverse(_random(2, 5)).certificate
    assert not certificate.converged.any()
    assert (certificate.domain_violation > 0.1).all()
    assert "outside the range" in certificate.message


def test_offset_is_subtracted():
    affine = li.AffineMap(li.Dense(_random(3, 3)), _random(3))
    x = _random(2, 3)
    assert torch.allclose(pseudo_inverse(affine).solve(affine.apply(x)), x, atol=1e-10)


def test_a_changed_weight_is_never_answered_from_the_old_factorisation():
    weight = _random(3, 3)
    inverse = pseudo_inverse(li.Dense(weight))
    first = inverse.solve(torch.ones(1, 3, dtype=torch.float64))
    weight.mul_(2)
    second = inverse.solve(torch.ones(1, 3, dtype=torch.float64))
    assert torch.allclose(second, first / 2, atol=1e-12)


def test_replaced_data_is_seen():
    weight = torch.nn.Parameter(_random(3, 3))
    inverse = pseudo_inverse(li.Dense(weight))
    first = inverse.solve(torch.ones(1, 3, dtype=torch.float64))
    weight.data = weight.data * 4
    assert torch.allclose(inverse.solve(torch.ones(1, 3, dtype=torch.float64)), first / 4, atol=1e-12)


def _large():
    weight = _random(4, 2, 3, 3) + 2 * torch.eye(4, 2, dtype=torch.float64)[:, :, None, None] * torch.eye(3)
    return li.Convolution(weight / 4, (2, 40, 40), padding=1)


def test_large_convolutions_are_solved_iteratively_with_a_certificate():
    linear = _large()
    inverse = Iterative(linear)
    x = _random(2, *linear.in_shape)
    solution = inverse(linear.apply(x))
    assert inverse.facts.rank is None
    assert torch.allclose(solution.x, x, atol=1e-6)
    assert solution.certificate.ok
    assert (solution.certificate.iterations > 5).all()


SLABS = {
    "expanding": _large(),
    "contracting": li.Convolution(_random(2, 4, 3, 3), (4, 13, 11), 2, 1),
    "groups": li.Convolution(_random(4, 2, 3, 3), (4, 9, 8), groups=2),
    "three dimensions": li.Convolution(_random(3, 2, 3, 2, 2), (2, 5, 6, 4), 1),
    "line, dilated": li.Convolution(_random(5, 2, 3), (2, 41), dilation=3, padding=2),
    "transposed": li.TransposedConvolution(_random(3, 2, 3, 3), (3, 7, 6), 2),
    "reflect": li.Composition(
        [li.ReflectPad((2, 9, 9), [(2, 2)] * 2), li.Convolution(_random(1, 2, 5, 5), (2, 13, 13))]
    ),
    "replicate": li.Composition(
        [li.ReplicatePad((1, 9, 9), [(1, 1)] * 2), li.Convolution(_random(3, 1, 3, 3), (1, 11, 11), 2)]
    ),
}


@pytest.mark.parametrize("name", SLABS)
def test_slab_factors_give_the_pseudo_inverse_to_the_last_digit(name):
    linear = SLABS[name]
    route = SlabCholesky(linear)
    y = _random(2, *linear.out_shape, seed=3)
    assert SlabCholesky.accepts(linear)
    assert route.facts.rank == min(linear.in_size, linear.out_size)
    x, used = route._solve(y)
    assert route._factor is not None
    assert (used <= 4).all()
    back = route.solve(linear.apply(x))
    if linear.in_size < 1500:
        matrix = linear.dense()
        want = y.flatten(1) @ torch.linalg.pinv(matrix).T
        assert ((x.flatten(1) - want).norm() / want.norm()).item() < 1e-11
        assert math.isclose(route.facts.condition, torch.linalg.cond(matrix).item(), rel_tol=0.2)
    assert ((back - x).norm() / x.norm()).item() < 1e-11


def test_slab_factors_are_refused_for_a_map_without_full_rank():
    linear = li.Convolution(_random(1, 1, 3, 3).repeat(4, 4, 1, 1), (4, 9, 9), padding=1)
    route = SlabCholesky(linear)
    y = linear.apply(_random(1, *linear.in_shape))
    assert route.facts.rank is None
    assert torch.allclose(linear.apply(route.solve(y)), y, atol=1e-3)


def test_slab_answers_have_gradients():
    linear = SLABS["contracting"]
    y = _random(1, *linear.out_shape).requires_grad_()
    assert torch.autograd.gradcheck(SlabCholesky(linear).solve, (y,))


def test_iterative_answers_have_the_gradient_of_the_pseudo_inverse():
    linear = _conv(3, 2, (3, 3), (4, 4))
    route = Iterative(linear)
    y = _random(1, *linear.out_shape).requires_grad_()
    weight = _random(1, *linear.in_shape, seed=5)
    (gradient,) = torch.autograd.grad((route.solve(y) * weight).sum(), y)
    want = weight.flatten(1) @ torch.linalg.pinv(linear.dense())
    assert torch.allclose(gradient.flatten(1), want, atol=1e-7)


@pytest.mark.parametrize("name", ["dense contracting", "1x1 groups", "circular", "small"])
def test_closed_forms_have_gradients(name):
    linear = CASES[name][0]
    inverse = pseudo_inverse(linear)
    y = _random(1, *linear.out_shape).requires_grad_()
    assert torch.autograd.gradcheck(inverse.solve, (y,))


@pytest.mark.shows("0-7")
def test_the_transposed_convolution_is_the_adjoint_and_not_the_inverse():
    linear = _conv(8, 8, (3, 3), (6, 6), padding=1)
    x = _random(1, *linear.in_shape)
    y = linear.apply(x)
    spread = li.TransposedConvolution(linear.weight, linear.out_shape, 1, 1)
    assert torch.allclose(spread.apply(y), linear.adjoint(y), atol=1e-10)
    best = (spread.apply(y) * x).sum() / spread.apply(y).square().sum() * spread.apply(y)
    assert ((best - x).norm() / x.norm()).item() > 0.3  # wrong even with the best possible factor
    assert torch.allclose(pseudo_inverse(linear).solve(y), x, atol=1e-8)


@pytest.mark.shows("0-2")
def test_contracting_dense_projects_and_loses_the_expected_share():
    linear = li.Dense(_random(192, 784))
    inverse = pseudo_inverse(linear)
    x = _random(200, 784, seed=7)
    y = linear.apply(x)
    back = inverse.solve(y)
    again = inverse.solve(linear.apply(back))
    lost = ((back - x).norm() / x.norm()).item()
    assert torch.allclose(linear.apply(back), y, atol=1e-9)  # F(G(y)) = y
    assert torch.allclose(again, back, atol=1e-9)  # G(F(.)) is a projection
    assert math.isclose(lost, math.sqrt(1 - 192 / 784), abs_tol=0.01)


@pytest.mark.shows("0-3")
def test_orthogonal_dense_is_inverted_by_its_transpose():
    q = torch.linalg.qr(_random(16, 16)).Q
    linear = li.Dense(q)
    y = _random(4, 16)
    assert torch.allclose(pseudo_inverse(linear).solve(y), linear.adjoint(y), atol=1e-12)


def test_the_report_names_the_route_and_what_it_knows():
    text = str(pseudo_inverse(li.Dense(torch.eye(2))))
    assert text.startswith("one singular value decomposition per position: 2 -> 2, rank 2, condition 1 (cert")
    assert Facts(2, 2, None).guarantee == "least-squares"
    assert Facts(2, 2, None).nullity is None


def test_wrong_shape_is_refused():
    with pytest.raises(ShapeError, match=r"the pseudo-inverse of Dense\(2 -> 2\) takes a tensor \(N, 2\)"):
        pseudo_inverse(li.Dense(torch.eye(2))).solve(torch.ones(1, 3))
