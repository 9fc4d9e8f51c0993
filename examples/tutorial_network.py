"""A tour of the layers in one invertible network: run it, run it backwards, and check both.

    python examples/tutorial_network.py --rows 10 --seed 0

Ten numbers pass through orthogonal, diagonal and nonlinear layers, meet ten more at a side entrance, and
leave through couplings. Prints, layer by layer, the log-determinant and how exactly the layer is undone; then
the same for the whole network, with autograd's Jacobian as the judge. Everything is in float64.
"""

import argparse

import torch
from torch import Tensor, nn

from preimage import Bijection, Chain
from preimage.layers import (
    AffineMap,
    Baird,
    Concatenate,
    Coupling,
    Diagonal,
    LeakyReLU,
    Orthogonal,
    Parallel,
    Permutation,
    SlicePartition,
)
from preimage.nets import MLP

EVEN_THEN_ODD = [*range(0, 20, 2), *range(1, 20, 2)]


def build() -> Chain:
    """The network: a tuple of x (N, 10) and a side input (N, 10) becomes one tensor (N, 20)."""
    first = Chain(
        Orthogonal(10),
        Diagonal(10),
        Orthogonal(10),
        Baird(10),
        Orthogonal(10),
        Permutation(range(9, -1, -1)),
    )
    return Chain(
        Parallel(first, Chain()),  # x passes; the side input waits
        Concatenate([10, 10]),
        Diagonal(20),
        Permutation(EVEN_THEN_ODD),
        Coupling(SlicePartition(20, keep=8), MLP(8, 24, (32,)), AffineMap(bound=1.0)),
        Permutation(EVEN_THEN_ODD),
        Coupling(SlicePartition(20, keep=12), MLP(12, 16, (32,)), AffineMap(bound=1.0)),
        Orthogonal(20),
        LeakyReLU(0.1),
    ).double()


def flat(value: Tensor | tuple[Tensor, ...]) -> Tensor:
    return torch.cat(value, dim=1) if isinstance(value, tuple) else value


def undone(layer: Bijection, value: Tensor | tuple[Tensor, ...]) -> float:
    """The largest difference after forward and back."""
    return (flat(layer.inverse(layer(value))) - flat(value)).abs().max().item()


def autograd_log_det(net: Chain, x: Tensor, side: Tensor) -> Tensor:
    """log abs det of the Jacobian of every row (N,), from one dense matrix each."""

    def one_row(joined: Tensor) -> Tensor:
        return net((joined[None, :10], joined[None, 10:]))[0]

    matrices = torch.stack([torch.func.jacrev(one_row)(row) for row in torch.cat([x, side], dim=1)])
    return torch.linalg.slogdet(matrices).logabsdet


def members(net: Chain) -> list[Bijection]:
    """The layers as listed in the description; those of the first stream act beside the waiting input."""
    stream, *rest = list(net)
    assert isinstance(stream, Parallel)
    inner = stream.members[0]
    assert isinstance(inner, Chain)
    return [*(Parallel(layer, Chain()) for layer in inner), *rest]


def name(layer: Bijection) -> str:
    return type(layer.members[0] if isinstance(layer, Parallel) else layer).__name__


def report_layers(net: Chain, value: Tensor | tuple[Tensor, ...]) -> None:
    print(f"{'layer':14} {'log_det of row 0':>17} {'round trip':>12}")
    for layer in members(net):
        error = undone(layer, value)
        value, log_det = layer.forward_and_log_det(value)
        print(f"{name(layer):14} {log_det[0].item():17.6f} {error:12.1e}")


@torch.no_grad()
def main(given: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(given)

    torch.manual_seed(options.seed)
    net = build()
    for parameter in net.parameters():  # away from the identity that most layers start as
        nn.init.normal_(parameter, std=0.3)
    x = torch.randn(options.rows, 10, dtype=torch.float64)
    side = torch.randn(options.rows, 10, dtype=torch.float64)

    report_layers(net, (x, side))
    y, log_det = net.forward_and_log_det((x, side))
    (_, side_again), certificate = net.certified_inverse(y)
    figures = {
        "round trip": undone(net, (x, side)),
        "side input": (side_again - side).abs().max().item(),
        "inverse then forward": (net(net.inverse(y)) - y).abs().max().item(),
        "log_det against autograd": (log_det - autograd_log_det(net, x, side)).abs().max().item(),
        "log_det both ways": (log_det + net.inverse_and_log_det(y)[1]).abs().max().item(),
    }
    print()
    for key, value in figures.items():
        print(f"{key:26} {value:.1e}")
    print(f"{'certificate':26} {certificate}")
    return figures


if __name__ == "__main__":
    main()
