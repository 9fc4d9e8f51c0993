"""How far a long job is: a bar on a terminal, plain lines elsewhere, nothing when not wanted."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TextIO, final

from tqdm import tqdm


class Progress(ABC):
    """A job of several stages, each of a known number of steps."""

    @abstractmethod
    def stage(self, name: str, steps: int) -> None:
        """Begin a stage; the one before it has ended."""

    @abstractmethod
    def step(self, label: str = "") -> None:
        """One step of the present stage is done."""

    @abstractmethod
    def close(self) -> None:
        """The job has ended, well or not."""


@final
class Silence(Progress):
    """Says nothing."""

    def stage(self, name: str, steps: int) -> None:
        """Do nothing."""

    def step(self, label: str = "") -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


@final
class Bar(Progress):
    """A bar with the stage, the step and the time left.

    Args:
        stream: a terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: tqdm | None = None

    def stage(self, name: str, steps: int) -> None:
        """Close the bar of the stage before and open a new one."""
        self.close()
        form = "{desc:<34.34} {bar:24} {n_fmt}/{total_fmt}  {elapsed} gone, {remaining} left"
        self._bar = tqdm(desc=name, total=steps, file=self._stream, bar_format=form, leave=True)
        self._name = name

    def step(self, label: str = "") -> None:
        """Advance the bar."""
        if self._bar is not None:
            self._bar.set_description(f"{self._name}: {label}" if label else self._name, refresh=False)
            self._bar.update()

    def close(self) -> None:
        """Leave the finished bar on the screen."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None


@final
class Lines(Progress):
    """One line when a stage begins and at most one every ten seconds within it, for log files.

    Args:
        stream: where the lines go.
        every: seconds between two lines of a stage.
    """

    def __init__(self, stream: TextIO, every: float = 10.0) -> None:
        self._stream, self._every = stream, every
        self._name, self._steps, self._done = "", 0, 0
        self._begun = self._said = 0.0

    def stage(self, name: str, steps: int) -> None:
        """Say that a stage begins."""
        self._name, self._steps, self._done = name, steps, 0
        self._begun = self._said = time.monotonic()
        self._say(f"{name}: {steps} steps")

    def step(self, label: str = "") -> None:
        """Say how far the stage is, when it has been quiet for long enough."""
        self._done += 1
        now = time.monotonic()
        if now - self._said >= self._every:
            left = (now - self._begun) / self._done * (self._steps - self._done)
            at = f" ({label})" if label else ""
            self._say(f"{self._name}: {self._done}/{self._steps}{at}, about {left:.0f} s left")
            self._said = now

    def close(self) -> None:
        """Do nothing: every line is already complete."""

    def _say(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


def progress_on(stream: TextIO) -> Progress:
    """A bar when the stream is a terminal, plain lines otherwise.

    Example:
        >>> import io
        >>> stream = io.StringIO()
        >>> progress_on(stream).stage("reading", 3)
        >>> stream.getvalue()
        'reading: 3 steps\\n'
    """
    return Bar(stream) if stream.isatty() else Lines(stream)
