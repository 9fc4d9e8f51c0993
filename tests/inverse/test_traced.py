"""Plain bijective code as a Bijection, against autograd and against the layers written by design."""

import pytest
import torch
from torch import nn

import preimage as pi
from preimage.errors import NotInvertibleError
from preimage.testing import check_bijection


class Coupling(nn.Module):
    def __init__(self, context=0):
        super().__init__()
        self.matrix, self.activation = nn.Linear(4, 4), nn.LeakyReLU(0.2)
        self.net = nn.Sequential(nn.Linear(2 + context, 8), nn.Tanh(), nn.Linear(8, 4))

    def forward(self, x, context=None):
        x = self.activation(self.matrix(x))
        a, b = x.chunk(2, 1)
        seen = a if context is None else torch.cat([a, context], 1)
        shift, scale = self.net(seen).chunk(2, 1)
        return torch.cat([b * scale.tanh().exp() + shift, a], 1)


class Picture(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix, self.norm = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x):
        return torch.sinh(self.norm(self.mix(nn.functional.pixel_unshuffle(x, 2))))


def jacobian_log_det(model, x, context):
    found = []
    for row in range(len(x)):
        conditions = () if context is None else (context[row : row + 1],)
        jacobian = torch.autograd.functional.jacobian(lambda v: model(v[None], *conditions)[0], x[row])  # noqa: B023
        found.append(torch.linalg.slogdet(jacobian.reshape(x[row].numel(), -1))[1])
    return torch.stack(found)


@pytest.mark.parametrize("width", [0, 3])
def test_log_det_and_round_trip(width):
    torch.manual_seed(0)
    model = Coupling(width).double()
    x = torch.randn(5, 4).double()
    context = torch.randn(5, 3).double() if width else None
    bijection = pi.Traced(model, x[:1], context=None if context is None else context[:1])
    y, log_det = bijection.forward_and_log_det(x, context)
    torch.testing.assert_close(log_det, jacobian_log_det(model, x, context))
    again, inverse_log_det = bijection.inverse_and_log_det(y, context)
    torch.testing.assert_close(again, x)
    torch.testing.assert_close(inverse_log_det, -log_det)


def test_likelihood_gradients_are_those_of_the_jacobian():
    torch.manual_seed(1)
    model, x = Coupling().double(), torch.randn(3, 4).double()
    bijection = pi.Traced(model, x[:1])
    ours = torch.autograd.grad(
        bijection.forward_and_log_det(x)[1].sum(), list(model.parameters()), allow_unused=True
    )
    total = torch.zeros(()).double()
    for row in range(3):
        jacobian = torch.autograd.functional.jacobian(lambda v: model(v[None])[0], x[row], create_graph=True)
        total = total + torch.linalg.slogdet(jacobian)[1]
    wanted = torch.autograd.grad(total, list(model.parameters()), allow_unused=True)
    for mine, theirs in zip(ours, wanted, strict=True):
        torch.testing.assert_close(
            torch.zeros(1).double() if mine is None else mine,
            (torch.zeros(1).double() if mine is None else torch.zeros_like(mine))
            if theirs is None
            else theirs,
        )


@pytest.mark.shows("0-12")
def test_batch_norm_and_pixel_shuffle_count_every_position():
    torch.manual_seed(2)
    model = Picture().double()
    with torch.no_grad():
        model.norm.running_var.uniform_(0.5, 2)
        model.norm.weight.uniform_(0.5, 2)
    model.eval()
    x = torch.randn(2, 1, 4, 6).double()
    bijection = pi.Traced(model, x[:1])
    torch.testing.assert_close(bijection.forward_and_log_det(x)[1], jacobian_log_det(model, x, None))
    torch.testing.assert_close(bijection.inverse(model(x).detach()), x)


def test_it_keeps_the_contract_of_a_bijection():
    bijection = pi.Traced(Coupling().double(), torch.zeros(1, 4).double())
    assert bijection.inv.inv is bijection
    x = torch.randn(4, 4).double()
    y, certificate = bijection.inv(bijection(x)), bijection.certified_inverse(bijection(x).detach())[1]
    torch.testing.assert_close(y, x)
    assert certificate.ok


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (nn.Sequential(nn.Linear(4, 4), nn.ReLU()), "relu is only certified"),
        (nn.Linear(4, 3), "only right"),
        (nn.Linear(3, 4), "only left"),
        (nn.Sequential(nn.Linear(4, 4), nn.SiLU()), "silu is only right"),
    ],
)
def test_what_is_not_bijective_is_refused_with_a_reason(model, reason):
    with pytest.raises(NotInvertibleError, match=reason):
        pi.Traced(
            model,
            torch.zeros(1, model[0].in_features if isinstance(model, nn.Sequential) else model.in_features),
        )


@pytest.mark.shows("0-5")
def test_relu_is_refused_and_the_other_way_is_named():
    with pytest.raises(NotInvertibleError, match=r"preimage\.invert"):
        pi.Traced(nn.ReLU(), torch.zeros(1, 4))


def test_counting_and_singularity():
    class Duplicate(nn.Module):
        def forward(self, x):
            return torch.cat([x, 2 * x], 1)

    with pytest.raises(NotInvertibleError, match=r"3 numbers go in, 6 come out"):
        pi.Traced(Duplicate(), torch.zeros(1, 3))
    flat = nn.Linear(3, 3)
    with torch.no_grad():
        flat.weight[0] = flat.weight[1]
    with pytest.raises(NotInvertibleError, match="singular"):
        pi.Traced(flat, torch.zeros(1, 3))


def test_by_design_and_plain_code_agree():
    torch.manual_seed(4)
    by_design = pi.Chain(pi.layers.LeakyReLU(0.3), pi.layers.Permutation([2, 0, 3, 1]))
    plain = pi.Traced(
        nn.Sequential(nn.LeakyReLU(0.3), Gather()),
        torch.zeros(1, 4),
    )
    x = torch.randn(6, 4)
    for ours, theirs in zip(plain.forward_and_log_det(x), by_design.forward_and_log_det(x), strict=True):
        torch.testing.assert_close(ours, theirs)


class Gather(nn.Module):
    def forward(self, x):
        a, b, c, d = x.unbind(1)
        return torch.stack([c, a, d, b], 1)


def test_the_public_checker_accepts_it():
    interpreted = "the plan is interpreted step by step in Python; compile or export the module itself"
    torch.manual_seed(6)
    check_bijection(
        pi.Traced(Coupling().double(), torch.zeros(1, 4).double()),
        torch.randn(3, 4).double(),
        exceptions={"compile": interpreted, "export": interpreted, "vmap": interpreted},
    )
