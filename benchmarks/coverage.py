"""Every classification family of torchvision and timm backwards: captured, planned, ledger, two inversions.

    python benchmarks/coverage.py                       # families, one process each; an hour
    python benchmarks/coverage.py torchvision           # one library; networks that went through are kept
    python benchmarks/coverage.py one timm resnet10t    # a single network, printed

Weights are random and pictures as small as the network allows: this measures what is covered, not how well
pictures come back. Every network runs in a process of its own under a memory and a time limit.
"""

import json
import multiprocessing
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from coverage_models import LIBRARIES, TORCHVISION, build, names
from preimage.capture import Graph, capture
from preimage.inverse import Inverse, Plan

RESULTS = Path(__file__).parent / "results" / "coverage.json"
MEMORY = 3 * 2**30
SECONDS = 600
GUARANTEES = ("exact", "left", "certified", "iterative", "right", "estimate", "opaque")


def main(libraries: tuple[str, ...]) -> None:
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    rows = {(row["library"], row["name"]): row for row in known.get("rows", [])}
    for library in libraries:
        for name in names(library):
            if "middle" not in rows.get((library, name), {}):
                rows[library, name] = apart(library, name)
                print({k: v for k, v in rows[library, name].items() if k != "operations"}, flush=True)
                RESULTS.write_text(json.dumps({"rows": list(rows.values())}, indent=1) + "\n")


def apart(library: str, name: str) -> dict:
    """One network in a process of its own, which begins with the libraries loaded."""
    with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as file:
        process = multiprocessing.get_context("fork").Process(target=one, args=(library, name, file.name))
        process.start()
        process.join(SECONDS)
        row = _last(file.read(), library, name)
    if process.is_alive():
        process.kill()
        process.join()
        return {**row, "error": f"over {SECONDS} s"}
    if process.exitcode and "error" not in row:
        row["error"] = f"ended with {process.exitcode}"
    return row


def _last(output: str, library: str, name: str) -> dict:
    """The last complete row that a process wrote: rows grow as it goes on."""
    lines = [line for line in output.splitlines() if line.startswith("{") and line.endswith("}")]
    return json.loads(lines[-1]) if lines else {"library": library, "name": name}


def one(library: str, name: str, path: str = "/dev/stdout") -> None:
    """Everything about one network; written whenever more is known."""
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    row: dict = {"library": library, "name": name, "family": _family(library, name)}
    with Path(path).open("a") as file:
        try:
            for more in stages(*build(library, name)):
                row |= more
                print(json.dumps(row), file=file, flush=True)
        except Exception as error:
            row["error"] = f"{type(error).__name__}: {str(error)[:300]}"
            row["where"] = "".join(traceback.format_tb(error.__traceback__)[-3:])[-900:]
            print(json.dumps(row), file=file, flush=True)


def _family(library: str, name: str) -> str:
    families = {member: family for family, member in TORCHVISION.items()}
    return families.get(name, name) if library == "torchvision" else name


def stages(model: nn.Module, x: Tensor) -> Iterator[dict]:
    """What is found out about a network, a little at a time."""
    yield {"pixels": x.shape[-1], "parameters": sum(p.numel() for p in model.parameters())}
    begun = time.process_time()
    graph = capture(model, x)
    yield {**_size(graph), "capture_seconds": _since(begun)}
    begun = time.process_time()
    inverse = Inverse(graph, {}, example=(x,))
    plan = inverse.plan()
    yield {"plan_seconds": _since(begun), "guarantee": plan.guarantee.value, **_values(graph, plan)}
    begun = time.process_time()
    text = str(inverse.ledger)
    yield {"ledger_seconds": _since(begun), "ledger_lines": text.count("\n")}
    yield {"logits": backwards(inverse, x, None)}
    middle = middle_tap(inverse)
    yield {"middle": backwards(inverse, x, middle), "memory": _memory()}


def backwards(inverse: Inverse, x: Tensor, tap: str | None) -> dict:
    """One inversion from the values that the network itself has at a tap."""
    name = inverse.graph.outputs[0] if tap is None else tap
    y = inverse.features(x, [name])[name]
    begun = time.process_time()
    found, certificate = inverse.data_free(y, tap)
    return {
        "tap": name,
        "seconds": _since(begun),
        "residual": certificate.residual.median().item(),
        "converged": certificate.converged.double().mean().item(),
        "finite": bool(torch.isfinite(found).all()),
        "error": ((found - x).norm() / x.norm()).item(),
    }


def middle_tap(inverse: Inverse) -> str:
    """The value half-way through the operations that everything passes through."""
    graph = inverse.graph
    passed = [
        n for n in graph.dominators[graph.outputs[0]] if n in graph.by_name and not graph.by_name[n].parts
    ]
    passed = [n for n in passed if (layout := graph.layout(n)) is not None and layout.is_plain]
    return sorted(passed, key=graph.order.__getitem__)[len(passed) // 2]


def _size(graph: Graph) -> dict:
    data = [node for node in graph.nodes if node.inputs]
    return {
        "nodes": len(data),
        "operations": dict(Counter(node.operation for node in data)),
        "batch": "free" if graph.fixed_batch is None else f"fixed to {graph.fixed_batch}",
    }


def _values(graph: Graph, plan: Plan) -> dict:
    """How each computed value is found again: by the promise of the step that it is a part of."""
    promise: dict[str, str] = {}
    for region in plan.regions:
        promise.update(dict.fromkeys(region.nodes, region.guarantee.value))
        if region.kind == "gather":
            promise[region.source] = region.guarantee.value
    counted = Counter(promise.get(node.name, "computed") for node in graph.nodes if node.inputs)
    return {"values": {word: counted[word] for word in (*GUARANTEES, "computed")}}


def _since(begun: float) -> float:
    return round(time.process_time() - begun, 2)


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        one(*sys.argv[2:4])
    else:
        main(tuple(sys.argv[1:]) or LIBRARIES)
