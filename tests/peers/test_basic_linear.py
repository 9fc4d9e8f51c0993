"""Linear maps of the features, 1 x 1 convolutions and permutations against every peer that has them."""

import math

import pytest
import torch
from torch import Tensor, nn

from peers.compare import from_freia, from_nflows, from_normflows, from_torchflows, from_zuko, randomise
from preimage import Chain
from preimage.layers import Dense, LULinear, Orthogonal, Permutation, SVDLinear


def lu_layer(lower: Tensor, upper: Tensor, bias: Tensor | None = None) -> LULinear:
    """Ours with these factors: L unit lower, U upper with a positive diagonal."""
    layer = LULinear(len(lower), bias=bias is not None)
    with torch.no_grad():
        layer.factors.copy_(lower.tril(-1) + upper.triu(1) + upper.diagonal().log().diag())
        if bias is not None:
            layer.bias.copy_(bias)
    return layer


def reflections(vectors: Tensor, reverse: bool = True) -> Orthogonal:
    """Ours with these reflections; peers apply the first vector first, we write W = H_1 ... H_m."""
    layer = Orthogonal(vectors.shape[1], len(vectors), bias=False, determinant=(-1) ** len(vectors))
    with torch.no_grad():
        layer.vectors.copy_(vectors.flip(0) if reverse else vectors)
    return layer


def set_bias(layer: nn.Module, bias: Tensor) -> nn.Module:
    with torch.no_grad():
        layer.bias.copy_(bias)
    return layer


def test_nflows_lu(agree) -> None:
    transforms = pytest.importorskip("nflows.transforms")
    peer = randomise(transforms.LULinear(5))
    lower, upper = peer._create_lower_upper()
    agree(lu_layer(lower, upper, peer.bias), from_nflows(peer), torch.randn(6, 5))


def test_nflows_one_by_one_convolution(agree) -> None:
    transforms = pytest.importorskip("nflows.transforms")
    peer = randomise(transforms.OneByOneConvolution(5))
    lower, upper = peer._create_lower_upper()
    ours = Chain(Permutation(peer.permutation._permutation), lu_layer(lower, upper, peer.bias))
    agree(ours, from_nflows(peer), torch.randn(3, 5, 4, 3), layer="Permutation and LULinear")


@pytest.mark.parametrize("count", [2, 5])
def test_nflows_householder(agree, count: int) -> None:
    transforms = pytest.importorskip("nflows.transforms")
    peer = randomise(transforms.HouseholderSequence(5, count))
    agree(reflections(peer.q_vectors), from_nflows(peer), torch.randn(6, 5))


def test_nflows_svd(agree) -> None:
    transforms = pytest.importorskip("nflows.transforms")
    peer = randomise(transforms.SVDLinear(4, num_householder=4))
    ours = set_bias(SVDLinear(4), peer.bias)
    ours.left = reflections(peer.orthogonal_1.q_vectors)
    ours.right = reflections(peer.orthogonal_2.q_vectors)
    half = math.log(1e4) / 2
    with torch.no_grad():
        ours.raw_scale.copy_(half * torch.atanh(peer.log_diagonal / half))
    agree(ours, from_nflows(peer), torch.randn(6, 4))


def test_nflows_naive(agree, monkeypatch) -> None:
    """Its inverse calls a function that PyTorch no longer has: the same as it was goes in its place."""
    linear = pytest.importorskip("nflows.transforms.linear")
    solve = lambda b, a: (torch.linalg.solve(a, b), torch.linalg.lu_factor(a).LU)  # noqa: E731
    monkeypatch.setattr(torch, "solve", solve)
    peer = randomise(linear.NaiveLinear(5, orthogonal_initialization=False))
    ours = set_bias(Dense(5), peer.bias)
    with torch.no_grad():
        ours.weight.copy_(peer._weight)
    agree(ours, from_nflows(peer), torch.randn(6, 5), tolerance=1e-11)


def test_nflows_permutation(agree) -> None:
    transforms = pytest.importorskip("nflows.transforms")
    peer = transforms.RandomPermutation(5)
    agree(Permutation(peer._permutation), from_nflows(peer), torch.randn(6, 5))


@pytest.mark.parametrize("use_lu", [False, True])
def test_normflows_one_by_one_convolution(agree, use_lu: bool) -> None:
    """Theirs stores the matrix of the direction to the latent, which is its inverse."""
    normflows = pytest.importorskip("normflows")
    peer = randomise(normflows.flows.Invertible1x1Conv(4, use_lu).double(), 0.1)
    matrix = (peer._assemble_W() if use_lu else peer.W).detach().reshape(4, 4)
    ours = LULinear.from_matrix(matrix, bias=False)
    agree(ours, from_normflows(peer), torch.randn(3, 4, 2, 5), tolerance=1e-11)


def test_normflows_lu_and_permutation(agree) -> None:
    normflows = pytest.importorskip("normflows")
    peer = randomise(normflows.flows.LULinearPermute(5))
    lower, upper = peer.linear._create_lower_upper()
    ours = Chain(Permutation(peer.permutation._permutation), lu_layer(lower, upper, peer.linear.bias))
    agree(ours, from_normflows(peer), torch.randn(6, 5), layer="Permutation and LULinear")


@pytest.mark.parametrize("mode", ["shuffle", "swap"])
def test_normflows_permute(agree, mode: str) -> None:
    normflows = pytest.importorskip("normflows")
    peer = normflows.flows.Permute(4, mode)
    order = peer.inv_perm if mode == "shuffle" else torch.tensor([2, 3, 0, 1])
    agree(Permutation(order), from_normflows(peer), torch.randn(6, 4, 3))


def test_freia_permutation(agree) -> None:
    modules = pytest.importorskip("FrEIA.modules")
    peer = modules.PermuteRandom([(5, 3, 3)])
    agree(Permutation(peer.perm), from_freia(peer), torch.randn(2, 5, 3, 3))


def test_freia_fixed_linear(agree) -> None:
    modules = pytest.importorskip("FrEIA.modules")
    matrix, shift = torch.randn(4, 4), torch.randn(4)
    peer = modules.FixedLinearTransform([(4,)], M=matrix, b=shift)
    ours = set_bias(LULinear.from_matrix(matrix), shift)
    agree(ours, from_freia(peer), torch.randn(6, 4), tolerance=1e-11)


def test_freia_fixed_convolution(agree) -> None:
    """Theirs multiplies by the transpose of the matrix that it is given."""
    modules = pytest.importorskip("FrEIA.modules")
    matrix = torch.randn(4, 4)
    peer = modules.Fixed1x1Conv([(4, 3, 3)], M=matrix)
    ours = LULinear.from_matrix(matrix.mT, bias=False)
    agree(ours, from_freia(peer), torch.randn(2, 4, 3, 3), tolerance=1e-11)


@pytest.mark.parametrize("count", [2, 4])
def test_freia_householder(agree, count: int) -> None:
    """Theirs multiplies rows by H_1 ... H_m, which is ours in the opposite order."""
    modules = pytest.importorskip("FrEIA.modules")
    peer = randomise(modules.HouseholderPerm([(5,)], n_reflections=count))
    agree(reflections(peer.Vs), from_freia(peer), torch.randn(6, 5))


def test_freia_orthogonal_transform(agree) -> None:
    modules = pytest.importorskip("FrEIA.modules")
    peer = modules.OrthogonalTransform([(5,)])
    scale = peer._log_e(peer.scaling).exp().detach()
    ours = LULinear.from_matrix((peer.weights * scale).mT.detach())
    set_bias(ours, (peer.bias * scale)[0])
    agree(ours, from_freia(peer), torch.randn(6, 5))


def test_zuko_lu(agree) -> None:
    """Theirs keeps the diagonal in L: it moves into U by dividing columns and multiplying rows."""
    transforms = pytest.importorskip("zuko.transforms")
    packed = 0.3 * torch.randn(5, 5) + torch.eye(5)
    matrix = packed.tril() @ (packed.triu(1) + torch.eye(5))
    peer = from_zuko(lambda _: transforms.LULinearTransform(packed))
    agree(LULinear.from_matrix(matrix, bias=False), peer, torch.randn(6, 5), tolerance=1e-11)


def test_zuko_rotation(agree) -> None:
    transforms = pytest.importorskip("zuko.transforms")
    skew = torch.randn(5, 5)
    ours = Orthogonal.from_matrix(torch.linalg.matrix_exp(skew - skew.mT), bias=False)
    agree(ours, from_zuko(lambda _: transforms.RotationTransform(skew)), torch.randn(6, 5))


def test_zuko_permutation(agree) -> None:
    transforms = pytest.importorskip("zuko.transforms")
    order = torch.tensor([3, 1, 4, 0, 2])
    agree(Permutation(order), from_zuko(lambda _: transforms.PermutationTransform(order)), torch.randn(6, 5))


def test_torchflows_lu(agree) -> None:
    matrix = pytest.importorskip("torchflows.bijections.finite.matrix")
    peer = randomise(matrix.LUMatrix((5,)))
    ours = lu_layer(peer.lower.compute_matrix(), peer.upper.compute_matrix())
    agree(ours, from_torchflows(peer), torch.randn(6, 5))


def test_torchflows_householder(agree) -> None:
    matrix = pytest.importorskip("torchflows.bijections.finite.matrix")
    peer = randomise(matrix.HouseholderProductMatrix((5,), n_factors=3))
    agree(reflections(peer.v), from_torchflows(peer), torch.randn(6, 5))


def test_torchflows_permutation(agree) -> None:
    matrix = pytest.importorskip("torchflows.bijections.finite.matrix")
    peer = matrix.RandomPermutationMatrix((5,))
    agree(Permutation(peer.forward_permutation), from_torchflows(peer), torch.randn(6, 5))
