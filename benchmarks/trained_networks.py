"""Small networks trained on the digits of scikit-learn, then inverted from the last tokens or features.

    python benchmarks/trained_networks.py             # trains and inverts, writes results/trained_networks.json
    python benchmarks/trained_networks.py --pictures 2

Three architectures as they are used at full size: a pre-norm vision transformer (2x2 patches, 16 tokens of 32
numbers, GELU), a residual network (batch norm, ReLU), and an inverted bottleneck network with squeeze-and-excite,
SiLU and global average pooling. Test pictures are never trained on. The inverse is data-free. Every block is
inverted alone from its true output, then the whole network from the output of its last block and of its head.
PSNR is relative to the range of the pictures, 1; residual is |f(g(y)) - y| / |y|.
"""

import argparse
import json
import math
import time
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import preimage as pi

RESULT = Path(__file__).parent / "results" / "trained_networks.json"
PIXELS, CLASSES = 8, 10


class TransformerBlock(nn.Module):
    """Attention and MLP, each behind a layer norm and added to the residual stream."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.heads, self.qkv, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def attend(self, x: Tensor) -> Tensor:
        n, tokens, width = x.shape
        q, k, v = self.qkv(x).view(n, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.out(mixed.transpose(1, 2).reshape(n, tokens, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attend(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    """2x2 patches, learned positions, four blocks, mean of the tokens."""

    def __init__(self, width: int = 32, depth: int = 4) -> None:
        super().__init__()
        self.patch = nn.Conv2d(1, width, 2, stride=2)
        self.position = nn.Parameter(0.02 * torch.randn(1, 16, width))
        self.blocks = nn.ModuleList(TransformerBlock(width, 4) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2) + self.position
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(1))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.body(x)).relu()


class ResidualNetwork(nn.Module):
    """A stem and three blocks without down-sampling, as in the first stage of a residual network."""

    def __init__(self, width: int = 12, depth: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.blocks = nn.ModuleList(BasicBlock(width) for _ in range(depth))
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((2, 3)))


class SqueezeExciteBlock(nn.Module):
    """Expansion, depthwise convolution, gate and projection, added to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = 4 * width
        self.expand = nn.Sequential(
            nn.Conv2d(width, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.SiLU()
        )
        self.depthwise = nn.Sequential(
            nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.SiLU(),
        )
        self.squeeze, self.excite = nn.Conv2d(hidden, width, 1), nn.Conv2d(width, hidden, 1)
        self.project = nn.Sequential(nn.Conv2d(hidden, width, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        z = self.depthwise(self.expand(x))
        gate = self.excite(nn.functional.silu(self.squeeze(z.mean((2, 3), keepdim=True)))).sigmoid()
        return x + self.project(z * gate)


class SqueezeExciteNetwork(nn.Module):
    """A stem, two gated blocks, a global average pool."""

    def __init__(self, width: int = 12, depth: int = 2) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.SiLU()
        )
        self.blocks = nn.ModuleList(SqueezeExciteBlock(width) for _ in range(depth))
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((2, 3)))


NETWORKS = {
    "vision transformer": VisionTransformer,
    "residual network": ResidualNetwork,
    "squeeze-excite, SiLU, average pool": SqueezeExciteNetwork,
}


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pictures ``(N, 1, 8, 8)`` between 0 and 1, and classes; the last 297 are for testing."""
    data = load_digits()
    x = torch.tensor(data.images, dtype=torch.float32)[:, None] / 16
    y = torch.tensor(data.target)
    return x[:1500], y[:1500], x[1500:], y[1500:]


def train(network: nn.Module, epochs: int) -> float:
    """Adam with a cosine schedule; returns the accuracy on the test pictures."""
    x, y, x_test, y_test = digits()
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    network.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(100):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
            optimiser.step()
        schedule.step()
    network.eval()
    with torch.no_grad():
        return (network(x_test).argmax(1) == y_test).double().mean().item()


def features(network: nn.Module, x: Tensor) -> list[Tensor]:
    """Inputs and output of the blocks: what goes into the first, comes out of it, and so on."""
    values: list[Tensor] = []
    hooks = [network.blocks[0].register_forward_pre_hook(lambda _, given: values.append(given[0]))]
    hooks += [
        block.register_forward_hook(lambda _, __, made: values.append(made)) for block in network.blocks
    ]
    with torch.no_grad():
        network(x)
    for hook in hooks:
        hook.remove()
    return values


def decibels(answer: Tensor, truth: Tensor, span: float = 1.0) -> list[float]:
    error = (answer - truth).double().square().flatten(1).mean(1).clamp_min(1e-30)
    return [round(10 * math.log10(span**2 / e.item()), 1) for e in error]


def invert_blocks(network: nn.Module, x: Tensor) -> list[dict[str, object]]:
    """Each block alone: from its true output back to its input."""
    values, rows = features(network, x), []
    for index, block in enumerate(network.blocks):
        begun = time.process_time()
        inverse = pi.invert(block, values[index])
        found, certificate = inverse.data_free(values[index + 1])
        seconds = time.process_time() - begun
        error = (found - values[index]).flatten(1).norm(dim=1) / values[index].flatten(1).norm(dim=1)
        rows.append(
            {
                "block": index,
                "guarantee": inverse.plan().guarantee.value,
                "regions": [region.kind for region in inverse.plan().regions],
                "residual": certificate.residual.max().item(),
                "solved": int((certificate.residual <= 1e-6).sum()),
                "input_error": error.max().item(),
                "input_error_median": error.median().item(),
                "cpu_seconds": round(seconds, 2),
            }
        )
    return rows


def invert_from(network: nn.Module, x: Tensor, tap: str | None) -> dict[str, object]:
    """The picture from a tap, with both round trips."""
    inverse = pi.invert(network, x)
    name = "output" if tap is None else tap
    y = network(x).detach() if tap is None else inverse.features(x, [tap])[tap]
    begun = time.process_time()
    found, certificate = inverse.data_free(y, tap)
    seconds = time.process_time() - begun
    quality = decibels(found, x)
    return {
        "tap": name,
        "guarantee": inverse.plan(tap).guarantee.value,
        "psnr": quality,
        "psnr_worst": min(quality),
        "residual": certificate.residual.max().item(),
        "message": certificate.message,
        "cpu_seconds": round(seconds, 2),
    }


def measure(name: str, pictures: int, epochs: int) -> dict[str, object]:
    torch.manual_seed(0)
    network = NETWORKS[name]()
    begun = time.process_time()
    accuracy = train(network, epochs)
    seconds = time.process_time() - begun
    network = network.double()
    x = digits()[2][:pictures].double()
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        "accuracy": round(accuracy, 4),
        "training_seconds": round(seconds, 1),
        "blocks": invert_blocks(network, x),
        "from_last_block": invert_from(network, x, f"blocks.{len(network.blocks) - 1}"),
        "from_output": invert_from(network, x, None),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    result: dict[str, object] = {
        "command": f"python benchmarks/trained_networks.py --pictures {arguments.pictures}",
        "torch": torch.__version__,
        "dtype": "float64",
        "pictures": arguments.pictures,
        "networks": {},
    }
    for name in NETWORKS:
        if arguments.only in name:
            result["networks"][name] = measure(name, arguments.pictures, arguments.epochs)
            print(name, json.dumps(result["networks"][name], indent=1), flush=True)
    if not arguments.only:
        RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
