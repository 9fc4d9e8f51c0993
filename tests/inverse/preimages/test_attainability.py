"""Which answers a network of straight pieces can give: found, or proved impossible, by linear programs."""

import sys
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from small_networks import inverse_of, mlp, normal
from torch import nn

import preimage as pi
from preimage.errors import DomainError, MissingExtraError, NotSupportedError
from preimage.inverse.preimages import LogitsUpToConstant, Probabilities
from preimage.inverse.preimages.question import Question
from preimage.inverse.preimages.straight_pieces.paired_program import PairedProgram
from preimage.inverse.preimages.straight_pieces.pieces import pieces_of
from preimage.inverse.preimages.straight_pieces.ways import ways_of

linprog = pytest.importorskip("scipy.optimize").linprog

ACTIVATIONS = {
    "relu": nn.ReLU,
    "leaky": lambda: nn.LeakyReLU(0.3),
    "folded": lambda: nn.PReLU(12, init=-0.5).double(),
    "relu6": nn.ReLU6,
    "hardtanh": lambda: nn.Hardtanh(-0.3, 0.7),
    "hardsigmoid": nn.Hardsigmoid,
}


def network(name, seed=3):
    return mlp(20, 12, 12, 5, activation=ACTIVATIONS[name], seed=seed).requires_grad_(False)


def errors(net, found, y):
    return (net(found.x) - y).norm(dim=1) / y.norm(dim=1)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_ways_along_the_pieces_add_up_to_the_function(name):
    net = network(name)
    wiring = Question(inverse_of(net, 20), normal(1, 5)).cut.wiring
    (pieces, _), phi = pieces_of(wiring, normal(1)), net[1]
    ways, z = ways_of(pieces), 4 * normal(1, 12)
    kinks = pieces.kinks
    runs = list(pairwise(kinks))
    middle = [(z - low).clamp(torch.zeros_like(low), high - low) for low, high in runs]
    missing = [high - low - d for (low, high), d in zip(runs, middle, strict=True)]
    inner = [part for pair in zip(middle, missing, strict=True) for part in pair]
    along = torch.cat([(kinks[:1] - z).clamp_min(0), *inner, (z - kinks[-1:]).clamp_min(0)], 1)[0].numpy()
    np.testing.assert_allclose(ways.operand @ along + ways.operand_at, z[0], atol=1e-12)
    np.testing.assert_allclose(ways.result @ along + ways.result_at, phi(z)[0], atol=1e-12)
    np.testing.assert_allclose(ways.sums @ along, ways.lengths, atol=1e-12)
    assert np.abs(along[ways.pairs]).min(1).max() < 1e-12


@pytest.mark.parametrize("seed", range(12))
def test_a_verdict_is_that_of_all_cases_one_by_one(seed):
    generator = np.random.default_rng(seed)
    matrix, right = generator.standard_normal((6, 12)), generator.standard_normal(6)
    high = np.where(generator.random(12) < 0.5, 1.0, np.inf)
    pairs = np.arange(12).reshape(6, 2)
    verdict = PairedProgram(matrix, right, np.zeros(12), high, pairs).solve(nodes=64)
    solvable = False
    for choice in product((0, 1), repeat=6):
        ends = high.copy()
        ends[pairs[np.arange(6), choice]] = 0
        bounds = np.stack([np.zeros(12), ends], 1)
        solvable |= linprog(np.zeros(12), A_eq=matrix, b_eq=right, bounds=bounds).status == 0
    assert (verdict.point is not None) == solvable
    assert verdict.refuted == (not solvable)
    if verdict.point is not None:
        np.testing.assert_allclose(matrix @ verdict.point, right, atol=1e-7)
        assert verdict.point[pairs].min(1).max() == 0


def attained_by_cases(net, y, low, high):
    """Whether one of all patterns of a single hidden layer of rectifiers has the answer."""
    (first, _, last), found = net, False
    weight, bias, after, offset = (p.numpy() for p in (first.weight, first.bias, last.weight, last.bias))
    for pattern in product((0.0, 1.0), repeat=len(bias)):
        on = np.array(pattern)
        sign = 1 - 2 * on
        case = linprog(
            np.zeros(weight.shape[1]),
            A_ub=sign[:, None] * weight,
            b_ub=-sign * bias,
            A_eq=after @ (on[:, None] * weight),
            b_eq=y - offset - after @ (on * bias),
            bounds=(low, high),
        )
        found |= case.status == 0
    return found


@pytest.mark.parametrize("bounds", [(None, None), (-1.0, 1.0)], ids=str)
def test_proofs_and_answers_agree_with_all_patterns(bounds):
    net = mlp(3, 4, 3, activation=nn.ReLU, seed=1).requires_grad_(False)
    y = torch.cat([net(normal(6, 3).clamp(-1, 1)), 0.7 * normal(6, 3)])
    found = inverse_of(net, 3).attainable(y, low=bounds[0], high=bounds[1], tol=1e-10)
    expected = torch.tensor([attained_by_cases(net, row.numpy(), *bounds) for row in y])
    assert 0 < expected.sum() < 12
    assert torch.equal(found.attained, expected)
    assert torch.equal(found.refuted, ~expected)
    assert errors(net, found, y)[found.attained].max() < 1e-9


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_the_network_answers_is_attained(name):
    net = network(name)
    y = net(3 * normal(3, 20))
    found = inverse_of(net, 20).attainable(y)
    assert found.attained.all()
    assert errors(net, found, y).max() < 1e-9
    assert str(found) == "3 attained, 0 proved unattainable, 0 unknown"


def test_answers_within_a_box_stay_in_it():
    net = network("relu")
    y = net(normal(3, 20).clamp(-1, 1))
    found = inverse_of(net, 20).attainable(y, low=-1.0, high=1.0)
    assert (found.x.abs() <= 1 + 1e-12).all()
    assert (errors(net, found, y) < 1e-6).eq(found.attained).all()
    assert not found.refuted.any()


def test_one_bound_alone():
    net = network("leaky")
    y = net(normal(2, 20).abs())
    found = inverse_of(net, 20).attainable(y, low=0.0)
    assert found.attained.any()
    assert (found.x >= 0).all()


def test_clipped_outputs_have_a_range():
    net = nn.Sequential(nn.Linear(3, 2), nn.Hardtanh()).double()
    y = torch.tensor([[0.5, -0.2], [1.0, 0.3], [1.5, 0.0]]).double()
    found = inverse_of(net, 3).attainable(y)
    assert found.attained.tolist() == [True, True, False]
    assert found.refuted.tolist() == [False, False, True]


def test_convolution_pool_and_batch_norm():
    torch.manual_seed(0)
    layers = [nn.Unflatten(1, (1, 5, 8)), nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU6(), nn.AvgPool2d(3)]
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(8, 3)).double().eval().requires_grad_(False)
    y = net(normal(2, 40))
    found = inverse_of(net, 40).attainable(y)
    assert found.attained.all()
    assert errors(net, found, y).max() < 1e-9


def test_single_precision():
    net = network("relu").float()
    y = net(normal(2, 20).float())
    found = pi.invert(net, torch.zeros(1, 20)).attainable(y, tol=1e-5)
    assert found.x.dtype == torch.float32
    assert found.attained.all()


def test_a_target_that_is_linear_in_the_outputs():
    net = network("relu")
    found = inverse_of(net, 20).attainable(LogitsUpToConstant(normal(2, 5)))
    assert found.attained.all()


@pytest.mark.parametrize("activation", [nn.GELU, nn.Sigmoid])
def test_curved_networks_are_refused(activation):
    net = mlp(6, 4, 2, activation=activation)
    with pytest.raises(NotSupportedError, match="straight pieces"):
        inverse_of(net, 6).attainable(normal(1, 2))


def test_targets_that_are_curved_are_refused():
    net = network("relu")
    with pytest.raises(NotSupportedError, match="straight pieces"):
        inverse_of(net, 20).attainable(Probabilities(normal(1, 5).softmax(1)))


def test_a_box_without_an_inside_is_refused():
    with pytest.raises(DomainError):
        inverse_of(network("relu"), 20).attainable(normal(1, 5), low=1.0, high=0.0)


def test_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(MissingExtraError, match="scipy"):
        inverse_of(network("relu"), 20).attainable(normal(1, 5))


def test_solve_reaches_one_hot_answers_of_rectified_networks():
    net = mlp(60, 24, 24, 6, activation=nn.ReLU, seed=5).requires_grad_(False)
    y = torch.eye(6).double()
    x, certificate = inverse_of(net, 60).solve(y, start=torch.zeros(1, 60).double(), tol=1e-9)
    assert certificate.ok
    assert (net(x) - y).norm(dim=1).max() < 1e-8
