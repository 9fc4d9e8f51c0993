"""Max pooling of every kind, with and without its places: against loops over windows and against torch."""

import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional

import preimage as pi
from preimage.inverse.rules.pool_windows import AdaptiveAxis

STRIDED = [
    (nn.MaxPool1d(3, 2, 1, ceil_mode=True), (2, 10)),
    (nn.MaxPool1d(2, 3), (2, 10)),
    (nn.MaxPool2d((3, 2), (2, 1), (1, 0), ceil_mode=True), (2, 6, 5)),
    (nn.MaxPool3d(2), (2, 4, 4, 6)),
    (nn.MaxPool3d(3, 2, 1), (1, 5, 6, 7)),
    (nn.MaxPool3d((1, 2, 3), (1, 2, 2), ceil_mode=True), (2, 3, 5, 6)),
    (nn.MaxPool3d(2, 1, 0, 2), (1, 4, 5, 3)),
    (nn.MaxPool3d(3, 3, 1, ceil_mode=True), (1, 4, 5, 7)),
]
ADAPTIVE = [
    (nn.AdaptiveMaxPool1d(3), (2, 7)),
    (nn.AdaptiveMaxPool1d(7), (2, 7)),
    (nn.AdaptiveMaxPool1d(1), (3, 5)),
    (nn.AdaptiveMaxPool1d(5), (2, 3)),
    (nn.AdaptiveMaxPool2d((3, None)), (2, 7, 4)),
    (nn.AdaptiveMaxPool2d(4), (2, 9, 6)),
    (nn.AdaptiveMaxPool3d((2, 3, 1)), (2, 5, 4, 3)),
    (nn.AdaptiveMaxPool3d(3), (1, 3, 7, 4)),
]
EVERY = STRIDED + ADAPTIVE
NAMES = [f"{type(pool).__name__}-{number}" for number, (pool, _) in enumerate(EVERY)]


def drawn(shape, seed=0, ties=False):
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x.round() if ties else x


def placed(pool, x):
    """The largest numbers and their places, by torch."""
    d = x.dim() - 2
    if "Adaptive" in type(pool).__name__:
        function = getattr(functional, f"adaptive_max_pool{d}d")
        return function(x, pool.output_size, return_indices=True)
    settings = (pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.ceil_mode)
    return getattr(functional, f"max_pool{d}d")(x, *settings, return_indices=True)


def windows(pool, shape):
    """Flat positions of every window, by nudging one position after the other."""
    sizes = shape[1:]
    count = torch.Size(sizes).numel()
    found = []
    for place in range(count):
        x = torch.zeros(1, 1, count, dtype=torch.float64)
        x[0, 0, place] = 1.0
        found.append(pool(x.view(1, 1, *sizes)).flatten() > 0)
    return torch.stack(found, 1)  # (windows, positions)


def smallest(pool, shape, y):
    """For each position the smallest y over all windows that read it, by loops; NaN where none does."""
    reads, flat = windows(pool, shape), y.flatten(2)
    x = torch.full((*flat.shape[:2], reads.shape[1]), torch.nan, dtype=torch.float64)
    for n, c, place in itertools.product(range(x.shape[0]), range(x.shape[1]), range(x.shape[2])):
        over = flat[n, c, reads[:, place]]
        if len(over):
            x[n, c, place] = over.min()
    return x.view(y.shape[0], *shape)


@pytest.mark.parametrize(("pool", "shape"), EVERY, ids=NAMES)
@pytest.mark.parametrize("ties", [False, True])
def test_without_places_the_answer_is_the_largest_preimage(pool, shape, ties):
    x = drawn(shape, ties=ties)
    y = pool(x)
    inverse = pi.invert(pool, x[:1])
    answer, certificate = inverse.data_free(y)
    assert torch.equal(pool(answer), y)
    assert certificate.residual.max() == 0
    expected = smallest(pool, shape, y)
    read = ~expected.isnan()
    assert torch.equal(answer[read], expected[read])
    assert (answer[read] >= x[read]).all()


@pytest.mark.parametrize(("pool", "shape"), EVERY, ids=NAMES)
def test_the_ledger_counts_what_remains(pool, shape):
    x = drawn(shape)
    inverse = pi.invert(pool, x[:1])
    (row,) = inverse.ledger.rows
    assert (row.inputs, row.outputs) == (x[0].numel(), pool(x)[0].numel())
    assert row.guarantee == "right"


class Placed(nn.Module):
    """The pooling with its places as a second output."""

    def __init__(self, pool):
        super().__init__()
        self.pool = pool

    def forward(self, x):
        return placed(self.pool, x)


class LargestAlone(Placed):
    """The pooling that computes its places, which nobody reads."""

    def forward(self, x):
        return placed(self.pool, x)[0]


@pytest.mark.parametrize(("pool", "shape"), EVERY, ids=NAMES)
@pytest.mark.parametrize("ties", [False, True])
def test_with_places_both_outputs_come_back(pool, shape, ties):
    x = drawn(shape, seed=1, ties=ties)
    network = Placed(pool)
    y, places = network(x)
    inverse = pi.invert(network, x[:1])
    answer, certificate = inverse.data_free((y, places))
    assert torch.equal(network(answer)[0], y)
    assert torch.equal(network(answer)[1], places)
    assert torch.equal(answer.flatten(2).gather(2, places.flatten(2)), y.flatten(2))
    seen = torch.zeros_like(x).flatten(2).scatter(2, places.flatten(2), 1.0).view_as(x) > 0
    assert torch.equal(answer[seen], x[seen])
    assert certificate.residual.max() == 0
    known, wanted = inverse.ledger.output_size, inverse.ledger.input_size
    assert (known, wanted) == (y[0].numel(), x[0].numel())
    lost = wanted - known
    assert f"at least {lost} of {wanted}" in inverse.ledger.verdict or lost <= 0


@pytest.mark.parametrize(("pool", "shape"), EVERY, ids=NAMES)
def test_places_that_nobody_reads_change_nothing(pool, shape):
    x = drawn(shape, seed=2)
    y = pool(x)
    network = LargestAlone(pool)
    assert torch.equal(pi.invert(network, x[:1])(y), pi.invert(pool, x[:1])(y))
    assert pi.invert(network, x[:1]).plan().guarantee.value == "right"


@pytest.mark.parametrize(("pool", "shape"), ADAPTIVE, ids=NAMES[len(STRIDED) :])
def test_recorded_places_of_adaptive_pooling(pool, shape):
    x = drawn(shape, seed=3)
    y, places = placed(pool, x)
    recorded = pi.invert(pool, x[:1]).with_side_information(x)
    (found,) = recorded.places.values()
    assert torch.equal(found, places)
    answer, certificate = recorded.answer(y)
    assert torch.equal(pool(answer), y)
    seen = torch.zeros_like(x).flatten(2).scatter(2, places.flatten(2), 1.0).view_as(x) > 0
    assert torch.equal(answer[seen], x[seen])
    assert certificate.residual.max() == 0


def test_a_layer_in_front_of_recorded_adaptive_pooling_is_solved():
    generator = torch.Generator().manual_seed(4)
    network = nn.Sequential(nn.Conv1d(1, 40, 3, padding=2), nn.ReLU(), nn.AdaptiveMaxPool1d(6)).double()
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    x = torch.randn(2, 1, 14, generator=generator, dtype=torch.float64)
    y = network(x).detach()
    recorded = pi.invert(network, x[:1]).with_side_information(x)
    assert [step.kind for step in recorded.plan().regions] == ["recorded"]
    assert torch.allclose(recorded(y), x, atol=1e-8)


def test_adaptive_windows_are_those_of_torch():
    for size, cells in itertools.product(range(1, 9), range(1, 11)):
        places = AdaptiveAxis(size, cells).places()
        ruler = torch.arange(float(size)).view(1, 1, size)
        assert (
            places.max(dim=1).values.tolist() == functional.adaptive_max_pool1d(ruler, cells)[0, 0].tolist()
        )
        first = places.where(places >= 0, size).min(dim=1).values
        assert (-first.double()).tolist() == functional.adaptive_max_pool1d(-ruler, cells)[0, 0].tolist()


class LargestAndPlace(nn.Module):
    """An operation with places and without a rule of its own."""

    def forward(self, x):
        return tuple(x.max(-1))


def test_places_of_an_operation_without_a_rule_are_no_dimensions():
    x = drawn((3, 4))
    network = LargestAndPlace()
    inverse = pi.invert(network, x[:1])
    answer, _ = inverse.data_free(network(x))
    assert answer.shape == x.shape
    assert "at least 9 of 12 input dimensions are lost" in inverse.ledger.verdict


class Extreme(nn.Module):
    """An operation along axes, given as a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


EXTREMES = {
    "max": (lambda x: x.max(-1)[0], (-1,)),
    "max kept": (lambda x: torch.max(x, 1, keepdim=True)[0], (1,)),
    "min": (lambda x: x.min(dim=2).values, (2,)),
    "amax": (lambda x: x.amax((1, 3)), (1, 3)),
    "amax kept": (lambda x: x.amax((-1, -2), keepdim=True), (2, 3)),
    "amin": (lambda x: x.amin(3), (3,)),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_an_extreme_along_axes_is_spread_over_them(name):
    function, axes = EXTREMES[name]
    x = drawn((3, 4, 2), seed=5) - 2
    y = function(x)
    inverse = pi.invert(Extreme(function), x[:1])
    answer, certificate = inverse.data_free(y)
    assert torch.equal(function(answer), y)
    assert certificate.residual.max() == 0
    spread = answer.amax(axes, keepdim=True) if "max" in name else answer.amin(axes, keepdim=True)
    assert torch.equal(spread.expand_as(x), answer)
    assert ((answer >= x) if "max" in name else (answer <= x)).all()
    (row,) = inverse.ledger.rows
    assert (row.guarantee, row.outputs) == ("right", y[0].numel())


def test_a_point_cloud_network_is_inverted_through_its_global_maximum():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv1d(3, 40, 1), Extreme(lambda x: x.max(2)[0]), nn.Linear(40, 5)).double()
    x = torch.randn(2, 3, 6, dtype=torch.float64)
    inverse = pi.invert(network, x[:1])
    answer, certificate = inverse.solve(network(x).detach())
    assert certificate.converged.all()
    torch.testing.assert_close(network(answer), network(x), rtol=1e-4, atol=1e-6)
