"""What ``torch.export`` writes while it fails: our error says it in one sentence instead."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

LOGGERS = ("torch.fx.experimental.symbolic_shapes", "torch._subclasses.fake_tensor")


@contextmanager
def without_echo() -> Iterator[None]:
    """Hold back what is written to ``sys.stderr``, and drop it if the block fails.

    The partial graph that ``torch.export`` prints there, twice for two attempts, would bury the one sentence
    that helps. What a network of one's own writes while it is captured appears when the block succeeds.
    """
    held, loggers = io.StringIO(), [logging.getLogger(name) for name in LOGGERS]
    for logger in loggers:
        logger.addFilter(_nothing)
    try:
        with redirect_stderr(held):
            yield
    finally:
        for logger in loggers:
            logger.removeFilter(_nothing)
    sys.stderr.write(held.getvalue())


def _nothing(_: logging.LogRecord) -> bool:
    return False
