"""Progress bars on standard error, for those who like to watch."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor
from tqdm import tqdm


@final
class ProgressBar:
    """A bar for ``inverse.solve(..., progress=ProgressBar())`` and ``invert(..., progress=ProgressBar())``.

    While solving it counts steps and shows the largest and the median relative residual; while calibrating it
    counts batches and taps.

    Args:
        **settings: handed to ``tqdm``, such as ``desc=``, ``file=`` or ``leave=``.

    Example:
        >>> import io, torch
        >>> out = io.StringIO()
        >>> bar = ProgressBar(file=out)
        >>> bar(1, torch.tensor([0.5, 0.25, 0.125]))
        >>> "largest=5.0e-01" in out.getvalue()
        True
    """

    def __init__(self, **settings: Any) -> None:
        self._settings = settings
        self._bar: Any = None
        self._stage: str | None = None

    def __call__(self, step: int | str, *state: Any) -> None:
        """One step of a solve ``(step, residuals)``, or of a calibration ``(stage, done, total)``."""
        if isinstance(step, str):
            self._calibrated(step, *state)
        else:
            self._solved(step, *state)

    def _solved(self, step: int, residual: Tensor) -> None:
        bar = self._open("solve", None)
        largest, median = residual.max().item(), residual.median().item()
        bar.set_postfix_str(f"residual largest={largest:.1e} median={median:.1e}", refresh=False)
        bar.n = step
        bar.refresh()

    def _calibrated(self, stage: str, done: int, total: int) -> None:
        bar = self._open(stage, total)
        bar.n = done
        bar.refresh()

    def _open(self, stage: str, total: int | None) -> Any:
        if self._stage != stage:
            self.close()
            self._stage = stage
            self._bar = tqdm(**{"desc": stage, "total": total, "leave": False, **self._settings})
        return self._bar

    def close(self) -> None:
        """Finish the bar; a new one starts at the next call."""
        if self._bar is not None:
            self._bar.close()
        self._bar, self._stage = None, None
