"""Max pooling whose places were kept: against scatter by torch's own indices, dense matrices and loops."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import preimage as pi
from preimage.errors import NotInvertibleError, ShapeError
from preimage.inverse.rules.recorded import before_saturation, before_scale, before_slope

POOLS = [
    (nn.MaxPool1d(2), (2, 8)),
    (nn.MaxPool1d(3, 2, 1), (2, 9)),
    (nn.MaxPool1d(2, 1, dilation=3), (2, 9)),
    (nn.MaxPool2d(2), (3, 6, 8)),
    (nn.MaxPool2d(3, 2, ceil_mode=True), (2, 8, 7)),
    (nn.MaxPool2d((2, 1), (2, 1)), (2, 6, 3)),
    (nn.MaxPool3d(2), (1, 4, 4, 6)),
    (nn.MaxPool3d(3, 1, 1), (1, 3, 4, 3)),
]


def indices_of(pool, x):
    settings = (pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.ceil_mode)
    function = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[x.dim() - 3]
    return function(x, *settings, return_indices=True)


@pytest.mark.parametrize(("pool", "shape"), POOLS)
def test_recorded_places_hold_the_maxima_and_the_rest_stays_below(pool, shape):
    generator = torch.Generator().manual_seed(len(shape))
    x = torch.randn(3, *shape, generator=generator, dtype=torch.float64)
    y, indices = indices_of(pool, x)
    recorded = pi.invert(pool, x[:1]).with_side_information(x)
    (places,) = recorded.places.values()
    assert torch.equal(places, indices)
    answer, certificate = recorded.answer(y)
    flat = answer.flatten(2)
    scattered = torch.full_like(x, torch.nan).flatten(2).scatter(2, indices.flatten(2), y.flatten(2))
    seen = ~scattered.isnan()
    assert torch.equal(flat[seen], x.flatten(2)[seen])
    assert torch.equal(flat[seen], scattered[seen])
    assert torch.equal(indices_of(pool, answer)[0], y)
    assert certificate.residual.max() == 0
    assert certificate.message.startswith("with side information: 100.0%")


@pytest.mark.parametrize(("pool", "shape"), POOLS)
def test_data_free_max_pooling_in_every_dimension(pool, shape):
    x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    inverse = pi.invert(pool, x[:1])
    answer = inverse(pool(x))
    assert torch.equal(pool(answer), pool(x))
    assert inverse.plan().guarantee.value == "right"
    assert "side information" not in str(inverse.report)


def test_distinct_places_agree_with_unpooling():
    x = torch.randn(2, 2, 6, 6, generator=torch.Generator().manual_seed(2))
    y, indices = functional.max_pool2d(x, 2, return_indices=True)
    answer = pi.invert(nn.MaxPool2d(2), x[:1]).with_side_information(x)(y)
    unpooled = functional.max_unpool2d(y, indices, 2)
    held = unpooled != 0
    assert torch.equal(answer[held], unpooled[held])


LAYERS = [
    (nn.Sequential(nn.Conv1d(1, 40, 3, padding=2), nn.ReLU(), nn.MaxPool1d(2)), (1, 14)),
    (nn.Sequential(nn.ConstantPad1d((1, 2), 0.0), nn.Conv1d(1, 40, 5, 2), nn.ReLU(), nn.BatchNorm1d(40),
                   nn.MaxPool1d(2)), (1, 30)),
    (nn.Sequential(nn.Conv2d(1, 60, 3, padding=2), nn.PReLU(60), nn.MaxPool2d(2)), (1, 5, 5)),
    (nn.Sequential(nn.Conv2d(2, 60, 2, padding=1), nn.BatchNorm2d(60), nn.LeakyReLU(0.1),
                   nn.MaxPool2d(2)), (2, 7, 7)),
    (nn.Sequential(nn.Conv1d(2, 90, 3, padding=2), nn.ReLU6(), nn.MaxPool1d(3, 2)), (2, 13)),
]  # fmt: skip


def varied(network, seed):
    """Weights, norms and slopes of both signs."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.randn(value.shape, generator=generator) * (0.5 if value.dim() > 1 else 1))
            if name.endswith("running_var"):
                value.abs_().add_(0.3)
    return network.double().eval()


@pytest.mark.parametrize(("network", "shape"), LAYERS)
def test_layers_in_front_solve_the_equations_that_a_dense_matrix_says(network, shape):
    varied(network, 3)
    x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    y = network(x).detach()
    recorded = pi.invert(network, x[:1]).with_side_information(x)
    (step,) = recorded.plan().regions
    assert step.kind == "recorded"
    answer, certificate = recorded.answer(y)
    determined = 0
    for n in range(2):
        rows = equations(network, x[n : n + 1], recorded, n)
        if torch.linalg.matrix_rank(rows) == x[n].numel():
            determined += 1
            assert torch.allclose(answer[n], x[n], atol=1e-6)
            assert certificate.residual[n] <= 1e-8
    assert determined, "the test shows nothing"


def test_a_prelu_that_folds_loses_nothing_where_its_other_channels_suffice():
    network = varied(nn.Sequential(nn.Conv2d(2, 30, 3, padding=2), nn.PReLU(30)), 15)
    assert (network[1].weight < 0).any()
    x = torch.randn(2, 2, 6, 5, generator=torch.Generator().manual_seed(16), dtype=torch.float64)
    inverse = pi.invert(network, x[:1])
    answer, certificate = inverse.data_free(network(x).detach())
    assert torch.allclose(answer, x, atol=1e-8)
    assert certificate.ok
    assert [region.kind for region in inverse.plan().regions] == ["folded"]
    assert inverse.run_plan(network(x).detach()).exact == 1.0


@pytest.mark.parametrize("seed", range(20))
def test_a_prelu_that_folds_everything_is_called_exact_only_where_it_is(seed):
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(2, 3), nn.PReLU()).double()
    network[1].weight.data.fill_(-1.0)  # |z|
    x = torch.randn(4, 2, generator=torch.Generator().manual_seed(17), dtype=torch.float64)
    y = network(x).detach()
    inverse = pi.invert(network, x[:1])
    answer, certificate = inverse.data_free(y)
    outcome = inverse.run_plan(y)
    assert outcome.exact < 1.0 or torch.allclose(answer, x, atol=1e-6)
    rows = (network(answer) - y).flatten(1).norm(dim=1) <= 1e-6 * y.flatten(1).norm(dim=1)
    assert bool(rows[certificate.converged].all())


def equations(network, x, recorded, row):
    """Rows of the affine map in front of the activation that were read, and that no activation bent."""
    split = next(
        i for i, m in enumerate(network) if isinstance(m, (nn.ReLU, nn.ReLU6, nn.PReLU, nn.LeakyReLU))
    )
    matrix = torch.autograd.functional.jacobian(lambda v: network[:split](v).flatten(), x).flatten(1)
    z = network[:split](x).detach()
    (places,) = recorded.places.values()
    read = torch.zeros_like(z).flatten(2).scatter(2, places[row : row + 1].flatten(2), 1.0).view_as(z) > 0
    act = network[split]
    usable = {
        nn.ReLU: lambda: z > 0,
        nn.ReLU6: lambda: (z > 0) & (z < 6),
        nn.LeakyReLU: lambda: torch.ones_like(read),
        nn.PReLU: lambda: (act.weight > 0).view(-1, *[1] * (z.dim() - 2)).expand_as(z),
    }[type(act)]()
    if isinstance(network[-2], nn.BatchNorm1d):
        usable = usable & (network[-2].weight != 0).view(-1, 1)
    return matrix[(read & usable).flatten()].detach()


def test_a_determined_input_comes_back_where_pooling_alone_loses_it():
    network = varied(nn.Sequential(nn.Conv1d(1, 24, 4, 2, 3), nn.ReLU(), nn.MaxPool1d(2)), 5)
    x = torch.randn(2, 1, 20, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    y = network(x).detach()
    inverse = pi.invert(network, x[:1])
    recorded = inverse.with_side_information(x)
    assert (recorded(y) - x).norm() <= 1e-9 * x.norm()
    assert torch.equal(inverse.data_free(y)[0], pi.invert(network, x[:1]).data_free(y)[0])


def test_deep_networks_and_taps():
    network = varied(
        nn.Sequential(
            nn.Conv2d(1, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 20, 2), nn.LeakyReLU(0.2),
            nn.MaxPool2d(2, 1), nn.Flatten(), nn.Linear(80, 100),
        ), 7,
    )  # fmt: skip
    x = torch.randn(2, 1, 11, 11, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    inverse = pi.invert(network, x[:1], taps=["2", "5", "7"])
    recorded = inverse.with_side_information(x)
    errors = {}
    for tap, y in inverse.features(x).items():
        answer, certificate = recorded.solve(y, tap, max_products=60)
        again = inverse.features(answer, [tap])[tap]
        shown = ((again - y).flatten(1).norm(dim=1) / y.flatten(1).norm(dim=1)).to(certificate.residual)
        assert torch.allclose(shown, certificate.residual, atol=1e-9)
        errors[tap] = ((answer - x).norm() / x.norm()).item()
    data_free = inverse.data_free(inverse.features(x, ["2"])["2"], "2")[0]
    assert errors["2"] < 0.5 * ((data_free - x).norm() / x.norm()).item()


def test_everything_says_with_side_information():
    network = varied(nn.Sequential(nn.Conv1d(1, 8, 3), nn.ReLU(), nn.MaxPool1d(2)), 9)
    x = torch.randn(2, 1, 12, generator=torch.Generator().manual_seed(10), dtype=torch.float64)
    inverse = pi.invert(network, x)
    recorded = inverse.with_side_information(x)
    report = recorded.report
    assert [trip.mode for trip in report.round_trips] == ["with side information"]
    assert "with side information" in report.ledger.verdict
    assert any("with side information" in row.operations for row in report.rows)
    assert "with side information" in report.to_html()
    assert report.to_dict()["side_information"] == list(recorded.places)
    again = type(report.ledger).from_dict(report.ledger.to_dict())
    assert again == report.ledger
    for word in (str(inverse.report), str(inverse.ledger.to_dict()["verdict"])):
        assert "side information" not in word


def test_answers_of_one_sample_do_not_depend_on_the_others():
    network = varied(nn.Sequential(nn.Conv1d(1, 12, 3), nn.ReLU(), nn.MaxPool1d(2)), 11)
    x = torch.randn(3, 1, 12, generator=torch.Generator().manual_seed(12), dtype=torch.float64)
    inverse, y = pi.invert(network, x[:1]), network(x).detach()
    together = inverse.with_side_information(x)(y)
    for n in range(3):
        alone = inverse.with_side_information(x[n : n + 1])(y[n : n + 1])
        assert torch.allclose(together[n : n + 1], alone, atol=1e-10)


def test_an_output_of_another_input_is_not_called_solved():
    network = varied(nn.Sequential(nn.Conv1d(1, 2, 3), nn.LeakyReLU(0.2), nn.MaxPool1d(2)), 13)
    x = torch.randn(2, 1, 12, generator=torch.Generator().manual_seed(14), dtype=torch.float64)
    recorded = pi.invert(network, x[:1]).with_side_information(x)
    y = network(x.flip(0) * 3).detach()
    answer, certificate = recorded.answer(y)
    honest = (network(answer) - y).flatten(1).norm(dim=1) / y.flatten(1).norm(dim=1)
    assert torch.allclose(honest.detach(), certificate.residual, atol=1e-9)


def test_refusals():
    linear = nn.Linear(3, 2)
    with pytest.raises(NotInvertibleError, match="no max pooling"):
        pi.invert(linear, torch.zeros(1, 3)).with_side_information(torch.zeros(1, 3))
    recorded = pi.invert(nn.MaxPool1d(2), torch.zeros(1, 1, 4)).with_side_information(torch.randn(2, 1, 4))
    with pytest.raises(ShapeError, match="places of 2 samples"):
        recorded(torch.zeros(3, 1, 2))


@pytest.mark.parametrize("slope", [0.3, 0.0, -0.5])
def test_intervals_hold_every_number_that_can_have_been_there(slope):
    z = torch.linspace(-4, 4, 401, dtype=torch.float64)
    cases = {
        "slope": (
            torch.where(z > 0, z, slope * z),
            lambda a, b: before_slope(a, b, torch.tensor(slope, dtype=torch.float64)),
        ),
        "clip": (z.clamp(0, 2), lambda a, b: before_saturation(a, b, 0.0, 2.0)),
        "scale": (
            slope * z + 1,
            lambda a, b: before_scale(a, b, torch.tensor(slope, dtype=torch.float64), torch.tensor(1.0)),
        ),
    }
    for made, backward in cases.values():
        for low, high in ((-1.0, 0.5), (-torch.inf, 1.0), (0.4, 0.9), (0.0, 0.0), (-0.3, -0.1)):
            inside = (made >= low) & (made <= high)
            if not inside.any():
                continue
            lower, upper = backward(*torch.tensor([low, high], dtype=torch.float64))
            assert (z[inside] >= lower - 1e-12).all()
            assert (z[inside] <= upper + 1e-12).all()
