"""Prescribed answers of EfficientNet-Lite0: which can be reached at all, which are, to what precision.

    python benchmarks/prescribed_logits.py               # writes results/prescribed_logits.json
    python benchmarks/prescribed_logits.py --targets 3   # a quick look
    python benchmarks/prescribed_logits.py --cone-only   # what can be reached at all, without the searches

1. *All 1000 logits.* They are W p + b with pooled features p >= 0, so whether any input at all can have given
   logits is bounded by non-negative least squares: a positive distance is a proof that there is none.
2. *Ten logits*, the others free: one-hot, random, or interpolated between those of two photographs.
3. *Probabilities*: 95 % for one class, or 60 % and 30 % for two; the others share the rest as they like.

Starts are smooth noise. A target counts as reached at a relative residual of 1e-5 in a new forward pass. The
network at 128 pixels, since that is what many targets allow; `--size 224` is the size it was trained at.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import Tensor

import preimage as pi
from preimage import zoo
from preimage.inverse.preimages import Gaussian, SomeOutputs, SomeProbabilities, Target

RESULT = Path(__file__).parent / "results" / "prescribed_logits.json"
GOAL = 1e-5


def outputs_of_photographs(network: zoo.Network) -> Tensor:
    pictures = torch.stack([network.preprocess(p.read()) for p in zoo.pictures("demo")])
    return network.module(pictures)


def attainable(network: zoo.Network, own: Tensor, count: int) -> dict:
    """Relative distances of targets from ``{W p + b : p >= 0}``; of the first of a kind also up to a constant."""
    layer = network.module.get_submodule("_fc")
    weight, bias = layer.weight.double(), layer.bias.double()
    generator, spread = torch.Generator().manual_seed(0), own.std().double()
    share = torch.rand(count, 1, generator=generator).double()
    places = torch.arange(count)
    kinds = {
        "one-hot": torch.eye(1000).double()[places * (1000 // count)],
        "random": spread * torch.randn(count, 1000, generator=generator).double(),
        "interpolated": share * own[places % len(own)] + (1 - share) * own[(places + 1) % len(own)],
    }
    ones = torch.ones(1000, 1).double()
    free = torch.cat([weight, ones, -ones], 1)
    return {
        name: {
            "exactly": [distance(weight, bias, row) for row in y.double()],
            "up to a constant": distance(free, bias, y[0].double()),
        }
        for name, y in kinds.items()
    }


def distance(cone: Tensor, bias: Tensor, y: Tensor) -> float:
    """Least ``|A p + b - y| / |y|`` over p >= 0."""
    from scipy.optimize import nnls

    return nnls(cone.numpy(), (y - bias).numpy(), maxiter=20000)[1] / y.norm().item()


def targets(own: Tensor, count: int) -> dict[str, list[Target]]:
    """One target of a sample each, by kind."""
    generator = torch.Generator().manual_seed(1)
    kinds: dict[str, list[Target]] = {
        name: [] for name in ("ten, one-hot", "ten, random", "ten, interpolated")
    }
    kinds |= {name: [] for name in ("probabilities, one class", "probabilities, two classes")}
    for n in range(count):
        chosen = torch.randperm(1000, generator=generator)[:10].tolist()
        random = own.std() * torch.randn(1, 10, generator=generator)
        first, second = own[n % len(own)], own[(n + 1) % len(own)]
        share = torch.rand(1, generator=generator)
        between = (share * first + (1 - share) * second)[chosen][None]
        kinds["ten, one-hot"].append(SomeOutputs(chosen, torch.eye(10)[n % 10 : n % 10 + 1]))
        kinds["ten, random"].append(SomeOutputs(chosen, random))
        kinds["ten, interpolated"].append(SomeOutputs(chosen, between))
        one, two = torch.tensor([[0.95]]), torch.tensor([[0.6, 0.3]])
        kinds["probabilities, one class"].append(SomeProbabilities(chosen[:1], one))
        kinds["probabilities, two classes"].append(SomeProbabilities(chosen[:2], two))
    return kinds


def measure(network: zoo.Network, inverse: pi.Inverse, target: Target, seed: int) -> dict:
    prior = Gaussian.smooth(inverse.graph.input_shapes[0])
    noise = torch.randn(1, *inverse.graph.input_shapes[0], generator=torch.Generator().manual_seed(seed))
    begun = time.process_time()
    x, _ = inverse.solve(target, start=0.5 * prior.metric.root(noise), tol=GOAL, max_products=200)
    seconds = time.process_time() - begun
    seen = target.see(network.module(x))
    error = ((seen - target.wanted).norm() / target.wanted.norm()).item()
    return {"residual": error, "cpu_seconds": seconds, "largest_pixel": x.abs().max().item()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--targets", type=int, default=10, help="of each kind")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--result", type=Path, default=RESULT)
    parser.add_argument("--cone-only", action="store_true", help="part 1 alone; the rest as it was measured")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = zoo.load("efficientnet-lite0", size=arguments.size)
    inverse, own = pi.invert(network.module, network.example), outputs_of_photographs(network)
    cone = attainable(network, own, arguments.targets)
    if arguments.cone_only:
        found = {**json.loads(arguments.result.read_text()), "attainable": cone}
        arguments.result.write_text(json.dumps(found, indent=1) + "\n")
        return
    found = {"size": arguments.size, "goal": GOAL, "attainable": cone, "kinds": {}}
    for n in range(arguments.targets):
        for kind, asked in targets(own, arguments.targets).items():
            found["kinds"].setdefault(kind, []).append(measure(network, inverse, asked[n], n))
            print(kind, found["kinds"][kind][-1], flush=True)
        arguments.result.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
