"""Affine maps in separate modules are one step where the last of them alone would lose numbers."""

import pytest
import torch
from torch import nn

import preimage as pi

D = torch.float64


class Ordered(nn.Module):
    """Axes in another order."""

    def forward(self, x):
        return x.permute(0, 2, 1)


NARROW = {
    "two matrices": ((6,), [nn.Linear(6, 24), nn.Linear(24, 20), nn.ReLU()]),
    "a view between": (
        (6,), [nn.Linear(6, 24), nn.Unflatten(1, (2, 3, 4)), nn.Flatten(), nn.Linear(24, 20), nn.ReLU6()],
    ),
    "axes in another order": (
        (6,),
        [nn.Linear(6, 24), nn.Unflatten(1, (4, 6)), Ordered(), nn.Dropout(), nn.Linear(4, 3), nn.ReLU()],
    ),
    "a convolution of a matrix": (
        (5,),
        [nn.Linear(5, 24), nn.Unflatten(1, (6, 2, 2)), nn.Conv2d(6, 5, 1), nn.BatchNorm2d(5), nn.ReLU()],
    ),
    "two convolutions": (
        (2, 4, 4), [nn.ConvTranspose2d(2, 3, 2, 2), nn.BatchNorm2d(3), nn.Conv2d(3, 9, 3, 2), nn.ReLU()],
    ),
    "a scaled picture": ((1, 4, 4), [nn.Upsample(scale_factor=2), nn.Conv2d(1, 3, 3), nn.ReLU()]),
    "three matrices": ((4,), [nn.Linear(4, 9), nn.Linear(9, 15), nn.Linear(15, 14), nn.Hardtanh(-2, 2)]),
    "no activation": ((4,), [nn.Linear(4, 9), nn.Linear(9, 7)]),
    "square as a whole": ((4,), [nn.Linear(4, 9), nn.Linear(9, 4)]),
}  # fmt: skip


def built(layers, seed=0):
    generator = torch.Generator().manual_seed(seed)
    network = nn.Sequential(*layers).double().eval()
    for parameter in network.parameters():
        parameter.data = (
            torch.randn(parameter.shape, generator=generator, dtype=D) / parameter.shape[-1] ** 0.5
        )
    return network


def drawn(shape, rows=3):
    return torch.randn(rows, *shape, generator=torch.Generator().manual_seed(1), dtype=D)


@pytest.mark.parametrize("name", NARROW)
def test_one_region_from_the_narrowest_value_on(name):
    shape, layers = NARROW[name]
    network = built(layers)
    x = drawn(shape)
    y = network(x).detach()
    inverse = pi.invert(network, x[:1])
    (region,) = inverse.plan().regions
    assert region.source == inverse.graph.inputs[0]
    answer, certificate = inverse.data_free(y)
    for row in range(len(x)):
        if determined(network, x[row : row + 1]):
            torch.testing.assert_close(answer[row], x[row], rtol=1e-6, atol=1e-7)
    assert certificate.converged.all()
    torch.testing.assert_close(network(answer), y, rtol=1e-7, atol=1e-9)


def determined(network, x):
    """Whether the outputs that the activation leaves alone determine x, by the dense Jacobian."""
    matrix = torch.autograd.functional.jacobian(lambda v: network(v).flatten(), x).flatten(1)
    return bool(torch.linalg.matrix_rank(matrix) == x.numel())


def test_what_is_determined_alone_stays_alone():
    network = built([nn.Linear(4, 9), nn.Linear(9, 12)])
    assert [len(region.nodes) for region in pi.invert(network, drawn((4,), 1)).plan().regions] == [1, 1]
    network = built([nn.Linear(9, 9), nn.Linear(9, 4), nn.ReLU()])  # nothing makes more than it reads
    assert [len(region.nodes) for region in pi.invert(network, drawn((9,), 1)).plan().regions] == [2, 1]


class Shared(nn.Module):
    """The value between two matrices is an output as well."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 9), nn.Linear(9, 6)

    def forward(self, x):
        between = self.first(x)
        return between, self.second(between).relu()


def test_a_value_that_others_read_stays_a_border():
    torch.manual_seed(0)
    network = Shared().double()
    x = drawn((4,))
    inverse = pi.invert(network, x[:1])
    answer, _ = inverse.data_free(network(x))
    torch.testing.assert_close(answer, x)
    assert all(len(region.nodes) == 1 for region in inverse.plan().regions)


def test_the_log_determinant_of_maps_that_are_square_as_a_whole():
    network = built([nn.Linear(4, 9), nn.Linear(9, 4)])
    x = drawn((4,))
    outcome = pi.invert(network, x[:1]).run_plan(network(x).detach())
    matrix = network[1].weight @ network[0].weight
    torch.testing.assert_close(outcome.log_det, -torch.linalg.slogdet(matrix)[1].expand(3))


def test_large_maps_are_left_apart():
    network = nn.Sequential(nn.ConvTranspose2d(1, 4, 2, 2), nn.Conv2d(4, 3, 3, padding=1), nn.ReLU()).eval()
    kinds = [
        [region.kind for region in pi.invert(network, torch.zeros(1, 1, side, side)).plan().regions]
        for side in (4, 40)
    ]
    assert kinds == [["saturation"], ["saturation", "affine"]]


def test_one_number_behind_two_maps_that_make_more_is_reached():
    network = built([nn.Linear(9, 20), nn.Linear(20, 25), nn.Linear(25, 1), nn.ReLU6()])
    x = drawn((9,), 8)
    y = network(x).detach()
    inverse = pi.invert(network, x[:1])
    assert inverse.plan().guarantee.value == "right"
    answer, certificate = inverse.data_free(y)
    assert certificate.converged.all()
    torch.testing.assert_close(network(answer), y)
