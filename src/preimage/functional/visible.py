"""Whether code may look at values: eager mode only."""

from __future__ import annotations

import torch


def values_are_visible() -> bool:
    """Whether code may branch on values: not while compiling, exporting or inside ``torch.func``.

    Returns:
        True in eager mode.

    Example:
        >>> values_are_visible()
        True
    """
    if torch.compiler.is_compiling():
        return False
    return torch._C._functorch.peek_interpreter_stack() is None  # pyright: ignore[reportAttributeAccessIssue]
