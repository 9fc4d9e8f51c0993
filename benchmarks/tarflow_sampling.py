"""Claim: sampling from an autoregressive transformer flow need not run the network once for every token.

Setting: TarFlow of 4 blocks (width 96, 2 layers, 4 heads) on 32 x 32 colour crops of packaged photographs in
patches of 4 x 4, so 64 tokens a block; trained for some steps (Adam), so that tokens depend on each other as
they do in a flow in use; 1 and 16 samples, float32, one thread. Process time of sampling (the inverse of the whole
flow) over that of computing densities (forward), medians of interleaved rounds: the whole network again for
every token; tokens seen so far again for every token; keys and values remembered; and blocks of tokens solved
together by sweeps. Passes are sequential steps a block, of at most 64; differences are against token by token.
The photographs of the crops are those of the calibration split; nothing was chosen on them.

    python benchmarks/tarflow_sampling.py [--steps 200] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from preimage import Chain, zoo
from preimage.layers import Autoregressive, CausalTransformer, tarflow
from preimage.layers.attention.attend import attend_to_earlier

RESULTS = Path(__file__).parent / "results" / "tarflow_sampling.json"
SIDE, PATCH = 32, 4
ROWS = (1, 16)
TOGETHER = (4, 16, 63)


def crops(pictures: list[Tensor], count: int, generator: torch.Generator) -> Tensor:
    """Random crops of photographs halved in size, noise of one grey level added, ``(count, 3, 32, 32)``."""
    chosen = []
    for _ in range(count):
        picture = pictures[int(torch.randint(len(pictures), (), generator=generator))]
        top, left = (int(torch.randint(size - SIDE, (), generator=generator)) for size in picture.shape[1:])
        chosen.append(picture[:, top : top + SIDE, left : left + SIDE])
    x = torch.stack(chosen)
    return 4 * (x + torch.rand(x.shape, generator=generator) / 256 - 0.5)


def photographs() -> list[Tensor]:
    found = [torch.tensor(p.read()).movedim(-1, 0) / 255 for p in zoo.pictures("calibration")]
    halved = [torch.nn.functional.avg_pool2d(picture, 2) for picture in found]
    return [picture for picture in halved if min(picture.shape[1:]) > SIDE]


def trained(steps: int) -> tuple[Chain, list[float]]:
    """The flow, and its loss in nats per dimension on the way."""
    torch.manual_seed(0)
    flow = tarflow((3, SIDE, SIDE), PATCH, blocks=4, width=96, depth=2, heads=4)
    optimiser = torch.optim.Adam(flow.parameters(), 1e-3)
    generator, pictures, losses = torch.Generator().manual_seed(1), photographs(), []
    for step in range(steps):
        z, log_det = flow.forward_and_log_det(crops(pictures, ROWS[-1], generator))
        loss = (z.square().sum((1, 2, 3)) / 2 - log_det).mean() / z[0].numel()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), 1.0)
        optimiser.step()
        if step % max(steps // 10, 1) == 0 or step == steps - 1:
            losses.append(loss.item())
            print(f"step {step}: {loss.item():.3f}")
    return flow.eval(), losses


def blocks_of(flow: Chain) -> list[Autoregressive]:
    return [layer for layer in flow if isinstance(layer, Autoregressive)]


def network_of(layer: Autoregressive) -> CausalTransformer:
    if not isinstance(layer.net, CausalTransformer):
        raise TypeError(f"got {type(layer.net).__name__}, wanted a causal transformer")
    return layer.net


def inverse_with(flow: Chain, y: Tensor, solve: Callable[[Autoregressive, Tensor], Tensor]) -> Tensor:
    """The inverse of the flow with another way to undo its blocks."""
    for layer in reversed(list(flow)):
        y = solve(layer, y) if isinstance(layer, Autoregressive) else layer.inverse(y)
    return y


def whole_network_again(layer: Autoregressive, y: Tensor) -> Tensor:
    """One run over all tokens for every token."""
    x, net = y, network_of(layer)
    for place in net.order.tolist():
        raw = net(x).flatten(2, 3)[:, :, place]
        solved = layer.element_map.inverse_elements(y.flatten(2)[:, :, place], raw)[0]
        x = x.flatten(2).index_copy(2, torch.tensor([place]), solved[:, :, None]).view_as(y)
    return x


def tokens_so_far_again(layer: Autoregressive, y: Tensor) -> Tensor:
    """One run over the tokens before it for every token: what a causal network without a memory needs."""
    net, tokens = network_of(layer), y.flatten(2)[:, :, network_of(layer).order].mT
    found = [layer.element_map.inverse_elements(tokens[:, :1], net._first(y, None))[0]]
    for index in range(1, tokens.shape[1]):
        hidden = net._embedded(torch.cat(found, 1), 0, None)
        for block in net.blocks:
            hidden = block(hidden, attend_to_earlier)
        raw = net._raw(hidden[:, -1:])
        found.append(layer.element_map.inverse_elements(tokens[:, index : index + 1], raw)[0])
    return net._picture(torch.cat(found, 1))


def together(count: int) -> Callable[[Autoregressive, Tensor], Tensor]:
    def solve(layer: Autoregressive, y: Tensor) -> Tensor:
        network_of(layer).together = count
        return layer.inverse(y)

    return solve


def passes_of(flow: Chain, y: Tensor, count: int) -> list[float]:
    """Mean sequential steps of each block, in the order of sampling."""
    found = []
    for layer in reversed(list(flow)):
        if isinstance(layer, Autoregressive):
            network_of(layer).together = count
            solution = layer.solve(y)
            found.append(solution.passes.float().mean().item())
            y = solution.x
        else:
            y = layer.inverse(y)
    return found


@torch.no_grad()
def measure(flow: Chain, batch: int, rounds: int) -> dict[str, Any]:
    z = torch.randn(batch, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    ways: dict[str, Callable[[Autoregressive, Tensor], Tensor]] = {
        "whole network for every token": whole_network_again,
        "tokens so far for every token": tokens_so_far_again,
        "keys and values remembered": together(1),
        **{f"{count} tokens together": together(count) for count in TOGETHER},
    }
    wanted = inverse_with(flow, z, whole_network_again)
    seconds: dict[str, list[float]] = {"forward": [], **{name: [] for name in ways}}
    for _ in range(rounds):
        start = time.process_time()
        flow(wanted)
        seconds["forward"].append(time.process_time() - start)
        for name, solve in ways.items():
            start = time.process_time()
            inverse_with(flow, z, solve)
            seconds[name].append(time.process_time() - start)
    forward = statistics.median(seconds["forward"])
    rows = {}
    for name, solve in ways.items():
        x = inverse_with(flow, z, solve)
        rows[name] = {
            "ratio": statistics.median(seconds[name]) / forward,
            "difference": ((x - wanted).norm() / wanted.norm()).item(),
            "round trip": ((flow(x) - z).norm() / z.norm()).item(),
        }
    for count in (1, *TOGETHER):
        name = "keys and values remembered" if count == 1 else f"{count} tokens together"
        rows[name]["passes"] = passes_of(flow, z, count)
    return {"forward_seconds": forward, "tokens": (SIDE // PATCH) ** 2, "rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    flow, losses = trained(options.steps)
    report = {"torch": torch.__version__, "steps": options.steps, "losses": losses, "batches": {}}
    for batch in ROWS:
        report["batches"][str(batch)] = found = measure(flow, batch, options.rounds)
        for name, row in found["rows"].items():
            print(batch, name, json.dumps(row))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
