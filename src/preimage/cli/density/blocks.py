"""Samples in blocks: a bounded amount of memory, and a bar that moves."""

from __future__ import annotations

from collections.abc import Iterator

from tqdm.auto import tqdm

BLOCK = 512  # samples that are drawn at once


def blocks(samples: int, given: int | None, *, silent: bool) -> Iterator[tuple[int, slice]]:
    """What to draw, one block after the other, with a bar on a terminal.

    Args:
        samples: how many; for each row of the context if there is one.
        given: rows of the context, or None without one.
        silent: whether there is no bar.

    Returns:
        How many samples a row, and for which rows of the context.

    Example:
        >>> list(blocks(1000, None, silent=True))
        [(512, slice(None, None, None)), (488, slice(None, None, None))]
        >>> list(blocks(200, 5, silent=True))
        [(200, slice(0, 2, None)), (200, slice(2, 4, None)), (200, slice(4, 6, None))]
    """
    with tqdm(total=samples * (given or 1), disable=silent or None, unit="sample") as bar:
        if given is None:
            for start in range(0, samples, BLOCK):
                some = min(BLOCK, samples - start)
                yield some, slice(None)
                bar.update(some)
            return
        rows = max(1, BLOCK // samples)
        for start in range(0, given, rows):
            yield samples, slice(start, start + rows)
            bar.update(samples * min(rows, given - start))
