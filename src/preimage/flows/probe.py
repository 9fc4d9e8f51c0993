"""What a flow answers to a few fixed rows: kept beside its weights, so that changed code is noticed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from preimage.checks import as_tuple, unpack
from preimage.domains import Domain
from preimage.errors import ModelFileError, PreimageError
from preimage.flows.flow import Flow, applicable

PREFIX = "probe."
ROWS = 2
TOLERANCE = 1e-5
"""Allowed difference, as a share of the larger of 1 and the answer: far above the rounding of float64."""
BROKEN = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RuntimeError, MemoryError)
"""What a function may raise that is called with arguments from a file."""
AGREED = "the answers to the probe agree with those in the file"


@dataclass(frozen=True)
class Probe:
    """Rows of data and of context, and what a flow answers to them in float64.

    Args:
        tensors: ``x.0``, ``context.0`` and so on ``(N, ...)``, and ``answer.log_prob`` and so on ``(N,)``.
        note: what was left out, and why; empty where nothing was.
    """

    tensors: dict[str, Tensor]
    note: str = ""

    def answers(self) -> dict[str, Tensor]:
        """The answers alone, by name."""
        return {name: value for name, value in self.tensors.items() if name.startswith("answer.")}

    def part(self, word: str) -> Any:
        """The rows of the data or of the context; None where there are none."""
        found = [self.tensors[key] for key in sorted(self.tensors) if key.startswith(f"{word}.")]
        return unpack(found) if found else None


def taken(flow: Flow) -> Probe:
    """Ask a flow about rows near its data: those of fixed latents, so that every part of it takes part.

    What draws random numbers gives no fixed answer: a dequantisation is left out, and only the way back
    through it is asked for. What is random otherwise, not finite or not computable is left out and noted.

    Args:
        flow: which stays as it is.

    Cost: a copy of the flow in float64, one sample of two rows and two densities.

    Example:
        >>> from preimage import flows
        >>> sorted(taken(flows.maf(2)).answers())
        ['answer.latents', 'answer.log_prob']
    """
    try:
        plain = _plain(flow)
    except (PreimageError, *BROKEN) as error:
        return Probe({}, f"no probe: the flow cannot be copied to float64: {_first_line(error)}")
    said = ""
    for context in _contexts(flow):
        try:
            with torch.random.fork_rng(devices=[]):
                return _asked(plain, context)
        except (PreimageError, *BROKEN) as error:
            said = said or _first_line(error)
    return Probe({}, f"no probe: no answer to it: {said}")


def check(
    path: object,
    flow: Flow,
    tensors: dict[str, Tensor],
    config: dict[str, Any],
    beside: Callable[[], dict[str, Tensor]] = dict,
) -> str:
    """Ask a flow from a file again.

    Args:
        path: of the file, for the message.
        flow: with its weights.
        tensors: those of the probe, by their names in the file.
        config: the settings of the file.
        beside: gives the answers of what stands around the flow, such as the columns of a table, by name.

    Returns:
        What was found, in words.

    Raises:
        ModelFileError: the answers differ from those in the file, or there are none any more.
    """
    probe = Probe({name.removeprefix(PREFIX): value for name, value in tensors.items()})
    if not probe.answers():
        return str(config.get("probe") or "the file is older than probes: its meaning was not checked")
    if any(value.dim() == 0 or len(value) != ROWS for value in probe.tensors.values()):
        raise ModelFileError(f"{path}: the probe does not hold {ROWS} rows in every part")
    try:
        with torch.random.fork_rng(devices=[]):
            found = beside() | _answers(_plain(flow), probe.part("x"), probe.part("context"))
    except (PreimageError, *BROKEN) as error:
        raise ModelFileError(f"{path}: the probe cannot be computed: {error}; {_causes(config)}") from error
    for name, wanted in probe.answers().items():
        _compare(path, name.removeprefix("answer."), found.get(name), wanted, config)
    return AGREED


def without_probe(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights of a file, and its probe."""
    probe = {name: value for name, value in tensors.items() if name.startswith(PREFIX)}
    return {name: value for name, value in tensors.items() if name not in probe}, probe


def _compare(path: object, name: str, came: Tensor | None, wanted: Tensor, config: dict[str, Any]) -> None:
    if came is not None and agree(came, wanted):
        return
    said = "none" if came is None else came.tolist()
    raise ModelFileError(
        f"{path}: the weights mean something else here than where they were saved: {name} of the probe is"
        f" {said}, the file has {wanted.tolist()}; {_causes(config)}"
    )


def agree(came: Tensor, wanted: Tensor) -> bool:
    """Whether two answers are the same but for rounding.

    Example:
        >>> agree(torch.tensor([-3.0]), torch.tensor([-3.0 - 1e-7])), agree(torch.zeros(1), torch.ones(1))
        (True, False)
    """
    same = came.shape == wanted.shape
    return same and bool(((came - wanted).abs() <= TOLERANCE * wanted.abs().clamp_min(1.0)).all())


def _causes(config: dict[str, Any]) -> str:
    versions = config.get("versions")
    written = f" by {versions}" if versions else ""
    return (
        f"the file was written{written}. The preset {config.get('preset')!r}, or a layer in it, has another"
        " meaning in what is installed here: install those versions, undo the change, or train again"
    )


def _plain(flow: Flow) -> Flow:
    """A copy that nobody trains, on the CPU and in float64."""
    return copy.deepcopy(flow).to("cpu", torch.float64).eval()


def _contexts(flow: Flow) -> Iterator[Any]:
    """Rows of context to try: of its domain, or class labels; after the embedding, whose input is unknown."""
    wanted = flow.bijection.context_domain or flow.base.context_domain
    if wanted is None:
        yield None
        return
    sizes = flow.recipe.arguments.get("context") if flow.recipe else None
    space = list(sizes[1:]) if isinstance(sizes, list | tuple) else []
    yield unpack(_rows(domain, space) for domain in as_tuple(wanted))
    yield torch.arange(ROWS)


def _rows(domain: Domain, space: list[int]) -> Tensor:
    free = space or [1] * len(domain.fixed)
    return domain.sample(ROWS, free, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def _asked(flow: Flow, context: Any) -> Probe:
    """Everything that two runs answer alike."""
    latents = unpack(_rows(domain, []) for domain in as_tuple(flow.base.domain))
    x = flow.bijection.inverse(latents, applicable(flow.bijection, context))
    if not all(part.isfinite().all() for part in as_tuple(x)):
        raise ValueError("the rows of the fixed latents are not finite")
    first, second = (_answers(flow, x, context) for _ in range(2))
    steady = {name: value for name, value in first.items() if agree(value, second[name])}
    left_out = ", ".join(name.removeprefix("answer.") for name in first if name not in steady)
    rows = _numbered("x", x) | _numbered("context", context)
    return Probe(rows | steady, f"{left_out}: random or not finite, so not in the probe" if left_out else "")


@torch.no_grad()
def _answers(flow: Flow, x: Any, context: Any) -> dict[str, Tensor]:
    """Log-density, a mixture of the latents, and a mixture of the data behind a surjection, each ``(N,)``."""
    z, log_det = flow.bijection.forward_and_log_det(x, applicable(flow.bijection, context))
    log_prob = flow.base.log_prob(z, applicable(flow.base, context)) + log_det
    found = {"answer.log_prob": log_prob, "answer.latents": mixed(z)}
    if flow.surjection is not None:
        found["answer.data"] = mixed(flow.surjection.inverse(x))
    return found


def mixed(parts: Any) -> Tensor:
    """One number for every row, in which every element has a weight of its own ``(N,)``."""
    flat = torch.cat([part.double().flatten(1) for part in as_tuple(parts)], dim=1)  # (N, D)
    weights = torch.arange(1, 1 + flat.shape[1], dtype=torch.float64).cos()
    return (flat * weights).sum(1) / flat.shape[1]


def _numbered(word: str, parts: Any) -> dict[str, Tensor]:
    return {} if parts is None else {f"{word}.{i:03d}": part for i, part in enumerate(as_tuple(parts))}


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
