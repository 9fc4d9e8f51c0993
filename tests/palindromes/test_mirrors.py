"""Layers and their mirror images against dense pseudo-inverses, dense adjoints and finite differences."""

import pytest
import torch
from torch import nn

from preimage import layers
from preimage.errors import NotInvertibleError
from preimage.palindromes import (
    CachedPseudoInverse,
    LeakyRange,
    Mirror,
    Orthonormal,
    PseudoInverse,
    Transpose,
    Untied,
    mirror_of,
    palindrome,
)
from preimage.testing import check_bijection

CONVOLUTIONS = [
    (nn.Conv1d(2, 3, 3, stride=2, padding=1), (2, 9)),
    (nn.Conv2d(3, 4, 3, padding=1), (3, 5, 6)),
    (nn.Conv2d(4, 2, 3, stride=2, groups=2), (4, 7, 7)),
    (nn.Conv3d(1, 2, 2, dilation=2), (1, 4, 4, 4)),
]


def matrix(f, shape):
    """The linear part of an affine map as a dense matrix (out, in)."""
    eye = torch.eye(int(torch.Size(shape).numel()), dtype=torch.float64).view(-1, *shape)
    return (f(eye) - f(torch.zeros_like(eye[:1]))).flatten(1).detach().mT


@pytest.mark.shows("1-6", "1-7")
@pytest.mark.parametrize(("inputs", "outputs"), [(7, 4), (4, 7), (5, 5)])
def test_the_tied_mirror_is_the_pseudo_inverse(inputs, outputs):
    linear = nn.Linear(inputs, outputs).double()
    mirror = mirror_of(linear, PseudoInverse(), (inputs,))
    y = torch.randn(3, outputs).double()
    wanted = (y - linear.bias) @ torch.linalg.pinv(linear.weight).mT
    torch.testing.assert_close(mirror.mirror(y), wanted, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(mirror(y @ linear.weight), linear(y @ linear.weight))


@pytest.mark.shows("1-6")
def test_the_gradient_goes_through_the_pseudo_inverse():
    linear = nn.Linear(5, 3).double()
    mirror = PseudoInverse().dense(linear)
    y = torch.randn(2, 3).double()

    def mirrored(weight, bias):
        names = {"linear.weight": weight, "solver.weight": weight, "linear.bias": bias}
        network = palindrome_of(mirror)
        return torch.func.functional_call(network, {f"inner.{k}": v for k, v in names.items()}, (y,))

    weight = linear.weight.detach().clone().requires_grad_()
    bias = linear.bias.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(mirrored, (weight, bias))


def palindrome_of(mirror):
    class Back(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = mirror

        def forward(self, y):
            return self.inner.mirror(y)

    return Back()


@pytest.mark.shows("1-6")
def test_the_product_of_weights_stays_the_identity_in_training():
    network = palindrome(
        nn.Sequential(nn.Linear(40, 20), nn.LeakyReLU(0.3), nn.Linear(20, 8)), torch.zeros(1, 40)
    )
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    x = torch.rand(64, 40)
    for _ in range(20):
        optimiser.zero_grad()
        (network(x) - x).square().mean().backward()
        optimiser.step()
        for _, gram in network.grams():
            assert (gram - torch.eye(len(gram))).abs().mean() <= 1e-5


@pytest.mark.shows("1-6")
@pytest.mark.parametrize("change", [lambda w: w.data.mul_(2), nn.init.orthogonal_])
def test_the_cache_notices_every_change(change):
    linear = nn.Linear(6, 3)
    mirror = CachedPseudoInverse().dense(linear)
    first = mirror.mirror_weight()
    assert mirror.mirror_weight() is first
    change(linear.weight)
    torch.testing.assert_close(mirror.mirror_weight(), torch.linalg.pinv(linear.weight), rtol=1e-4, atol=1e-5)


@pytest.mark.shows("1-7")
@pytest.mark.parametrize(("convolution", "shape"), CONVOLUTIONS)
def test_convolutions_by_pseudo_inverse_and_adjoint(convolution, shape):
    convolution = convolution.double()
    dense = matrix(convolution, shape)
    x = torch.randn(2, *shape).double()
    y = torch.randn_like(convolution(x))
    shifted = (y - convolution(torch.zeros_like(x[:1]))).flatten(1)
    tied = mirror_of(convolution, PseudoInverse(), shape)
    transposed = mirror_of(convolution, Transpose(), shape)
    wanted = shifted @ torch.linalg.pinv(dense).mT
    torch.testing.assert_close(tied.mirror(y).flatten(1), wanted, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(transposed.mirror(y).flatten(1), shifted @ dense)
    untied = mirror_of(convolution, Untied(), shape)
    assert untied.mirror(y).shape == x.shape
    assert sum(p.numel() for p in untied.parameters()) == 2 * convolution.weight.numel() + len(
        convolution.bias
    )


def test_the_untied_kernel_starts_at_the_best_multiple_of_the_adjoint():
    convolution, shape = nn.Conv2d(2, 3, 3, bias=False).double(), (2, 6, 6)
    dense = matrix(convolution, shape)
    mirror = mirror_of(convolution, Untied(), shape)
    scale = (mirror.opposite.weight / convolution.weight).mean()
    gram = dense @ dense.mT
    assert torch.isclose(scale, (gram.trace() / gram.square().sum()), rtol=0.2)


@pytest.mark.shows("1-7")
@pytest.mark.parametrize(("inputs", "outputs"), [(6, 3), (3, 6)])
def test_orthonormal_layers_stay_so(inputs, outputs):
    linear = nn.Linear(inputs, outputs)
    mirror = mirror_of(linear, Orthonormal(), (inputs,))
    u, _, v = torch.linalg.svd(linear.weight, full_matrices=False)
    torch.testing.assert_close(mirror.weight, u @ v, atol=1e-5, rtol=1e-5)
    optimiser = torch.optim.Adam(mirror.parameters(), lr=0.1)
    (mirror(torch.rand(9, inputs)) ** 2).sum().backward()
    optimiser.step()
    torch.testing.assert_close(mirror.gram(), torch.eye(3), atol=1e-5, rtol=0)
    assert not torch.allclose(mirror.weight, u @ v, atol=1e-2)


def test_orthonormal_patches_are_undone_exactly():
    mirror = mirror_of(nn.Conv2d(2, 8, 2, stride=2).double(), Orthonormal(), (2, 6, 4))
    x = torch.randn(3, 2, 6, 4).double()
    torch.testing.assert_close(mirror.mirror(mirror(x)), x)


ACTIVATIONS = [
    *(
        nn.LeakyReLU(0.3),
        nn.PReLU(),
        nn.Tanh(),
        nn.Sigmoid(),
        nn.ELU(),
        nn.SELU(),
        nn.Softplus(),
        nn.Softsign(),
    ),
    *(layers.Asinh(), layers.Sinh(), layers.MonotonicPReLU(), layers.Baird(4), LeakyRange()),
    nn.BatchNorm1d(4).eval(),
]


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda module: type(module).__name__)
def test_activations_are_undone(activation):
    mirror = mirror_of(activation, PseudoInverse(), (4,)).double()
    x = torch.linspace(-2, 2, 12).double().view(3, 4)
    torch.testing.assert_close(mirror(x), activation.double()(x))
    torch.testing.assert_close(mirror.mirror(mirror(x)), x)
    assert mirror.mirror(torch.tensor([[-3.0, 0.0, 1.0, 3.0]]).double()).isfinite().all()


@pytest.mark.parametrize(
    "activation", [nn.ReLU(), nn.SiLU(), nn.GELU()], ids=lambda module: type(module).__name__
)
def test_folding_activations_get_a_right_inverse(activation):
    mirror = mirror_of(activation, PseudoInverse(), (4,)).double()
    y = torch.tensor([[0.0, 0.3, 1.0, 20.0]]).double()
    torch.testing.assert_close(mirror(mirror.mirror(y)), y)
    torch.testing.assert_close(mirror(y - 1), activation(y - 1))
    assert mirror.mirror(y - 5).isfinite().all()


def test_leaky_range_keeps_the_laws_of_a_bijection():
    check_bijection(LeakyRange(-0.5, 0.7, 0.1), torch.randn(3, 4))


def test_leaky_range_is_the_identity_inside_and_almost_a_clamp_backwards():
    layer, x = LeakyRange(0.0, 1.0, 1e-3), torch.rand(2, 5)
    assert torch.equal(layer(x), x)
    torch.testing.assert_close(layer.inverse(5 * x - 2), (5 * x - 2).clamp(0, 1), atol=3e-3, rtol=0)


@pytest.mark.parametrize("arguments", [(1.0, 0.0), (0.0, 1.0, 0.0), (0.0, 1.0, 2.0), (0.0, float("inf"))])
def test_impossible_ranges_are_refused(arguments):
    with pytest.raises(ValueError, match="wanted low < high"):
        LeakyRange(*arguments)


@pytest.mark.parametrize(
    "module", [nn.ReLU6(), nn.MaxPool2d(2), nn.Hardtanh(), nn.LeakyReLU(-0.1), layers.Sine()]
)
def test_layers_without_a_mirror_image_are_refused(module):
    with pytest.raises(NotInvertibleError, match="palindrome"):
        mirror_of(module, PseudoInverse(), (4, 4))


@pytest.mark.parametrize(
    ("convolution", "shape"),
    [
        (nn.Conv2d(1, 4, 3), (1, 9, 9)),
        (nn.Conv1d(1, 2, 2, stride=2), (1, 5)),
        (nn.Conv1d(2, 2, 2, 2, 0, 1, 2), (2, 4)),
    ],
)
def test_orthonormal_refuses_windows_that_overlap_or_do_not_fit(convolution, shape):
    with pytest.raises(NotInvertibleError, match="windows"):
        mirror_of(convolution, Orthonormal(), shape)


def test_a_layer_of_your_own_can_be_registered():
    class Cube(nn.Module):
        def forward(self, x):
            return x**3

    class CubeMirror(Mirror):
        def forward(self, x):
            return x**3

        def mirror(self, y):
            return y.sign() * y.abs() ** (1 / 3)

    mirror_of.register(Cube, lambda module, tie, shape: CubeMirror())
    network = palindrome(nn.Sequential(Cube(), nn.Linear(3, 3)).double(), torch.zeros(1, 3))
    x = torch.randn(4, 3).double()
    torch.testing.assert_close(network(x), x, rtol=1e-6, atol=1e-8)
