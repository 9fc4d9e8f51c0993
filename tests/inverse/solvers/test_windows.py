"""Windows are cut out and added up as the convolution reads them."""

import pytest
import torch

from preimage.inverse import linear as li
from preimage.inverse.solvers.windows import Patches, Windows, unfolding


@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 1, 1), (2, [(0, 1), (2, 0)], 1), (3, 0, 2)])
def test_patches_are_the_one_hot_convolution(stride, padding, dilation):
    weight = torch.randn(5, 2, 3, 2, dtype=torch.float64)
    convolution = li.Convolution(weight, (2, 11, 10), stride, padding, dilation=dilation)
    fast, plain = Patches(convolution), unfolding(convolution)
    x = torch.randn(3, *fast.in_shape, dtype=torch.float64)
    v = torch.randn(3, *fast.out_shape, dtype=torch.float64)
    assert fast.out_shape == plain.out_shape
    assert torch.equal(fast.apply(x), plain.apply(x))
    assert torch.allclose(fast.adjoint(v), plain.adjoint(v), atol=1e-12)


@pytest.mark.parametrize("groups", [1, 2])
def test_matrix_times_window_is_the_convolution(groups):
    weight = torch.randn(6, 4 // groups, 3, 3, dtype=torch.float64)
    convolution = li.Convolution(weight, (4, 7, 6), 2, 1, groups=groups)
    windows = Windows(convolution)
    x = torch.randn(2, 4, 7, 6, dtype=torch.float64)
    want = windows.outputs(convolution.apply(x))
    assert torch.allclose(windows.inputs(x) @ windows.matrix.mT, want, atol=1e-12)
