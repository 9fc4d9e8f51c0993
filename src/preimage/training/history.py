"""What happened in a run, record by record, and where it may be written."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from preimage.errors import MissingExtraError

Record = dict[str, Any]
Listener = Callable[[Record], None]


class History(list[Record]):
    """The records of a run, oldest first: one an epoch, with losses, learning rate and seconds.

    Example:
        >>> history = History([{"epoch": 0, "loss": 2.0}, {"epoch": 1, "loss": 1.5}])
        >>> history.column("loss")
        [2.0, 1.5]
    """

    def column(self, name: str) -> list[Any]:
        """One value of every record that has it."""
        return [record[name] for record in self if name in record]


def json_lines(folder: str | Path) -> Listener:
    """Append every record to ``history.jsonl`` in a folder, which is made if need be."""
    path = Path(folder) / "history.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)

    def write(record: Record) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record | {"time": time.time()}) + "\n")

    return write


def tensorboard(folder: str | Path) -> Listener:
    """Write the numbers of every record for TensorBoard.

    Raises:
        MissingExtraError: TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("fit: tensorboard needs the package; pip install tensorboard") from error
    writer = SummaryWriter(str(folder))  # pyright: ignore[reportPrivateImportUsage]

    def write(record: Record) -> None:
        for name, value in record.items():
            if isinstance(value, int | float):
                writer.add_scalar(name, value, record["step"])
        writer.flush()

    return write


def tell(listeners: Iterable[Listener], record: Record) -> None:
    """Hand a record to every listener."""
    for listener in listeners:
        listener(record)
