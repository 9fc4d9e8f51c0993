"""How every figure of a report looks, and how it becomes a file; matplotlib's settings come back."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from preimage.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# Okabe and Ito (2008): told apart by colour-blind readers, and in grey.
DATA, SAMPLES, THIRD, SOFT = "#0072B2", "#D55E00", "#009E73", "#6b675f"
DATA_MAP, SAMPLES_MAP = "Blues", "Oranges"
LOOK: dict[str, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "legend.frameon": False,
}


def new_figure(width: float, height: float, **layout: Any) -> Figure:
    """A figure of a size in inches, without pyplot and so without a list of open figures.

    Raises:
        MissingExtraError: matplotlib is not installed.

    Example:
        >>> new_figure(4, 3).get_size_inches().tolist()
        [4.0, 3.0]
    """
    _matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", **layout)


def in_style(draw: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Have a function draw in the look of the reports.

    Raises:
        MissingExtraError: at the call, where matplotlib is not installed.
    """

    @functools.wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with _matplotlib().rc_context(LOOK):
            return draw(*args, **kwargs)

    return drawn


def png(figure: Figure, dots_per_inch: int = 130) -> bytes:
    """A figure as a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dots_per_inch)
    return file.getvalue()


def bare(axes: Axes) -> None:
    """Take ticks and frame away, for pictures."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _matplotlib() -> Any:
    try:
        import matplotlib as package
    except ImportError as error:
        raise MissingExtraError(
            "plots need matplotlib. Install with:\n    pip install 'preimage[viz]'"
        ) from error
    return package
