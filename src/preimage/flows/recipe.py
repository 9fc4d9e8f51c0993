"""Flows that know how they were made, so that a file can make them again."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec

from preimage.flows.flow import Flow

Arguments = ParamSpec("Arguments")


@dataclass(frozen=True)
class Recipe:
    """The call that made a flow.

    Args:
        preset: name of the preset.
        arguments: all its arguments by name, as plain data.

    Example:
        >>> from preimage import flows
        >>> flows.maf(3, transforms=2).recipe.arguments["transforms"]
        2
    """

    preset: str
    arguments: dict[str, Any]


PRESETS: dict[str, Callable[..., Flow]] = {}
"""Every preset by name; :func:`preset` adds to it."""


def preset(build: Callable[Arguments, Flow]) -> Callable[Arguments, Flow]:
    """Register a function that builds a flow, so that what it builds can be saved and loaded.

    The arguments must be plain data: numbers, words, truth values, None, and sequences of them.

    Args:
        build: the function; its name becomes the name of the preset.

    Returns:
        The function, whose flows carry a :class:`Recipe`.

    Raises:
        TypeError: at the call, where an argument is not plain data.

    Example:
        >>> from preimage.layers import Affine
        >>> from preimage.flows import Normal
        >>> @preset
        ... def my_own(features: int) -> Flow:
        ...     return Flow(Affine(features), Normal(features))
        >>> my_own(2).recipe
        Recipe(preset='my_own', arguments={'features': 2})
        >>> del PRESETS["my_own"]
    """
    name: str = build.__name__  # pyright: ignore[reportFunctionMemberAccess]

    @functools.wraps(build)
    def built(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Flow:
        bound = inspect.signature(build).bind(*args, **kwargs)
        bound.apply_defaults()
        arguments = {key: _plain(name, key, value) for key, value in bound.arguments.items()}
        flow = build(*args, **kwargs)
        flow.recipe = Recipe(name, arguments)
        return flow

    PRESETS[name] = built
    return built


def _plain(name: str, key: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(name, key, item) for item in value]
    raise TypeError(
        f"{name}: {key} is {type(value).__name__}, wanted plain data (numbers, words, sequences of them), so"
        " that the flow can be saved; for other parts build Flow(bijection, base) yourself"
    )
