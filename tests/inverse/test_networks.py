"""Every named network, inverted data-free: promise, both round trips, certificates that tell the truth."""

import pytest
import torch
from networks import SAMPLES

import preimage as pi


def built(name):
    sample = SAMPLES[name]
    torch.manual_seed(3)
    model = sample.make().double()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 2)
                module.weight.uniform_(0.5, 2).mul_(torch.randn_like(module.weight).sign())
                module.bias.normal_()
    return sample, model.eval()


@pytest.mark.parametrize("name", SAMPLES)
def test_round_trips_and_certificate(name):
    sample, model = built(name)
    x = torch.randn(3, *sample.shape, dtype=torch.float64)
    y = model(x).detach()
    inverse = pi.invert(model, x[:1])
    assert inverse.plan().guarantee is sample.guarantee
    answer, certificate = inverse.data_free(y)
    assert answer.shape == x.shape
    error = ((answer - x).flatten(1).norm(dim=1) / x.flatten(1).norm(dim=1)).max().item()
    residual = ((model(answer) - y).flatten(1).norm(dim=1) / y.flatten(1).norm(dim=1)).max().item()
    assert error <= sample.there_and_back
    assert residual <= sample.back_and_there
    assert certificate.residual.max().item() == pytest.approx(residual, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_ledger_covers_every_number(name):
    sample, model = built(name)
    inverse = pi.invert(model, torch.randn(1, *sample.shape, dtype=torch.float64))
    table = inverse.ledger
    assert table.rows[0].inputs == table.input_size
    assert table.rows[-1 if table.rows[-1].depth == 0 else 0].inputs > 0
    assert table.guarantee == sample.guarantee.value
    assert table.verdict in str(table)


@pytest.mark.parametrize("name", [name for name, s in SAMPLES.items() if s.guarantee is pi.Guarantee.EXACT])
def test_log_det_of_exact_plans_is_that_of_the_jacobian(name):
    sample, model = built(name)
    x = torch.randn(2, *sample.shape, dtype=torch.float64)
    y = model(x).detach()
    log_det = pi.invert(model, x[:1]).run_plan(y).log_det
    for row in range(2):
        jacobian = torch.autograd.functional.jacobian(lambda v: model(v[None])[0], x[row])
        size = x[row].numel()
        wanted = -torch.linalg.slogdet(jacobian.reshape(size, size))[1]
        assert log_det[row].item() == pytest.approx(wanted.item(), abs=1e-9)


@pytest.mark.parametrize("name", ["mlp", "conv 3x3", "expand, relu6", "coupling"])
def test_any_batch_size_and_float32(name):
    sample, model = built(name)
    model = model.float()
    inverse = pi.invert(model, torch.randn(1, *sample.shape))
    for batch in (1, 4):
        x = torch.randn(batch, *sample.shape)
        answer, certificate = inverse.data_free(model(x).detach())
        assert answer.shape == x.shape
        assert certificate.residual.max() < 1e-4


@pytest.mark.parametrize("name", ["mlp", "conv 3x3", "norm after relu"])
def test_a_change_of_weights_is_followed(name):
    sample, model = built(name)
    x = torch.randn(2, *sample.shape, dtype=torch.float64)
    inverse = pi.invert(model, x)
    inverse.data_free(model(x).detach())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    y = model(x).detach()
    assert inverse.data_free(y)[1].residual.max() < 1e-8


def test_an_answer_outside_the_range_is_flagged():
    _, model = built("tokens")
    inverse = pi.invert(model, torch.randn(1, 5, 4).double())
    _, certificate = inverse.data_free(torch.full((2, 5, 11), 50.0, dtype=torch.float64))
    assert not certificate.converged.any()


@pytest.mark.parametrize("name", ["silu", "square silu", "square gelu", "hardswish"])
def test_turning_activations_reach_every_value_of_their_range(name):
    sample, model = built(name)
    x = torch.randn(4, *sample.shape, dtype=torch.float64)
    y = model(x).detach()
    inverse = pi.invert(model, x[:1])
    answer, _ = inverse.solve(y, tol=1e-8)
    assert ((model(answer) - y).norm(dim=1) / y.norm(dim=1)).max() < 1e-6
