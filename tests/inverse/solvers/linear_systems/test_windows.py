"""Windows are cut out and added up as the convolution reads them."""

import pytest
import torch

from preimage.inverse import linear as li
from preimage.inverse.solvers.linear_systems.window_rows import WindowRows
from preimage.inverse.solvers.linear_systems.windows import Patches, Windows, unfolding


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


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "dilation", "groups"),
    [
        ((11,), (3,), 2, 1, 2, 1),
        ((9, 8), (3, 2), 2, [(0, 1), (2, 0)], 1, 2),
        ((9, 9), (3, 3), 3, -1, 1, 4),
        ((5, 6, 5), (2, 3, 1), (1, 2, 3), 1, 1, 2),
    ],
)
def test_rows_are_the_windows_with_the_samples_side_by_side(size, kernel, stride, padding, dilation, groups):
    weight = torch.randn(8, 4 // groups, *kernel, dtype=torch.float64)
    convolution = li.Convolution(weight, (4, *size), stride, padding, dilation=dilation, groups=groups)
    rows, windows = WindowRows(convolution), Windows(convolution)
    x = torch.randn(3, 4, *size, dtype=torch.float64)
    cut = rows.cut(x)  # (groups, positions, N, unknowns)
    assert torch.equal(cut.transpose(1, 2).flatten(1, 2), windows.inputs(x))
    v = torch.randn_like(cut)
    want = windows.scatter(v.transpose(1, 2).flatten(1, 2), 3)
    assert torch.allclose(rows.add(v), want, atol=1e-12)
