"""All samples: every ``SAMPLES`` list of the files ``samples_*.py`` beside this one."""

import functools
import importlib.util
import sys
from pathlib import Path

from preimage.testing import Sample


def _load(path: Path) -> list[Sample]:
    spec = importlib.util.spec_from_file_location(f"preimage_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.SAMPLES


@functools.cache
def all_samples() -> list[Sample]:
    """Every sample, sorted by file, names checked to be unique."""
    samples = [
        sample for path in sorted(Path(__file__).parent.glob("samples_*.py")) for sample in _load(path)
    ]
    names = [sample.name for sample in samples]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"samples need unique names, found twice: {twice}")
    return samples


def exceptions_table() -> str:
    """Every exception of every sample as a Markdown page."""
    rows = [
        f"| {sample.name} | {law} | {reason} |"
        for sample in all_samples()
        for law, reason in sorted(sample.exceptions.items())
    ]
    head = [
        "# Laws that do not hold",
        "",
        "Every layer of the library is tested against every law of the contract. These are all exceptions;",
        "each is tested to be still needed. Made by `python tests/layers/table.py > docs/exceptions.md`.",
        "",
        "| sample | law | reason |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(exceptions_table())
