"""One flow, three ways to train it, judged from both sides.

    python examples/both_ways.py --steps 300

Two half circles with noise. The flow is trained by likelihood, by two critics (one compares samples with
data, the other encoded data with latents), and by both together. Printed are the negative log-likelihood
of new data, how far encoded data are from the latents that the flow assumes (nats, by nearest neighbours),
and how well a classifier tells samples from data (0.5: not at all).
"""

import argparse
import math
from typing import Any

import torch
from torch import Tensor

from preimage import flows
from preimage.flows import Flow, check_latents, classifier_divergence
from preimage.flows.adversarial import FlatCritic, fit_both_ways


def moons(rows: int) -> Tensor:
    """Two half circles that reach into each other (N, 2)."""
    angle, side = math.pi * torch.rand(rows), (torch.rand(rows) < 0.5).float()
    outer = torch.stack([angle.cos(), angle.sin()], dim=1)
    inner = torch.stack([1 - angle.cos(), 0.5 - angle.sin()], dim=1)
    return torch.lerp(outer, inner, side[:, None]) + 0.1 * torch.randn(rows, 2)


def by_likelihood(flow: Flow, x: Tensor, **settings: Any) -> None:
    flow.fit(x, **settings)


def by_critics(flow: Flow, x: Tensor, **settings: Any) -> None:
    fit_both_ways(flow, x, likelihood=0.0, critic=FlatCritic(2, (64, 64)), **settings)


def by_all(flow: Flow, x: Tensor, **settings: Any) -> None:
    fit_both_ways(flow, x, likelihood=1.0, critic=FlatCritic(2, (64, 64)), **settings)


def main(given: list[str] | None = None) -> dict[str, dict[str, float]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rows", type=int, default=4000)
    options = parser.parse_args(given)

    torch.manual_seed(0)
    x, new = moons(options.rows), moons(1000)
    found = {}
    print(f"{'trained by':12} {'NLL':>7} {'latents':>8} {'told apart':>11}")
    for name, train in (("likelihood", by_likelihood), ("critics", by_critics), ("both", by_all)):
        torch.manual_seed(1)
        flow = flows.nsf_coupling(2, transforms=3, hidden_features=(32, 32))
        train(flow, x, steps=options.steps, batch_size=128, learning_rate=3e-3, progress=False)
        flow.eval()
        with torch.no_grad():
            row = {
                "NLL": -flow.log_prob(new).mean().item(),
                "latents": check_latents(flow, new).neighbours,
                "told apart": classifier_divergence(
                    new, flow.sample(1000), epochs=20, progress=False
                ).accuracy,
            }
        print(f"{name:12} {row['NLL']:7.3f} {row['latents']:8.3f} {row['told apart']:11.3f}")
        found[name] = row
    return found


if __name__ == "__main__":
    main()
