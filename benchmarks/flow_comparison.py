"""Claim: our presets reach a held-out likelihood at least as good as the best of five other libraries.

Setting: equal numbers of parameters (within 5 %), equal process time of one thread, one neutral loop for all
(Adam, warm-up and cosine over the time, clipped gradients, best validation weights), three seeds. Each library
enters with that of its own families which had the best validation figure in a pilot run with another seed and
half of the time; so do we. Pilots on the plane are run on the checkerboard, those on pictures on MNIST. Our own
``fit`` is a separate line: as many steps as the neutral loop managed.

    python benchmarks/flow_comparison.py [--only magic,moons] [--libraries zuko] [--scale 4] [--quick] [--fresh]

Results that are in the file already are kept, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import time
import warnings
from pathlib import Path
from typing import Any

import torch

from flow_data import DATA, Data
from flow_peers.contender import Family, build, matching_width, parameters
from flow_training import Budget, Scorer, train
from preimage.flows import Flow

RESULTS = Path(__file__).parent / "results" / "flow_comparison.json"
LIBRARIES = {
    "preimage": "preimage",
    "zuko": "zuko",
    "nflows": "nflows",
    "normflows": "normflows",
    "FrEIA": "freia",
    "torchflows": "torchflows",
}
PLANE = Budget(8.0, 20_000)
PICTURES = Budget(12.0, 300_000, batch=128)
BUDGETS = {
    **dict.fromkeys(("moons", "circles", "spirals", "checkerboard"), PLANE),
    "magic": Budget(12.0, 100_000),
    "patches": Budget(12.0, 300_000),
    **dict.fromkeys(("mnist", "fashion"), PICTURES),
}
PILOT_OF = dict.fromkeys(("moons", "circles", "spirals"), "checkerboard") | {"fashion": "mnist"}
PILOT_SEED, SEEDS = 100, (0, 1, 2)
QUICK = 0.02  # of every time


class Report:
    """The JSON file, written after every run."""

    def __init__(self, path: Path, fresh: bool, quick: bool) -> None:
        self.path = path
        found = {} if fresh or not path.exists() else json.loads(path.read_text())
        self.content: dict[str, Any] = {"quick": quick, "torch": torch.__version__} | found
        self.content["versions"] = {n: importlib.metadata.version(n) for n in LIBRARIES if n != "preimage"}

    def rows(self, kind: str, dataset: str, library: str) -> list[dict[str, Any]]:
        """What was measured, to be added to."""
        table = self.content.setdefault(kind, {}).setdefault(dataset, {})
        return table.setdefault(library, [])

    def add(self, kind: str, dataset: str, library: str, row: dict[str, Any]) -> None:
        """One row more."""
        self.rows(kind, dataset, library).append(row)
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text(json.dumps(self.content, indent=1) + "\n")
        print(kind, dataset, library, {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()})


def families(library: str) -> dict[str, Family]:
    return importlib.import_module(f"flow_peers.with_{LIBRARIES[library]}").FAMILIES


def measure(
    library: str, name: str, transforms: int, data: Data, budget: Budget, seed: int
) -> dict[str, Any]:
    """One family of a library, trained with one seed; without a result where no width fits."""
    family = families(library)[name]
    row: dict[str, Any] = {"family": name, "transforms": transforms, "seed": seed}
    width = matching_width(family, data.shape, transforms, budget.parameters)
    if width is None:
        return row | {"left out": "no width has the number of parameters"}
    torch.manual_seed(seed)
    flow = build(family, data.shape, transforms, width)
    row |= {"width": width, "parameters": parameters(flow)}
    return row | train(flow, data, budget, seed).plain()


def shorter(budget: Budget, factor: float) -> Budget:
    return Budget(budget.seconds * factor, budget.parameters, budget.batch, budget.learning_rate)


def pilot(report: Report, library: str, data: Data, budget: Budget) -> tuple[str, int]:
    """The family and number of transforms with the best validation figure."""
    done = {(row["family"], row["transforms"]) for row in report.rows("pilots", data.name, library)}
    for name, family in families(library).items():
        for transforms in family.tries(data.shape):
            if (name, transforms) not in done:
                row = measure(library, name, transforms, data, shorter(budget, 0.5), PILOT_SEED)
                report.add("pilots", data.name, library, row)
    rows = [row for row in report.rows("pilots", data.name, library) if row.get("validation") is not None]
    best = min(rows, key=lambda row: row["validation"])
    return best["family"], best["transforms"]


def own_fit(row: dict[str, Any], data: Data, budget: Budget) -> dict[str, Any]:
    """The same flow by ``Flow.fit``, for the same number of steps."""
    noise = torch.Generator().manual_seed(row["seed"])
    torch.manual_seed(row["seed"])
    flow = build(families("preimage")[row["family"]], data.shape, row["transforms"], row["width"])
    inner = flow if isinstance(flow, Flow) else flow.get_submodule("flow")
    assert isinstance(inner, Flow)
    train_rows, held = (data.ready(rows, noise) for rows in (data.train, data.validation))
    if inner is not flow:
        train_rows, held = train_rows.flatten(1), held.flatten(1)
    epochs = -(-row["steps"] * budget.batch // len(train_rows)) + 1
    begun = time.process_time()
    inner.fit(
        train_rows,
        validation=held,
        epochs=epochs,
        steps=row["steps"],
        batch_size=budget.batch,
        learning_rate=budget.learning_rate,
        seed=row["seed"],
        patience=0,
        progress=False,
    )
    seconds = time.process_time() - begun
    scorer = Scorer(data)
    figures = {part: scorer.mean(flow, part) for part in ("validation", "test")}
    return {"family": row["family"], "seed": row["seed"], "steps": row["steps"], "seconds": seconds} | figures


def compare(report: Report, name: str, libraries: list[str], factor: float) -> None:
    """All libraries on one data set, seed by seed, so that a busy machine is busy for all of them."""
    pilot_name = PILOT_OF.get(name, name)
    pilot_data, budget = DATA[pilot_name](), shorter(BUDGETS[name], factor)
    chosen = {library: pilot(report, library, pilot_data, budget) for library in libraries}
    data = pilot_data if pilot_name == name else DATA[name]()
    report.content.setdefault("units", {})[name] = data.unit
    for seed in SEEDS:
        for library in libraries:
            rows = report.rows("runs", name, library)
            if not any(row["seed"] == seed for row in rows):
                report.add("runs", name, library, measure(library, *chosen[library], data, budget, seed))
    for row in report.rows("runs", name, "preimage") if "preimage" in libraries else ():
        if not any(done["seed"] == row["seed"] for done in report.rows("fits", name, "preimage")):
            report.add("fits", name, "preimage", own_fit(row, data, budget))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default=",".join(BUDGETS), help="data sets")
    parser.add_argument("--libraries", default=",".join(LIBRARIES))
    parser.add_argument("--scale", type=float, default=1.0, help="factor on every time")
    parser.add_argument("--quick", action="store_true", help="a fiftieth of the time")
    parser.add_argument("--fresh", action="store_true", help="start again")
    parser.add_argument("--pilots", action="store_true", help="only choose families")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", module="torchflows|normflows|nflows|FrEIA")
    report = Report(options.results, options.fresh, options.quick)
    factor, libraries = QUICK if options.quick else options.scale, options.libraries.split(",")
    for name in options.only.split(","):
        if options.pilots:
            data = DATA[PILOT_OF.get(name, name)]()
            for library in libraries:
                pilot(report, library, data, shorter(BUDGETS[name], factor))
        else:
            compare(report, name, libraries, factor)


if __name__ == "__main__":
    main()
