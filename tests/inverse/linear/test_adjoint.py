"""Every linear map has a true adjoint and computes what the module of torch computes."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from preimage.errors import ShapeError
from preimage.inverse import linear as li


def _random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def _defect(linear):
    u, v = _random(2, *linear.in_shape, seed=1), _random(2, *linear.out_shape, seed=2)
    left, right = (linear.apply(u) * v).sum(), (u * linear.adjoint(v)).sum()
    return abs(left - right).item() / (linear.apply(u).norm() * v.norm()).clamp_min(1e-30).item()


GRID = list(itertools.product(range(1, 8), range(1, 5), ((0, 0), (0, 1), (2, 1), (3, 3)), (1, 2), (1, 3)))


@pytest.mark.parametrize("kernel", range(1, 8))
def test_convolution_adjoint_over_the_grid(kernel):
    for _, stride, padding, dilation, groups in (g for g in GRID if g[0] == kernel):
        weight = _random(6, 3 // groups if groups == 3 else 3, kernel, max(1, kernel - 1))
        conv = li.Convolution(
            weight, (3, 15, 14), stride, [padding, padding[::-1]], dilation=dilation, groups=groups
        )
        assert _defect(conv) <= 1e-11
        want = F.conv2d(
            F.pad(_random(1, 3, 15, 14), (padding[1], padding[0], padding[0], padding[1])),
            weight, None, stride, 0, dilation, groups,
        )  # fmt: skip
        assert torch.allclose(conv.apply(_random(1, 3, 15, 14)), want, atol=1e-11)


@pytest.mark.parametrize(("dimensions", "size"), [(1, (17,)), (3, (7, 6, 5))])
def test_convolution_adjoint_in_one_and_three_dimensions(dimensions, size):
    weight = _random(4, 2, *[3] * dimensions)
    conv = li.Convolution(weight, (2, *size), 2, 1)
    want = (F.conv1d, None, F.conv3d)[dimensions - 1](_random(1, 2, *size), weight, None, 2, 1)
    assert _defect(conv) <= 1e-11
    assert torch.equal(conv.apply(_random(1, 2, *size)), want)


def test_depthwise_convolution_adjoint():
    conv = li.Convolution(_random(5, 1, 5, 5), (5, 9, 11), 2, [(1, 2), (2, 2)], groups=5)
    assert _defect(conv) <= 1e-11


def test_negative_padding_crops():
    conv = li.Convolution(_random(2, 2, 3, 3), (2, 9, 9), 1, [(-1, 1), (0, -2)])
    assert _defect(conv) <= 1e-11
    assert conv.out_shape == (2, 7, 5)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_transposed_convolution_is_the_module(stride, groups):
    module = nn.ConvTranspose2d(
        4, 6, 3, stride, padding=1, output_padding=stride - 1, groups=groups, bias=False
    ).double()
    linear = li.TransposedConvolution(
        module.weight, (4, 5, 6), stride, 1, groups=groups, output_padding=stride - 1
    )
    x = _random(2, 4, 5, 6)
    assert torch.allclose(linear.apply(x), module(x), atol=1e-12)
    assert _defect(linear) <= 1e-11


OTHERS = {
    "dense": li.Dense(_random(5, 3), (4, 3)),
    "scale": li.Scale(_random(3, 1, 1), (3, 4, 4)),
    "pad": li.Pad((3, 5, 4), [(1, -2), (0, 3)]),
    "circular": li.CircularPad((3, 5, 4), [(3, 2), (6, 1)]),
    "replicate": li.ReplicatePad((3, 5, 4), [(3, 2), (1, 0)]),
    "reflect": li.ReflectPad((3, 5, 4), [(3, 2), (1, 0)]),
    "average": li.AveragePool((3, 7, 9), 3, 2, 1),
    "average inside": li.AveragePool((3, 7, 9), 3, 2, 1, count_include_pad=False),
    "adaptive": li.AdaptiveAveragePool((3, 7, 10), (3, 4)),
    "reshape": li.Reshape((3, 4), (2, 6)),
    "permute": li.Permute((3, 4, 5), (2, 0, 1)),
    "identity": li.Identity((3,)),
    "composition": li.Composition([li.Pad((2, 6), [(1, 0)]), li.Convolution(_random(3, 2, 3), (2, 7), 2)]),
}


@pytest.mark.parametrize("name", OTHERS)
def test_adjoint_and_dense_matrix_agree(name):
    linear = OTHERS[name]
    matrix = linear.dense()
    v = _random(2, *linear.out_shape)
    assert _defect(linear) <= 1e-11
    assert torch.allclose(linear.adjoint(v).flatten(1), v.flatten(1) @ matrix, atol=1e-12)


MODULES = {
    "circular": lambda x: F.pad(x, (1, 1, 2, 2), mode="circular"),
    "replicate": lambda x: F.pad(x, (1, 0, 3, 2), mode="replicate"),
    "reflect": lambda x: F.pad(x, (1, 0, 3, 2), mode="reflect"),
    "average": nn.AvgPool2d(3, 2, 1),
    "average inside": nn.AvgPool2d(3, 2, 1, count_include_pad=False),
    "adaptive": nn.AdaptiveAvgPool2d((3, 4)),
    "permute": lambda x: x.permute(0, 3, 1, 2),
}


@pytest.mark.parametrize("name", MODULES)
def test_values_are_those_of_torch(name):
    linear = li.CircularPad((3, 5, 4), [(2, 2), (1, 1)]) if name == "circular" else OTHERS[name]
    x = _random(2, *linear.in_shape)
    assert torch.allclose(linear.apply(x), MODULES[name](x), atol=1e-12)


def test_weights_are_references_and_versions_see_changes():
    weight = torch.ones(2, 2)
    linear = li.Dense(weight)
    before = linear.versions()
    weight.mul_(2)
    assert linear.weight is weight
    assert linear.versions() != before
    assert linear.apply(torch.ones(1, 2))[0, 0] == 4


def test_wrong_shapes_say_what_was_wanted():
    conv = li.Convolution(torch.ones(1, 1, 3), (1, 5))
    with pytest.raises(ShapeError, match=r"takes a tensor \(N, 1, 5\); got \(1, 5\)"):
        conv.apply(torch.ones(1, 5))
    with pytest.raises(ShapeError, match="floating point"):
        conv.apply(torch.ones(1, 1, 5, dtype=torch.long))
    with pytest.raises(ShapeError, match="does not fit"):
        li.Convolution(torch.ones(1, 1, 9), (1, 5))
    with pytest.raises(ShapeError, match="cannot follow"):
        li.Composition([conv, conv])
    with pytest.raises(ShapeError, match="no order"):
        li.Permute((2, 2), (0, 0))
