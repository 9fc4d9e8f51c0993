"""Memory-saving backpropagation through chains of bijections."""

from __future__ import annotations

from preimage.bijection import MEMORY, AutogradRunner

MEMORY["reversible"] = AutogradRunner
