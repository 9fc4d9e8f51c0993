"""Learn a density, look at what was learnt, keep it, and use it.

    python examples/train_a_density.py --data moons --out moons
    python examples/train_a_density.py --data people.csv --out people

Takes one of the toys (moons, circles, spirals, checkerboard) or a table in a file. Trains a flow, writes a
report with plots beside the saved model, loads it again, and ends with the rows that fit the density least.
"""

import argparse
from pathlib import Path

import torch

from preimage import datasets, flows
from preimage.datasets.toys import DRAWS
from preimage.flows.report import Report, describe


def on_toy(name: str, rows: int, epochs: int, out: Path) -> Report:
    """A neural spline flow on points in the plane."""
    data = datasets.toy(name, rows)
    torch.manual_seed(0)
    flow = flows.nsf(2, transforms=3)
    flow.fit(data.train, validation=data.validation, epochs=epochs, learning_rate=2e-3)
    flows.save(flow, out)
    unlikely(flows.load(out).log_prob(data.test), data.test.tolist())
    return describe(flow, data.test, names=data.names, title=f"The {name}")


def on_table(path: str, epochs: int, out: Path) -> Report:
    """One density for columns of every kind; a tenth of the rows is kept for the report."""
    frame = datasets.read_frame(path).sample(frac=1, random_state=0, ignore_index=True)
    held = max(1, len(frame) // 10)
    known, test = frame[held:].reset_index(drop=True), frame[:held]
    torch.manual_seed(0)
    flow = flows.TabularFlow(frame)
    flow.fit(known, epochs=epochs)
    flow.save(out)
    unlikely(flows.TabularFlow.load(out).log_prob(test, draws=10), test.values.tolist())
    return describe(flow, test, title=Path(path).name)


def unlikely(log_prob: torch.Tensor, rows: list[list[object]], count: int = 3) -> None:
    """Print the rows of lowest density."""
    print("least likely rows:")
    for number in log_prob.argsort()[:count].tolist():
        print(f"  {log_prob[number].item():8.2f} nats  {rows[number]}")


def main(arguments: list[str] | None = None) -> Report:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", default="moons", help="name of a toy, or a table")
    parser.add_argument("--out", type=Path, required=True, help="folder of the model")
    parser.add_argument("--rows", type=int, default=6_000, help="of a toy")
    parser.add_argument("--epochs", type=int, default=30)
    chosen = parser.parse_args(arguments)
    if chosen.data in DRAWS:
        report = on_toy(chosen.data, chosen.rows, chosen.epochs, chosen.out)
    else:
        report = on_table(chosen.data, chosen.epochs, chosen.out)
    print(report.lead)
    print(f"Open {report.save(chosen.out)}")
    return report


if __name__ == "__main__":
    main()
